"""Which values of a site's own stay: what is as wanted or stricter, and what is the site's choice.

Each rule is told what is wanted and what the site has written, and says whether that stays.
"""

import re
from collections.abc import Callable

from franking.milters import milters, named, words
from franking.tls import outdated

Rule = Callable[[str, str], bool]

SAFE_ACTIONS = {"tempfail"}
"""What may become of mail that nobody judged."""


def _same(wanted: str, there: str) -> bool:
    return re.split(r"[\s,]+", there.strip(" ,")) == re.split(r"[\s,]+", wanted.strip(" ,"))


def _any(_wanted: str, _there: str) -> bool:
    return True


def _any_unless_wanted(wanted: str, there: str) -> bool:
    return there != "" or not wanted


def _any_but_nothing(_wanted: str, there: str) -> bool:
    return there != ""


def _waits(_wanted: str, there: str) -> bool:
    return bool(there) and all(milter.default_action in SAFE_ACTIONS for milter in milters(there))


def _asks_franking(_wanted: str, there: str) -> bool:
    return "franking_milters" in map(named, words(there))


def _routes_streams(_wanted: str, there: str) -> bool:
    return "franking_streams" in there


def _no_newline(_wanted: str, there: str) -> bool:
    return there in {"yes", "normalize", "reject"}


def rejects_nul(there: str) -> bool:
    r"""Tell whether message_reject_characters has the NUL among its characters, octal as in C.

    >>> rejects_nul(r"\7\0"), rejects_nul(r"\000"), rejects_nul(r"\012\001"), rejects_nul(r"\\0")
    (True, True, False, False)
    """
    return any(re.fullmatch("0+", one) for one in re.findall(r"\\([0-7]{1,3}|.)", there))


def _no_nul(_wanted: str, there: str) -> bool:
    return rejects_nul(there)


def _sound_tls(_wanted: str, there: str) -> bool:
    return not outdated(there)


def _refuses_the_rest(_wanted: str, there: str) -> bool:
    return words(there)[-1:] == ["reject"] and "permit" not in words(there)


def _at_most(wanted: str, there: str) -> bool:
    return there.isdecimal() and 0 < int(there) <= int(wanted)


RULES: dict[str, Rule] = {
    "franking_milters": _waits,
    "franking_signers": _any_unless_wanted,
    "franking_header_checks": _any_but_nothing,
    "smtpd_forbid_bare_newline": _no_newline,
    "message_reject_characters": _no_nul,
    "smtpd_tls_mandatory_protocols": _sound_tls,
    "smtpd_tls_protocols": _sound_tls,
    "syslog_name": _any,
    "milter_macro_daemon_name": _any,
    "smtpd_milters": _asks_franking,
    "smtpd_sasl_type": _any,
    "smtpd_sasl_path": _any,
    "smtpd_relay_restrictions": _refuses_the_rest,
    **{f"smtpd_{stage}_restrictions": _any for stage in ("client", "helo", "sender", "recipient")},
    "smtpd_soft_error_limit": _any,
    "smtpd_hard_error_limit": _any,
    "smtpd_client_connection_count_limit": _at_most,
    "smtpd_client_connection_rate_limit": _at_most,
    "smtpd_client_auth_rate_limit": _at_most,
    "smtpd_client_new_tls_session_rate_limit": _at_most,
    "cleanup_service_name": _any,
    "milter_header_checks": _routes_streams,
}
"""By parameter; one that is not here must be as wanted."""

KEPT_FOR_ALL = (
    *("smtpd_milters", "cleanup_service_name", "smtpd_sasl_type", "smtpd_sasl_path"),
    *(name for name, rule in RULES.items() if rule is _at_most),
)
"""Options of a service that are not set where main.cf sets them in a way that stays."""


def stays(name: str, wanted: str, there: str) -> bool:
    """Tell whether a site's value of a parameter stays."""
    return RULES.get(name, _same)(wanted, there)
