"""Mistakes in what is configured of LDAP: told by `franking check` and at the start, and held against no server."""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ldap3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ldap3.operation.search import search_operation

from franking.cli import main
from franking.directory.filters import filled
from franking.directory.servers import Servers
from franking.directory.settings import DIRECTORY, FILTER, settings_of
from franking.directory.trial import problems
from franking.ledger import Unavailable
from franking_policy.model import Policy
from franking_policy.shapes import read

Open = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]
Check = Callable[[str], tuple[int, str]]

ADMIN = "cn=admin,dc=provider,dc=example"


@pytest.fixture
def check(tmp_path: Path, capsys: Any) -> Check:
    """Return a function that adds a line about LDAP to a configuration; it returns what `franking check` does."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.yaml").write_text("version: 1\n")
    file = tmp_path / "config.yaml"

    def run(line: str) -> tuple[int, str]:
        ldap = f"    servers: [ldap://ldap.example]\n    base: dc=example\n    {line}\n"
        file.write_text(f"policy: policy\ndirectory:\n  ldap:\n{ldap}")
        status = main(["check", "--config", str(file)])
        return status, capsys.readouterr().out.replace(f"{file}:", "")

    return run


HINT = "(write a condition as `(attribute=value)`, several as `(&(...)(...))`)"
MALFORMED = {
    "(&(uid={login})(objectClass))": ("invalid matching assertion (did you mean `(&(uid={login})(objectClass=*))`?)"),
    "(uid={login})(mail=*)": "missing boolean operator in filter (did you mean `(&(uid={login})(mail=*))`?)",
    "((uid={login}))": "malformed filter (did you mean `(uid={login})`?)",
    "(&(uid={login})(!(a=b)(c=d)))": f"NOT (!) clause in filter cannot be multiple {HINT}",
    "(&(uid={login})())": f"malformed filter {HINT}",
    "(uid={login})))(((a=b)": f"malformed filter {HINT}",
    "(&(uid={login})(::=x))": f"invalid extensible filter {HINT}",
    "(&(uid={login})(a b=c))": f"`a b` is no attribute {HINT}",
    "(|(uid={login})(*=c))": f"`*` is no attribute {HINT}",
    "(!(|(uid={login})(=c)))": f"`` is no attribute {HINT}",
}


@pytest.mark.parametrize("written", MALFORMED)
def test_a_filter_that_could_not_be_sent_is_told_with_its_place(check: Check, written: str) -> None:
    """And with what was probably meant."""
    status, told = check(f"filter: '{written}'")

    place, _, message = told.splitlines()[0].partition(" ")
    assert (status, place) == (78, "6:13:")
    assert message == f"`filter` must be a filter as in RFC 4515, not `{written}`: {MALFORMED[written]}"


def test_the_filter_for_accounts_is_tried_too(check: Check) -> None:
    """With the name that it has."""
    status, told = check("account_filter: '(&(o={account})(objectClass))'")

    assert status == 78
    assert told.startswith("6:21: `account_filter` must be a filter")


@pytest.mark.parametrize(
    "written",
    [
        FILTER,
        "(&(objectClass=inetOrgPerson)(uid={login}))",
        "(|(uid={login})(mail={login}@provider.example))",
        "(& (uid={login}) (!(status=off)) (|(a>=1)(b<=2)(c~=d)(e=*f*)) )",
        "(&(uid={login})(2.5.4.3=x)(mail;x-role=*))",
        "(uid:caseExactMatch:={login})",
        "(&(uid={login})(memberOf:1.2.840.113556.1.4.1941:=cn=mail,dc=example)(:dn:2.5.13.5:=x))",
        r"(&(uid={login})(cn=\28a\29))",
    ],
)
def test_a_sound_filter_is_taken(check: Check, written: str) -> None:
    """RFC 4515."""
    status, told = check(f"filter: '{written}'")

    assert (status, "no problems" in told) == (0, True)


WRITTEN = settings_of(read("a.yaml", b"ldap: {servers: [ldap://a.example], base: o=a}", DIRECTORY, "a")[0], Path())
PIECES = ["(", ")", "&", "|", "!", "=", "*", ":", ";", "\\", " ", "a", "uid={login}", "(a=b)", "objectClass", "é", "\n"]


REST: dict[str, Any] = {"types_only": False, "auto_escape": True, "auto_encode": None}
"""As `Connection.search` has them."""


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@example("(uid={login})))(((a=b)")
def test_what_is_taken_can_be_sent_and_what_cannot_is_told(written: str) -> None:
    """Whatever ldap3 makes of a filter: it is sound, or one problem."""
    assert WRITTEN
    settings = replace(WRITTEN, filter=written)
    found = list(problems(settings))

    assert len(found) <= 1
    if not found:
        for login in ("acme-app", "*)(é\\"):
            sent = filled(written, "{login}", login)
            search_operation("o=a", sent, ldap3.SUBTREE, ldap3.DEREF_NEVER, ["uid"], 1, 1, **REST)


@pytest.mark.parametrize("name", ["''", "' '", "(", "'*'", "a b", "uid;lang-en", "'uid,cn'", "~"])
def test_an_attribute_that_cannot_be_is_told(check: Check, name: str) -> None:
    """Before it is asked for."""
    status, told = check(f"attributes: {{login: {name} }}")

    assert status == 78
    assert told.startswith("6:25: `login` must be an attribute type: a name such as `uid`, or an OID, not ")


FILES = {
    b"": "that of `{file}` is empty",
    b"\nsecret\n": "that of `{file}` is empty",
    b"s\xe9cret\n": "`{file}` is not UTF-8",
    b"sec\x07ret\n": "that of `{file}` is none: SASLprep error: ASCII control character present",
}


@pytest.mark.parametrize("content", FILES)
def test_a_password_file_that_holds_none_is_told(check: Check, tmp_path: Path, content: bytes) -> None:
    """By its key, its name and the reason."""
    (tmp_path / "password").write_bytes(content)
    status, told = check("bind_dn: cn=a\n    password_file: password")

    expected = "7:20: `password_file` must name a file with a password on its first line: "
    assert (status, told.splitlines()[0]) == (78, expected + FILES[content].format(file=tmp_path / "password"))


@pytest.mark.parametrize(("name", "reason"), [("policy", "Is a directory"), ("nowhere", "No such file or directory")])
@pytest.mark.parametrize("key", ["password_file", "ca_file"])
def test_a_file_that_cannot_be_read_is_told(check: Check, tmp_path: Path, key: str, name: str, reason: str) -> None:
    """Likewise."""
    status, told = check(f"{key}: {name}")

    assert status == 78
    assert f"`{key}` must name a file " in told
    assert f": cannot read `{tmp_path / name}`: {reason}\n" in told


def test_a_file_of_certificates_without_any_is_told(check: Check, tmp_path: Path) -> None:
    """Such as that of the key."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
    status, told = check("ca_file: ca.pem")

    message = f"6:14: `ca_file` must name a file of certificates in PEM: `{tmp_path / 'ca.pem'}` holds none"
    assert (status, told.splitlines()[0]) == (78, message)


def test_all_mistakes_are_told_at_once(check: Check) -> None:
    """As everywhere."""
    _, told = check("filter: '((uid={login}))'\n    password_file: nowhere\n    ca_file: nowhere")

    assert [line.partition(" ")[0] for line in told.splitlines()] == ["4:5:", "6:13:", "7:20:", "8:14:", "4"]


def test_a_password_that_is_gone_is_held_against_no_server(
    slapd: Any, open_directory: Open, policy: Policy, tmp_path: Path, caplog: Any
) -> None:
    """Logins are put off with the file's name, and looked up as soon as it is mended: no server was left alone."""
    caplog.set_level(logging.WARNING)
    file = tmp_path / "password"
    file.write_text("secret\n")
    directory = open_directory(slapd, bind_dn=ADMIN, password_file=file)
    file.write_text("")
    with pytest.raises(Unavailable, match=f"`password_file` must name .* that of `{file}` is empty"):
        directory.policy_for(policy, "acme-app")
    file.write_text("secret\n")

    assert directory.policy_for(policy, "acme-app").logins["acme-app"].name == "acme"
    assert caplog.text == ""


def test_a_filter_that_ldap3_refuses_is_held_against_no_server(slapd: Any, open_directory: Open, caplog: Any) -> None:
    """Should one come that far."""
    caplog.set_level(logging.WARNING)
    servers: Servers = open_directory(slapd)._servers  # noqa: SLF001  # nobody else can be given such a filter
    with pytest.raises(Unavailable, match="invalid matching assertion"):
        servers.search("(&(uid=a)(objectClass))")

    assert servers.answer
    assert caplog.text == ""


def test_a_worker_begins_while_the_password_is_written_anew(daemon: Any, slapd: Any, eventually: Eventually) -> None:
    """Only logins in LDAP are put off."""
    password = daemon.directory / "password"
    password.write_text("secret\n")
    who = f"bind_dn: '{ADMIN}', password_file: password"
    base = "ou=mail,dc=provider,dc=example"
    ldap = f"{{ldap: {{servers: ['{slapd.url}'], starttls: false, base: '{base}', {who}}}}}"
    daemon.configure(workers=1, directory=ldap)
    daemon.start()
    eventually(lambda: bool(daemon.workers()))
    (first,) = daemon.workers()
    password.write_text("")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: daemon.workers() not in ([], [first]))
    session = daemon.session()

    assert session.mail("acme-app")[0] == b"c"
    assert session.mail("ona")[1].startswith(b"451 4.3.0")
    assert f"that of `{password}` is empty" in daemon.log
    password.write_text("secret\n")
    assert session.mail("ona")[0] == b"c"
