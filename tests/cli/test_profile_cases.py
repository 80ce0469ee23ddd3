"""What applications send that were written for a provider, judged by its profile: cases that postmasters get too."""

from pathlib import Path

import pytest

from franking.cases import read_cases
from franking.cli.main import main
from franking_policy.load import load_directory
from franking_policy.profiles import shipped

CONTRIB = Path(__file__).parents[2] / "contrib"
FOREIGN = sorted(path.name.removesuffix(".yaml") for path in (CONTRIB / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("profile", sorted(shipped()))
def test_a_shipped_profile_does_what_its_cases_say(profile: str) -> None:
    """At least 25 a provider."""
    file = CONTRIB / "policy-tests" / f"{profile}.test.yaml"

    assert len(read_cases(file).cases) >= 25
    assert main(["test", str(file)]) == 0


@pytest.mark.parametrize("name", FOREIGN)
def test_a_profile_of_another_provider_does_what_its_cases_say(name: str) -> None:
    """The examples in docs/profiles.md, written in the policy language alone."""
    file = CONTRIB / "policy-tests" / f"{name}.test.yaml"

    assert len(read_cases(file).cases) >= 8
    assert main(["test", str(file)]) == 0


def test_the_three_examples_are_there() -> None:
    """None of them is a profile that the engine comes with."""
    assert FOREIGN == ["mailgun-like", "sendgrid-like", "ses-like"]
    assert not {*FOREIGN} & {*shipped()}


def test_every_profile_has_an_account_in_the_cases() -> None:
    """So that no shipped profile is left without cases."""
    policy = load_directory(CONTRIB / "policy-tests" / "profiles")

    assert {account.profile.value for account in policy.accounts.values()} == {*shipped()}
