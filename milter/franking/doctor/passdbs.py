"""Whether Dovecot reads the files of `franking login`, tokens before all else, and looks a token up as it is sent."""

import re
from collections.abc import Iterator
from itertools import takewhile

from franking.doctor.dovecot_change import earlier, with_example, with_settings
from franking.doctor.dovecot_conf import dovecot_of, shown
from franking.doctor.finding import Finding, error, warning
from franking.doctor.logins import logins_of, own_files
from franking.doctor.site import Site

TOKENS, PASSWORDS = "05-franking-tokens.conf", "92-franking-passwords.conf"
"""Files of conf.d, as docs/setup.md has them."""

CHANGES_CASE = re.compile(r"%[0-9.]*[A-Z]*[LU]|\b(?:lower|upper)\b")
"""In auth_username_format, of Dovecot 2.3 or of 2.4."""

AS_IT_IS = {"2.3": "%u"}
"""A user name; that of later versions is another."""


def logins_not_read(site: Site) -> Iterator[Finding]:
    """Find files of `franking login` that are in no passdb, so that none of their logins gets in."""
    dovecot = dovecot_of(site)
    if not dovecot or not site.config:
        return
    read = {file.resolve() for file in dovecot.passwd_files}
    for file, name in ((site.config.tokens, TOKENS), (site.config.passwords, PASSWORDS)):
        if file.resolve() not in read and logins_of(file):
            command = with_example(site, dovecot, name, _example(name), file)
            yield error(f"Dovecot does not read {file}, so no login in it gets in", command)


def tokens_shown(site: Site) -> Iterator[Finding]:
    """Find that others are asked before Dovecot looks into the file of tokens, and log who failed: the token."""
    dovecot = dovecot_of(site)
    if not dovecot or not site.config or site.config.tokens not in dovecot.passwd_files:
        return
    tokens = site.config.tokens
    before = takewhile(lambda one: one.file != tokens, dovecot.passdbs)
    if any(one.is_for_all and one.file not in own_files(site) for one in before):
        text = f"Dovecot asks another passdb before {tokens}: tokens are shown to it, and to its log"
        yield warning(text, earlier(site, tokens, TOKENS) or shown(site))


def tokens_in_lower_case(site: Site) -> Iterator[Finding]:
    """Find that Dovecot changes a token before it looks it up, so that no token gets in."""
    dovecot = dovecot_of(site)
    if not dovecot or not site.config or site.config.tokens not in dovecot.passwd_files:
        return
    format_ = dovecot.username_format
    if logins_of(site.config.tokens) and (not format_ or CHANGES_CASE.search(format_)):
        text = f"auth_username_format is {format_ or 'the default'}, which changes a token's case: no token gets in"
        wanted = AS_IT_IS.get(dovecot.version, "%{user}")
        yield error(text, with_settings(site, f"auth_username_format = {wanted}"))


def _example(name: str) -> str:
    return name.rpartition("-")[2]
