"""`franking doctor`: every finding is provoked, told, and gone once its command has been run."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from franking.doctor.checks import CHECKS
from franking.doctor.finding import Severity

Host = Any
"""What conftest.py makes; its classes cannot be imported."""


def test_a_stock_postfix_that_was_set_up_has_nothing_amiss(sound: Host) -> None:
    """The aim of `franking setup postfix`, in words, in JSON and in the exit status."""
    told, json_told = sound.doctor(), sound.doctor("--json")

    assert (told.returncode, told.stdout, told.stderr) == (0, "nothing to say\n", "")
    assert (json_told.returncode, json.loads(json_told.stdout)) == (0, {"findings": []})


Provoke = Callable[[Host], Any]

FRANKING = "{unix:franking/milter.sock,default_action=tempfail}"


def behind_postscreen(host: Host) -> str:
    """Have postscreen answer at port 25, as postconf(5) describes it."""
    host.postconf("-F", "smtp/inet/command=postscreen")
    return str(host.postconf("-M", "smtpd/pass=smtpd pass - - y - - smtpd"))


def webmail(host: Host, *options: str) -> None:
    """Have an endpoint for the programs of this host that have logins; the rest is as at any other."""
    host.postconf("-M", "127.0.0.1:10587/inet=127.0.0.1:10587 inet n - n - - smtpd")
    own = ["smtpd_sasl_auth_enable=yes", "smtpd_tls_security_level=encrypt", "local_header_rewrite_clients="]
    own += ["cleanup_service_name=franking-cleanup", *options]
    host.postconf("-P", *(f"127.0.0.1:10587/inet/{option}" for option in own))


def return_port(host: Host, *options: str) -> str:
    """Have amavis give mail back at port 10025, on a host whose main.cf has logins for all but port 25."""
    host.postconf("-e", "content_filter = smtp:[127.0.0.1]:10024", "smtpd_sasl_auth_enable = yes")
    host.postconf("-P", "smtp/inet/smtpd_sasl_auth_enable=no")
    host.postconf("-M", "127.0.0.1:10025/inet=127.0.0.1:10025 inet n - y - - smtpd")
    return str(host.postconf("-P", *(f"127.0.0.1:10025/inet/{option}" for option in options)))


PROVOKED: dict[str, tuple[str, Severity, Provoke]] = {
    "no milter": (
        "milter_missing",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submission/inet/smtpd_milters="),
    ),
    "no milter but a signer": (
        "milter_missing",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submissions/inet/smtpd_milters={unix:opendkim/s,default_action=accept}"),
    ),
    "no milter at a port of a webmail's own": (
        "milter_missing",
        Severity.ERROR,
        lambda host: webmail(host, "content_filter="),
    ),
    "milters switched off at a port of a webmail's own": (
        "milter_missing",
        Severity.ERROR,
        lambda host: webmail(host, "receive_override_options=no_milters", "smtpd_milters=$franking_milters"),
    ),
    "milters switched off": (
        "milter_missing",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submission/inet/receive_override_options=no_milters,no_address_mappings"),
    ),
    "port 25 for all, and the milter too": (
        "port_25",
        Severity.ERROR,
        lambda host: host.postconf("-e", "smtpd_milters = $franking_milters, unix:opendkim/s"),
    ),
    "a port 25 with logins": (
        "port_25",
        Severity.ERROR,
        lambda host: host.postconf("-P", "smtp/inet/smtpd_sasl_auth_enable=yes"),
    ),
    "a filter before the queue": (
        "content_unseen",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submission/inet/smtpd_proxy_filter=127.0.0.1:10024"),
    ),
    "a filter before the queue of all services": (
        "content_unseen",
        Severity.ERROR,
        lambda host: (
            host.postconf("-PX", "submission/inet/smtpd_proxy_filter"),
            host.postconf("-e", "smtpd_proxy_filter = 127.0.0.1:10024"),
        ),
    ),
    "clients without milters": (
        "clients_exempt",
        Severity.ERROR,
        lambda host: (
            host.postconf("-PX", "submission/inet/smtpd_milter_maps"),
            host.postconf("-e", "smtpd_milter_maps = inline:{192.0.2.1=DISABLE}"),
        ),
    ),
    "logins behind postscreen": (
        "port_25",
        Severity.ERROR,
        lambda host: (
            behind_postscreen(host),
            host.postconf("-P", "smtpd/pass/smtpd_sasl_auth_enable=yes"),
        ),
    ),
    "smuggling behind postscreen": (
        "bare_newline",
        Severity.ERROR,
        lambda host: (behind_postscreen(host), host.postconf("-P", "smtpd/pass/smtpd_forbid_bare_newline=no")),
    ),
    "a signer that main.cf alone has": (
        "milter_not_asked",
        Severity.WARNING,
        lambda host: (
            host.postconf("-e", "smtpd_milters = { inet:localhost:8891, default_action=accept }"),
            host.postconf("-P", "submissions/inet/smtpd_milters=$(franking_milters),inet:localhost:8891"),
        ),
    ),
    "after opendkim": (
        "milter_after_signer",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submission/inet/smtpd_milters=inet:localhost:8891,$franking_milters"),
    ),
    "after dkimpy-milter": (
        "milter_after_signer",
        Severity.ERROR,
        lambda host: host.postconf("-P", f"submission/inet/smtpd_milters=unix:dkimpy-milter/s,{FRANKING}"),
    ),
    "after rspamd, in one variable": (
        "milter_after_signer",
        Severity.ERROR,
        lambda host: (
            host.postconf("-e", f"both = {{ inet:localhost:11332, default_action = accept }}, {FRANKING}"),
            host.postconf("-P", "submission/inet/smtpd_milters=$both"),
        ),
    ),
    "twice in one list": (
        "milter_twice",
        Severity.ERROR,
        lambda host: host.postconf("-P", f"submission/inet/smtpd_milters=$franking_milters,{FRANKING}"),
    ),
    "twice by the same word": (
        "milter_twice",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submission/inet/smtpd_milters=$franking_milters,$franking_milters"),
    ),
    "twice in one variable": (
        "milter_twice",
        Severity.ERROR,
        lambda host: host.postconf("-e", f"franking_milters = {FRANKING} {FRANKING}"),
    ),
    "local mail": (
        "judged_outside",
        Severity.ERROR,
        lambda host: host.postconf("-e", "non_smtpd_milters = $franking_milters, unix:opendkim/s"),
    ),
    "local mail by the milters of smtpd": (
        "judged_outside",
        Severity.ERROR,
        lambda host: host.postconf(
            "-e", "smtpd_milters = $franking_milters, unix:opendkim/s", "non_smtpd_milters = $smtpd_milters"
        ),
    ),
    "back from a content filter": (
        "judged_outside",
        Severity.ERROR,
        lambda host: (
            host.postconf("-e", "content_filter = smtp:[127.0.0.1]:10025"),
            host.postconf("-M", "127.0.0.1:10026/inet=127.0.0.1:10026 inet n - y - - smtpd"),
            host.postconf("-P", "127.0.0.1:10026/inet/smtpd_milters=$franking_milters"),
            host.postconf("-P", "127.0.0.1:10026/inet/local_header_rewrite_clients="),
            host.postconf("-P", "127.0.0.1:10026/inet/smtpd_tls_security_level=encrypt"),
            host.postconf("-P", "127.0.0.1:10026/inet/cleanup_service_name=franking-cleanup"),
        ),
    ),
    "back from a content filter, with the logins of main.cf": (
        "judged_outside",
        Severity.ERROR,
        lambda host: (
            return_port(host, "content_filter="),
            host.postconf("-P", "127.0.0.1:10025/inet/smtpd_milters=$franking_milters"),
        ),
    ),
    "accept": (
        "default_action",
        Severity.ERROR,
        lambda host: host.postconf("-e", "franking_milters = { unix:franking/milter.sock, default_action=accept }"),
    ),
    "accept by the general default": (
        "default_action",
        Severity.ERROR,
        lambda host: host.postconf(
            "-e", "franking_milters = { unix:franking/milter.sock, connect_timeout=5s }", "milter_default_action=accept"
        ),
    ),
    "reject, in an option": (
        "default_action",
        Severity.WARNING,
        lambda host: host.postconf(
            "-P", "submission/inet/smtpd_milters={unix:franking/milter.sock,default_action=reject}"
        ),
    ),
    "a milter on TCP": (
        "milter_on_tcp",
        Severity.WARNING,
        lambda host: host.postconf("-e", "franking_milters = { inet:127.0.0.1:7, default_action=tempfail }"),
    ),
    "the host's own path in a chroot": (
        "socket_elsewhere",
        Severity.ERROR,
        lambda host: host.postconf(
            "-e", f"franking_milters = {{ unix:{host.queue}/franking/milter.sock, default_action=tempfail }}"
        ),
    ),
    "another socket": (
        "socket_elsewhere",
        Severity.ERROR,
        lambda host: host.postconf(
            "-P", "submission/inet/smtpd_milters={unix:franking/other.sock,default_action=tempfail}"
        ),
    ),
    "address rewriting": (
        "header_rewriting",
        Severity.ERROR,
        lambda host: host.postconf("-PX", "submission/inet/local_header_rewrite_clients"),
    ),
    "missing headers": (
        "headers_added",
        Severity.ERROR,
        lambda host: host.postconf("-e", "always_add_missing_headers = yes"),
    ),
    "smuggling": (
        "bare_newline",
        Severity.ERROR,
        lambda host: host.postconf("-e", "smtpd_forbid_bare_newline = no"),
    ),
    "smuggling at one service": (
        "bare_newline",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submission/inet/smtpd_forbid_bare_newline=no"),
    ),
    "smuggling by some": (
        "bare_newline",
        Severity.ERROR,
        lambda host: host.postconf("-X", "smtpd_forbid_bare_newline_exclusions"),
    ),
    "NUL": ("nul", Severity.WARNING, lambda host: host.postconf("-e", "message_reject_characters = \\1")),
    "other characters with a zero": (
        "nul",
        Severity.WARNING,
        lambda host: host.postconf("-e", "message_reject_characters = \\012\\001"),
    ),
    "client in Received": (
        "client_in_received",
        Severity.NOTE,
        lambda host: host.postconf("-PX", "submission/inet/cleanup_service_name"),
    ),
    "client in Received, by a cleanup of the site's own": (
        "client_in_received",
        Severity.NOTE,
        lambda host: (
            (host.postfix / "own_checks").write_text("/^X-Own:/ IGNORE\n"),
            host.postconf("-M", "own/unix=own unix n - y - 0 cleanup"),
            host.postconf("-P", f"own/unix/header_checks=regexp:{host.postfix}/own_checks"),
            host.postconf("-P", "submission/inet/cleanup_service_name=own"),
        ),
    ),
    "no table for Received": (
        "table_missing",
        Severity.ERROR,
        lambda host: (host.postfix / "franking_received").unlink(),
    ),
    "no table for streams": (
        "table_missing",
        Severity.ERROR,
        lambda host: (
            host.postconf("-e", f"milter_header_checks = regexp:{host.postfix}/franking_streams"),
            host.postconf("-M", "broadcast/unix=broadcast unix - - y - - smtp"),
        ),
    ),
    "a table that was not made": (
        "table_missing",
        Severity.ERROR,
        lambda host: (
            (host.postfix / "own_checks").write_text("x IGNORE\n"),
            host.postconf("-e", f"milter_header_checks = hash:{host.postfix}/own_checks"),
        ),
    ),
    "no way out for a stream": (
        "transport_missing",
        Severity.ERROR,
        lambda host: (
            (host.postfix / "own_streams").write_text(
                "# /^X/ FILTER none:\n/^X-Franking-Stream: news; / filter newsletter:[relay.example]:587\n"
                "/^X-Franking-Stream: / FILTER smtp:\n"
            ),
            host.postconf("-e", f"milter_header_checks = regexp:{host.postfix}/own_streams"),
        ),
    ),
    "plaintext AUTH": (
        "plaintext_auth",
        Severity.ERROR,
        lambda host: (
            host.postconf("-e", "smtpd_tls_auth_only = no"),
            host.postconf("-P", "submission/inet/smtpd_tls_security_level=may"),
        ),
    ),
    "no TLS demanded": (
        "tls_optional",
        Severity.WARNING,
        lambda host: host.postconf("-P", "submission/inet/smtpd_tls_security_level=may"),
    ),
    "TLS 1.1": (
        "old_tls",
        Severity.ERROR,
        lambda host: host.postconf("-e", "smtpd_tls_mandatory_protocols = >=TLSv1.1"),
    ),
    "TLS 1.1 at one service": (
        "old_tls",
        Severity.ERROR,
        lambda host: host.postconf("-P", "submissions/inet/smtpd_tls_mandatory_protocols=!SSLv2,!SSLv3"),
    ),
    "no logins": (
        "logins_off",
        Severity.ERROR,
        lambda host: (host.postconf("-P", "submission/inet/smtpd_sasl_auth_enable=no"),),
    ),
    "no PLAIN": (
        "no_plain_login",
        Severity.ERROR,
        lambda host: (host.postconf("-e", "smtpd_sasl_security_options = noanonymous, noplaintext"),),
    ),
    "no PLAIN under TLS at one service": (
        "no_plain_login",
        Severity.ERROR,
        lambda host: (host.postconf("-P", "submission/inet/smtpd_sasl_tls_security_options=noplaintext"),),
    ),
    "no TLS from the first octet": (
        "wrapper_off",
        Severity.ERROR,
        lambda host: (host.postconf("-P", "submissions/inet/smtpd_tls_wrappermode=no"),),
    ),
    "no TLS from the first octet at a port of streams": (
        "wrapper_off",
        Severity.ERROR,
        lambda host: (
            host.shell(f"franking setup postfix --config-dir {host.postfix} --with streams --yes"),
            host.postconf("-P", "2465/inet/smtpd_tls_wrappermode=no"),
        ),
    ),
    "TLS from the first octet where clients wait for a greeting": (
        "wrapper_on",
        Severity.ERROR,
        lambda host: (host.postconf("-P", "submission/inet/smtpd_tls_wrappermode=yes"),),
    ),
    "streams of an endpoint that is not there": (
        "unknown_endpoint",
        Severity.WARNING,
        lambda host: host.write_policy(
            f"{host.policy.read_text()}    streams: {{news: {{type: broadcast, endpoints: [broadcasts]}}}}\n"
        ),
    ),
    "everybody in": (
        "relay_open",
        Severity.WARNING,
        lambda host: (host.postconf("-P", "submission/inet/smtpd_relay_restrictions=permit,reject"),),
    ),
    "a block list for all": (
        "restrictions_inherited",
        Severity.WARNING,
        lambda host: (
            host.postconf("-PX", "submission/inet/smtpd_client_restrictions"),
            host.postconf("-e", "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client bl.example"),
        ),
    ),
    "relaying for own domains alone": (
        "clients_refused",
        Severity.ERROR,
        lambda host: (
            host.postconf("-PX", "submission/inet/smtpd_relay_restrictions"),
            host.postconf("-e", "smtpd_relay_restrictions = permit_mynetworks, defer_unauth_destination"),
        ),
    ),
    "recipients of own domains alone": (
        "clients_refused",
        Severity.ERROR,
        lambda host: host.postconf(
            "-P", "submission/inet/smtpd_recipient_restrictions=reject_non_fqdn_recipient,reject_unauth_destination"
        ),
    ),
    "own programs alone": (
        "loopback_only",
        Severity.NOTE,
        lambda host: (host.postconf("-F", "submission/inet/service=127.0.0.1:587"),),
    ),
    "the loopback interface alone": (
        "interfaces_loopback",
        Severity.ERROR,
        lambda host: host.postconf("-e", "inet_interfaces = loopback-only"),
    ),
    "the loopback interface's addresses alone": (
        "interfaces_loopback",
        Severity.ERROR,
        lambda host: (
            host.postconf("-e", "inet_interfaces = 127.0.0.1, [::1]"),
            host.postconf("-F", "submission/inet/service=192.0.2.1:587"),
        ),
    ),
    "size": ("size_limit", Severity.WARNING, lambda host: host.postconf("-e", "message_size_limit = 999999")),
    "size above that of mailboxes": (
        "size_limit",
        Severity.WARNING,
        lambda host: host.write_policy(host.policy.read_text().replace("1000000", "90000000")),
    ),
    "recipients": (
        "recipient_limit",
        Severity.WARNING,
        lambda host: host.postconf("-P", "submission/inet/smtpd_recipient_limit=49"),
    ),
    "short queue IDs": (
        "short_queue_ids",
        Severity.WARNING,
        lambda host: host.postconf("-X", "enable_long_queue_ids"),
    ),
}
"""What is done to a sound host, which check finds it, and how bad it is."""


@pytest.mark.parametrize(("check", "severity", "provoke"), PROVOKED.values(), ids=PROVOKED)
def test_what_is_found_is_mended_by_its_command(host: Host, check: str, severity: Severity, provoke: Provoke) -> None:
    """Nothing else is amiss meanwhile but what follows from it, and nothing at all afterwards."""
    provoke(host)
    found = host.findings()
    told = [finding.severity for finding in found[check]]
    for finding in (finding for findings in found.values() for finding in findings):
        host.shell(finding.command + (" --yes" if " setup " in finding.command else ""))

    assert told == [severity]
    assert host.findings() == {}


def test_a_milter_that_was_there_stays_as_it_was(host: Host) -> None:
    """An editor writes blanks into an option, where postconf takes none."""
    host.postconf("-PX", "submission/inet/smtpd_milters")
    file = host.postfix / "master.cf"
    option = "-o { smtpd_milters = { unix:x/s default_action=accept } }"
    file.write_text(re.sub(r"^(submission +inet .*)$", rf"\1\n  {option}", file.read_text(), flags=re.MULTILINE))
    (finding,) = host.findings()["milter_missing"]
    host.shell(finding.command)
    now = host.postconf("-Ph", "submission/inet/smtpd_milters").strip()

    assert now == "$franking_milters,{unix:x/s,default_action=accept}"
    assert host.findings() == {}


@pytest.mark.parametrize(
    "option",
    ["content_filter=", "receive_override_options=no_header_body_checks,no_milters"],
)
def test_the_port_that_takes_mail_back_from_a_filter_is_no_endpoint(host: Host, option: str) -> None:
    """Commands for an endpoint would have it judge mail a second time, without a login, and refuse all of it."""
    return_port(host, option)

    assert host.findings() == {}


def test_each_check_says_what_it_is() -> None:
    """Programs know checks by their names."""
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS)
    assert all(check.__doc__ for check in CHECKS)


def test_a_postfix_that_was_never_set_up_is_told_all_of_it(host: Host, pair: tuple[Path, Path]) -> None:
    """One command mends it all, once it has its certificate."""
    host.shell(f"franking setup postfix --undo --yes --config-dir {host.postfix}")
    found = host.findings()
    (finding,) = found["no_endpoint"]
    cert, key = map(str, pair)
    host.shell(finding.command.replace("--cert FILE --key FILE", f"--cert {cert} --key {key} --yes"))

    assert set(found) == {"no_endpoint", "no_certificate", "bare_newline", "nul", "short_queue_ids"}
    assert host.findings() == {}


def test_an_old_postfix_with_a_policy_service_is_told(host: Host) -> None:
    """Without one, its age does not matter here."""
    host.postconf("-e", "mail_version = 3.7.10")
    without = host.findings()
    host.postconf("-e", "smtpd_data_restrictions = check_policy_service unix:private/policy")
    found = host.findings()
    host.postconf("-X", "mail_version")

    assert without == {}
    assert [finding.command for finding in found["prepended_fields"]] == ["apt-get install --only-upgrade postfix"]
    assert host.findings() == {}


def test_a_socket_outside_of_the_chroot_is_told(host: Host) -> None:
    """The command takes the services out of it; the other way is another socket."""
    config = host.directory / "config.yaml"
    outside = host.directory / "outside.sock"
    config.write_text(config.read_text().replace(str(host.queue / "franking" / "milter.sock"), str(outside)))
    host.postconf("-e", f"franking_milters = {{ unix:{outside}, default_action=tempfail }}")
    found = host.findings()["socket_elsewhere"]
    for finding in found:
        host.shell(finding.command)

    assert [finding.where for finding in found] == ["submission/inet", "submissions/inet"]
    assert "socket_elsewhere" not in host.findings()


@pytest.mark.parametrize("part", ["queue/franking", "queue", "queue/franking/milter.sock"])
def test_permissions_that_keep_postfix_out_are_told(host: Host, part: str) -> None:
    """Those of the socket's directory, of one above it, and of the socket itself."""
    path = host.directory / part
    mode, group = path.stat().st_mode & 0o7777, path.stat().st_gid
    os.chown(path, -1, 0)
    path.chmod(0o700)
    found = host.findings()["socket_closed"]
    for finding in found:
        host.shell(finding.command)
    after = host.findings()
    os.chown(path, -1, group)
    path.chmod(mode)

    assert [str(path) in finding.text for finding in found] == [True]
    assert after == {}


@pytest.mark.parametrize(
    ("check", "provoke"),
    [
        ("redis_forgets", "config set appendonly no"),
        ("redis_evicts", "config set maxmemory-policy allkeys-lru"),
    ],
)
def test_redis_that_forgets_is_told(host: Host, check: str, provoke: str) -> None:
    """On disk nothing, or in memory not for long."""
    host.shell(f"redis-cli -s {host.redis_socket} config set save ''")
    host.shell(f"redis-cli -s {host.redis_socket} {provoke}")
    found = host.findings()
    for finding in found[check]:
        host.shell(finding.command)

    assert [*found] == [check]
    assert host.findings() == {}


def test_a_clock_that_is_off_is_told(host: Host) -> None:
    """In either direction; what the network takes is allowed for."""
    ahead = host.findings(lambda: time.time() + 3600)["clock_off"]
    behind = host.findings(lambda: time.time() - 60)["clock_off"]

    assert "3600 s ahead of that of Redis" in ahead[0].text
    assert "60 s behind that of Redis" in behind[0].text
    assert host.findings(lambda: time.time() + 1) == {}


def test_block_lists_behind_logins_are_no_finding(host: Host) -> None:
    """Who has logged in is through before them."""
    host.postconf("-PX", "submission/inet/smtpd_client_restrictions")
    host.postconf("-e", "smtpd_client_restrictions = permit_sasl_authenticated, reject_rbl_client bl.example")

    assert host.findings() == {}


@pytest.mark.parametrize(
    "listed",
    [
        "check_sasl_access,inline:{acme-app=OK},reject",
        "permit_sasl_authenticated,reject",
        "reject_unknown_recipient_domain",
        "warn_if_reject,reject_unauth_destination",
    ],
)
def test_restrictions_of_an_endpoint_s_own_that_may_admit_are_no_finding(host: Host, listed: str) -> None:
    """Only what refuses each client, whoever it is, is surely not meant."""
    host.postconf("-P", f"submission/inet/smtpd_recipient_restrictions={listed}")

    assert host.findings() == {}


def test_every_check_is_provoked_here() -> None:
    """By the table above, or in a test beside it that names it."""
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert [check.__name__ for check in CHECKS if f'"{check.__name__}"' not in source] == []


def test_errors_come_first_and_are_counted(host: Host) -> None:
    """The exit status says that there is something."""
    host.postconf("-X", "enable_long_queue_ids")
    host.postconf("-P", "submission/inet/smtpd_milters=")
    done = host.doctor()

    assert done.returncode == 1
    assert done.stdout == (
        "error: submission/inet: mail that is submitted here is not judged [milter_missing]\n"
        f"    postconf -c {host.postfix} -P 'submission/inet/smtpd_milters=$franking_milters,$franking_signers'\n"
        "warning: queue IDs are short, come again, and then name two messages [short_queue_ids]\n"
        f"    postconf -c {host.postfix} -e 'enable_long_queue_ids = yes'\n"
        "1 error, 1 warning; after the commands: postfix reload\n"
    )
    assert [one["check"] for one in json.loads(host.doctor("--json").stdout)["findings"]] == [
        "milter_missing",
        "short_queue_ids",
    ]


def test_nothing_is_changed(host: Host) -> None:
    """Not a file, whatever there is to say."""
    host.postconf("-X", "enable_long_queue_ids")
    watched = [path for path in (host.directory / "postfix").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in watched}
    host.doctor()

    assert {path: path.read_bytes() for path in watched} == before
