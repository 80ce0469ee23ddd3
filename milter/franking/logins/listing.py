"""The logins that Dovecot knows beside those that the policy lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from franking.logins.logins import Kind, Stored
from franking_policy.model import Account


@dataclass(frozen=True, slots=True)
class Row:
    """A login, and who knows it."""

    name: str
    account: str
    """By the policy or, where that does not list the login, the one it was made for."""
    stream: str
    """The stream that the policy binds it to, empty if none."""
    kind: Kind | None
    """None if Dovecot's files do not have it."""
    disabled: bool
    in_policy: bool
    made_for: str
    """The account it was made for, empty if that is not written down."""
    fault: str = ""
    """Why it cannot be told whose it is, empty if it can."""

    @property
    def remarks(self) -> list[str]:
        """Return what a postmaster should know of it."""
        found = {
            "disabled": self.disabled,
            "not in the policy": not self.in_policy and not self.fault,
            "no secret here": self.kind is None,
            f"refused for now: {self.fault}": bool(self.fault),
            f"made for account {self.made_for}": bool(self.made_for) and self.made_for != self.account,
        }
        return [remark for remark, holds in found.items() if holds]


def rows(logins: Iterable[Stored], views: Mapping[str, Account], faults: Mapping[str, str]) -> list[Row]:
    """Return every login of either side, by account and name.

    ``views`` are those of the policy, ``faults`` the mistakes of those that it would have but for them.
    """
    here = [_row(login.name, login, views.get(login.name), faults.get(login.name, "")) for login in logins]
    known = {row.name for row in here}
    missing = [_row(name, None, view, "") for name, view in views.items() if name not in known]
    return sorted([*here, *missing], key=lambda row: (row.account, row.name))


def _row(name: str, login: Stored | None, view: Account | None, fault: str) -> Row:
    made_for = login.account if login else ""
    return Row(
        name=name,
        account=view.name if view else made_for,
        stream=view.stream if view and view.bound else "",
        kind=login.kind if login else None,
        disabled=bool(login and login.disabled),
        in_policy=view is not None,
        made_for=made_for,
        fault=fault,
    )
