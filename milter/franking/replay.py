"""What comes of judging recorded messages anew: who would be refused, how often, and for what. Bounded in memory."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from franking_policy.model import Policy
from franking_policy.record import Record
from franking_policy.replay import not_judged, rejudge
from franking_policy.verdict import Refusal

EXAMPLES = 3
"""Messages that are named of each account and check."""


@dataclass(slots=True)
class Finding:
    """What one check would refuse of one account."""

    messages: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    """Queue ID and text of the reply, of the first few."""

    def add(self, queue_id: str, refusal: Refusal) -> None:
        """Count one more message."""
        self.messages += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((queue_id, refusal.text))


@dataclass(slots=True)
class Replay:
    """Compares the policy that is in force with another."""

    now: Policy
    other: Policy
    policy_for: Callable[[Policy, str], Policy] | None = None
    """Finds the account of a login that a policy does not list, if there is a directory of them."""
    accounts: Counter[str] = field(default_factory=Counter)
    """Messages of each account that were looked at."""
    newly_refused: int = 0
    """Messages."""
    refused_by_both: int = 0
    """Messages that were accepted when they came, and would not be now, whichever policy is in force."""
    discarded: int = 0
    """Messages that nobody got when they came: what another policy would refuse of them is no news."""
    not_judged: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Messages for which settings differ that their records cannot be judged for, by the keys of these."""
    refused: dict[tuple[str, str], Finding] = field(default_factory=dict)
    """By account and check; a message may be refused for several."""

    @property
    def messages(self) -> int:
        """Return how many messages were looked at."""
        return self.accounts.total()

    @property
    def safe(self) -> bool:
        """Tell whether nothing newly refused was found, nor anything that could not be looked for."""
        return not self.refused and not self.not_judged

    def add(self, record: Record) -> None:
        """Judge one message by both."""
        if record.verdict != "accepted":
            self.discarded += 1
            return
        self.accounts[record.account] += 1
        now, other = self._policy(self.now, record), self._policy(self.other, record)
        keys = not_judged(now, other, record)
        if keys:
            self.not_judged[keys] += 1
        refusals = rejudge(other, record, keys)
        if not refusals:
            return
        if rejudge(now, record, keys):
            self.refused_by_both += 1
            return
        self.newly_refused += 1
        for check, refusal in {refusal.check: refusal for refusal in refusals}.items():
            self.refused.setdefault((record.account, check), Finding()).add(record.queue_id, refusal)

    def _policy(self, policy: Policy, record: Record) -> Policy:
        """Return the policy that knows the login of ``record``."""
        return self.policy_for(policy, record.login) if self.policy_for else policy
