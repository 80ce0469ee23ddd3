"""Which versions of TLS a value of `smtpd_tls_protocols` and its like lets in."""

import re

VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""From the oldest on, as Postfix writes them."""

OLDEST_SOUND = "TLSv1.2"
"""RFC 8996 deprecates what is older."""


def outdated(value: str) -> list[str]:
    """Return the versions below 1.2 that ``value`` lets in; see postconf(5) for its syntax.

    >>> outdated(">=TLSv1.2"), outdated("!SSLv2, !SSLv3"), outdated("TLSv1.1:TLSv1.2"), outdated("")
    ([], ['TLSv1', 'TLSv1.1'], ['TLSv1.1'], ['SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1'])
    """
    words = re.findall(r"(>=|<=|!)?\s*([\w.]+)", value)
    least = max((_number(version) for sign, version in words if sign == ">="), default=0)
    most = min((_number(version) for sign, version in words if sign == "<="), default=len(VERSIONS) - 1)
    listed = {_number(version) for sign, version in words if not sign}
    excluded = {_number(version) for sign, version in words if sign == "!"}
    admitted = {*range(least, most + 1)} & (listed or {*range(len(VERSIONS))}) - excluded
    return [VERSIONS[number] for number in sorted(admitted) if number < VERSIONS.index(OLDEST_SOUND)]


def _number(version: str) -> int:
    known = [one.lower() for one in VERSIONS]
    return known.index(version.lower()) if version.lower() in known else 0
