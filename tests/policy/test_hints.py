"""What a sound policy is warned of."""

import pytest

from franking_policy.load import load

ACCOUNTS = "accounts: {acme: {domains: [acme.example], logins: {app: {}}}}"
OWNER = "accounts: {a: {domains: [a.example], logins: {l: {}}"


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (ACCOUNTS, []),
        ("defaults: {}", ["1:1: the policy has no account: everybody is refused"]),
        (
            "accounts: {acme: {domains: [acme.example]}}",
            ["2:12: account `acme` has no login and no network: nobody can send for it"],
        ),
        (f"{OWNER}, streams: {{news: {{}}}}}}}}", ["2:65: no login sends by stream `news`"]),
        (
            f"{OWNER}, networks: [0.0.0.0/0]}}}}",
            ["2:66: network `0.0.0.0/0` is everybody: any client may send for account `a`"],
        ),
        (
            f"{ACCOUNTS}\ndefaults: {{checks: {{from_domain: report, to: off}}}}",
            ["3:34: `from_domain: report` lets mail pass in anybody's name"],
        ),
        (f"{ACCOUNTS}\nprofiles: {{p: {{}}, franking: {{}}}}", ["3:12: no account has profile `p`"]),
        (
            f"{ACCOUNTS}\ndefaults: {{headers: {{keep: [X-A]}}}}",
            [
                (
                    "3:28: `keep` begins the list anew, and In-Reply-To is not on it: replies lose their thread "
                    "(did you mean `add`?)"
                ),
            ],
        ),
        (f"{ACCOUNTS}\ndefaults: {{headers: {{keep: ['In-*']}}}}", []),
        (
            (
                "accounts:\n"
                "  a: {domains: [{name: x.example, subdomains: true}], logins: {l: {}}}\n"
                "  b: {domains: [y.x.example], logins: {m: {}}}"
            ),
            ["4:17: account `a` may send from `y.x.example` too: it has `x.example` and all below it at a.yaml:3:24"],
        ),
    ],
)
def test_what_is_hardly_meant_is_told(text: str, warnings: list[str]) -> None:
    """With its place; the policy loads all the same."""
    policy = load([("a.yaml", f"version: 1\n{text}\n".encode())])

    assert [str(warning) for warning in policy.warnings] == [f"a.yaml:{warning}" for warning in warnings]
