"""`franking doctor` reads configuration and policy, and compares them with what is in force."""

from typing import Any

from franking.doctor.finding import Severity

Host = Any
"""What conftest.py makes; its classes cannot be imported."""


def test_problems_of_configuration_and_policy_are_told_with_their_places(host: Host) -> None:
    """As `franking check` tells them."""
    host.policy.write_text("version: 1\naccounts: {acme: {domain: [acme.example]}}\n")
    policy = host.findings()["policy_problem"]
    (host.directory / "config.yaml").write_text("policy: policy\nworker: 1\n")
    config = host.findings()["config_problem"]

    assert "acme.yaml:2:" in policy[0].text
    assert "config.yaml:2:1: " in config[0].text
    assert config[0].command == f"franking check --config {host.directory}/config.yaml"


def test_warnings_of_a_policy_are_told(host: Host) -> None:
    """They are what it was hardly meant to say."""
    before = host.policy.read_text()
    host.write_policy(before + "    checks: {from_domain: report}\n")
    found = host.findings()
    host.write_policy(before)

    assert [finding.severity for finding in found["policy_warning"]][:1] == [Severity.WARNING]
    assert host.findings() == {}


def test_a_policy_that_was_edited_and_not_reloaded_is_told(host: Host) -> None:
    """Customers meet the old one; a file more, or one less, is another policy too."""
    before = host.policy.read_text()
    host.policy.write_text(f"{before}# edited\n")
    edited = host.findings()
    ((finding,),) = edited.values()
    host.shell(finding.command)
    after = host.findings()
    another = host.policy.with_name("other.yaml")
    another.write_text("version: 1\naccounts: {other: {domains: [other.example], logins: {other: {}}}}\n")
    added = host.findings()
    another.unlink()

    assert [*edited] == ["policy_not_in_force"]
    assert {*added} == {"policy_not_in_force", "login_without_secret"}
    assert finding.severity is Severity.WARNING
    assert finding.command.startswith("franking check ")
    assert " && franking reload " in finding.command
    assert after == host.findings() == {}


def test_an_endpoint_that_is_none_of_ours_is_told_with_those_that_there_are(host: Host) -> None:
    """A typing error; the command shows where it is."""
    host.write_policy(f"{host.policy.read_text()}    streams: {{news: {{type: broadcast, endpoints: [submision]}}}}\n")
    found = host.findings()
    (finding,) = found["unknown_endpoint"]
    shown = host.run("sh", "-ec", finding.command).stdout

    assert finding.text.endswith(
        "endpoint `submision`, and no service has that milter_macro_daemon_name: there are `submission`, `submissions`"
    )
    assert shown.startswith(f"{host.policy}:")
