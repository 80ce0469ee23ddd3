"""What comes of judging recorded messages anew: who would be refused, how often, and for what. Bounded in memory."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from franking_policy.model import Policy
from franking_policy.record import Record
from franking_policy.replay import rejudge
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
    refused: dict[tuple[str, str], Finding] = field(default_factory=dict)
    """By account and check; a message may be refused for several."""

    @property
    def messages(self) -> int:
        """Return how many messages were looked at."""
        return self.accounts.total()

    def add(self, record: Record) -> None:
        """Judge one message by both."""
        self.accounts[record.account] += 1
        refusals = self._judged(self.other, record)
        if not refusals:
            return
        if self._judged(self.now, record):
            self.refused_by_both += 1
            return
        self.newly_refused += 1
        for check, refusal in {refusal.check: refusal for refusal in refusals}.items():
            self.refused.setdefault((record.account, check), Finding()).add(record.queue_id, refusal)

    def _judged(self, policy: Policy, record: Record) -> tuple[Refusal, ...]:
        return rejudge(self.policy_for(policy, record.login) if self.policy_for else policy, record)
