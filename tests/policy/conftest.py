"""An account to judge by, and messages to be judged."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from franking_policy.admit import admit
from franking_policy.load import load
from franking_policy.message import Field, Message
from franking_policy.model import Account, Policy

POLICY = b"""\
version: 1
accounts:
  acme:
    timezone: Europe/Vilnius
    domains:
      - acme.example
      - {name: shop.example, subdomains: true}
      - b\xc3\xbccher.example
    quotas:
      - {messages: 3, per: day}
    headers:
      add: [X-Mailer, X-Acme-*]
    logins:
      acme-app: {}
      acme-news: {tags_per_message: 2}
    networks: [192.0.2.0/24, "2001:db8::/32"]
"""

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Return a policy of one account with all that an account can have."""
    return load([("acme.yaml", POLICY)])


@pytest.fixture(scope="session")
def acme(policy: Policy) -> Account:
    """Return the account as its login `acme-app` sees it."""
    return policy.logins["acme-app"]


@pytest.fixture(scope="session")
def message() -> MakeMessage:
    """Make a message that passes every check, but for the fields given: `From=`, `X_Tags=`; None leaves one out.

    ``extra`` are further fields, as pairs of name and value.
    """

    def make(extra: list[tuple[str, str | bytes]] | None = None, **changed: str | bytes | None) -> Message:
        fields: dict[str, str | bytes | None] = {
            "From": "Acme <news@acme.example>",
            "To": "someone@example.org",
            "Subject": "Hello",
            "Date": "Fri, 20 Nov 2026 10:00:00 +0000",
            "Message-ID": "<1@acme.example>",
        }
        fields.update({name.replace("_", "-"): value for name, value in changed.items()})
        pairs = [*((name, value) for name, value in fields.items() if value is not None), *(extra or [])]
        return Message(
            queue_id="4jW7Ng5yYPzJTyM",
            sasl_username="acme-app",
            client_address="192.0.2.7",
            sender="bounce@acme.example",
            recipients=("someone@example.org",),
            fields=tuple(Field(name, _octets(value)) for name, value in pairs),
            size=1234,
            received=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
            token="0123456789abcdef",
        )

    return make


def _octets(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


@pytest.fixture(scope="session")
def account() -> MakeAccount:
    """Make an account of the settings given, one line of YAML each, as its one login sees it at an endpoint.

    ``login`` is what the login has of its own, ``top`` what stands beside the accounts.
    """

    def make(*settings: str, login: str = "{}", top: str = "", endpoint: str = "") -> Account:
        lines = "".join(f"    {line}\n" for line in ("domains: [acme.example]", f"logins: {{app: {login}}}", *settings))
        policy = load([("a.yaml", f"version: 1\n{top}\naccounts:\n  acme:\n{lines}".encode())])
        admitted = admit(policy, "app", "192.0.2.7", endpoint)
        assert isinstance(admitted, Account), admitted
        return admitted

    return make
