"""`franking setup postfix` where something of the site's own would keep mail from Franking, or from its way out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from configurations import contents, postconf
from franking.cli.main import main

Setup = Callable[..., int]

OVERRIDE = "receive_override_options"


@pytest.fixture
def own_endpoint(postfix: Path) -> Path:
    """Have a submission service that is there already."""
    postconf(postfix, "-M", "submission/inet=submission inet n - n - - smtpd")
    return postfix


@pytest.mark.parametrize(
    ("there", "becomes"),
    [
        ("no_milters,no_address_mappings", "no_address_mappings"),
        ("no_address_mappings,no_milters,no_header_body_checks", "no_address_mappings,no_header_body_checks"),
        ("no_milters", ""),
        ("$theirs", "no_header_body_checks"),
    ],
)
def test_an_endpoint_that_asks_no_milter_is_made_to(
    own_endpoint: Path, setup: Setup, capsys: pytest.CaptureFixture[str], there: str, becomes: str
) -> None:
    """What else it overrides stays; the diff shows it, doing it again changes nothing, and undo takes it back."""
    postconf(own_endpoint, "-e", "theirs = no_milters no_header_body_checks")
    postconf(own_endpoint, "-P", f"submission/inet/{OVERRIDE}={there}")
    before = contents(own_endpoint)
    capsys.readouterr()

    assert setup("--yes") == 0
    assert f"\n+    -o {OVERRIDE}={becomes}\n" in capsys.readouterr().out
    assert postconf(own_endpoint, "-P", f"submission/inet/{OVERRIDE}").strip() == (
        f"submission/inet/{OVERRIDE} = {becomes}".strip()
    )
    assert postconf(own_endpoint, "-P", f"submissions/inet/{OVERRIDE}") == ""
    assert setup("--yes") == 0
    assert capsys.readouterr().out == f"nothing to change in {own_endpoint}\n"
    assert main(["setup", "postfix", "--config-dir", str(own_endpoint), "--undo", "--yes"]) == 0
    assert contents(own_endpoint) == before


def test_what_main_cf_keeps_from_milters_is_judged_at_the_endpoints(postfix: Path, setup: Setup) -> None:
    """All of them, and nowhere else: main.cf says it for other services too."""
    postconf(postfix, "-e", f"{OVERRIDE} = no_unknown_recipient_checks, no_milters")
    setup("--yes", "--with", "streams")

    assert postconf(postfix, "-h", OVERRIDE).strip() == "no_unknown_recipient_checks, no_milters"
    assert {line for line in postconf(postfix, "-P").splitlines() if OVERRIDE in line} == {
        f"{name}/inet/{OVERRIDE} = no_unknown_recipient_checks"
        for name in ("submission", "submissions", "2587", "2465")
    }


def test_what_keeps_nothing_from_milters_stays(own_endpoint: Path, setup: Setup) -> None:
    """Before a content filter addresses are not mapped."""
    postconf(own_endpoint, "-P", f"submission/inet/{OVERRIDE}=no_address_mappings")
    postconf(own_endpoint, "-e", f"{OVERRIDE} = no_header_body_checks")
    setup("--yes")

    assert [line for line in postconf(own_endpoint, "-P").splitlines() if OVERRIDE in line] == [
        f"submission/inet/{OVERRIDE} = no_address_mappings"
    ]


@pytest.mark.parametrize(
    ("there", "becomes"),
    [
        ("", "regexp:$config_directory/franking_streams"),
        ("regexp:/etc/postfix/mhc", "regexp:/etc/postfix/mhc, regexp:$config_directory/franking_streams"),
        ("pcre:/etc/postfix/franking_streams", "pcre:/etc/postfix/franking_streams"),
    ],
)
def test_checks_of_milters_headers_come_before_those_that_route_streams(
    postfix: Path, setup: Setup, there: str, becomes: str
) -> None:
    """A site's own are in front, as with header_checks; without streams they are nobody's business."""
    postconf(postfix, "-e", f"milter_header_checks = {there}")
    setup("--yes")
    before = postconf(postfix, "-h", "milter_header_checks").strip()
    setup("--yes", "--with", "streams")
    first = postconf(postfix, "-h", "milter_header_checks").strip()
    setup("--yes", "--with", "streams")

    assert before == there
    assert first == becomes
    assert postconf(postfix, "-h", "milter_header_checks").strip() == becomes
