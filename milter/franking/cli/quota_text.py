"""Quotas for a person, with bars, and for a program."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from franking.cli.bars import Bars
from franking.cli.times import until
from franking.ledger.tally import Sent
from franking.ledger.usage import Counter, Usage
from franking_policy.model import Account
from franking_policy.quotas import Quota
from franking_policy.shown import visible

CELLS = 12
"""Columns of a bar."""

NAMED = 20
"""Logins, domains, streams or clients of one quota that are named; more are counted."""


def words(quota: Quota) -> str:
    """Return what a quota is called: `messages/day`, `recipients/hour/login`."""
    return "/".join([quota.unit, quota.per, *([quota.of] if quota.of != "account" else [])])


def account_as_text(account: Account, used: tuple[Usage, ...], now: datetime, bars: Bars) -> str:
    """Return an account's quotas, a line for each that has one counter, else one more for each counter."""
    labels = [len(label) for usage in used for label, _ in _labelled(usage)]
    width = min(40, max(labels, default=0))
    lines = [f"{account.name} ({account.timezone.value})"]
    for usage in used:
        lines += (f"  {line}" for line in _usage(usage, now, bars, width))
    if not used:
        lines.append("  no quotas")
    return "\n".join(lines)


def _labelled(usage: Usage) -> Iterator[tuple[str, Counter | None]]:
    """Yield each line's label, with the counter that it shows."""
    if usage.quota.of == "account":
        yield words(usage.quota), usage.counters[0]
    else:
        yield words(usage.quota), None
        for counter in usage.counters[:NAMED]:
            yield f"  {visible(counter.identity)}", counter


def _usage(usage: Usage, now: datetime, bars: Bars, width: int) -> Iterator[str]:
    for label, counter in _labelled(usage):
        if counter:
            yield f"{label:<{width}}  {_counter(usage, counter, bars)}{_resets(usage, counter, now)}"
        else:
            each = usage.limit if usage.quota.per != "second" else f"{_pace(usage)},"
            nobody = "" if usage.counters else f"; {_nobody(usage.quota)}"
            yield f"{label:<{width}}  {each} each{_resets(usage, None, now)}{nobody}"
    if len(usage.counters) > NAMED:
        yield f"  and {len(usage.counters) - NAMED} more, which --json prints"
    if usage.override:
        instead = f"{usage.limit} instead of {usage.quota.limit}"
        zone = usage.resets.tzinfo
        yield f"{'':<{width}}  override: {instead} until {until(usage.override.until.astimezone(zone), now)}"


def _nobody(quota: Quota) -> str:
    """Return what is said where no counter is known; of rates more may be in use than are known."""
    return f"no {quota.of} is listed" if quota.per == "second" else f"no {quota.of} has used any"


def _counter(usage: Usage, counter: Counter, bars: Bars) -> str:
    gauge = bars.gauge(counter.used, usage.most, CELLS)
    return f"{gauge} {usage.percent(counter.used):>3} %  {counter.used} of {usage.most}"


def _resets(usage: Usage, counter: Counter | None, now: datetime) -> str:
    if counter and counter.identity:
        return ""
    if usage.quota.per == "second":
        return f"; {_pace(usage)}" if counter else ""
    return f"; resets {until(usage.resets, now)}"


def _pace(usage: Usage) -> str:
    return f"{usage.limit} a second, at most {usage.most} at once"


def account_as_json(account: Account, used: tuple[Usage, ...]) -> dict[str, Any]:
    """Return an account's quotas as JSON's types."""
    return {
        "account": account.name,
        "timezone": str(account.timezone.value),
        "quotas": [_usage_as_json(usage) for usage in used],
    }


def _usage_as_json(usage: Usage) -> dict[str, Any]:
    return {
        "quota": words(usage.quota),
        "unit": usage.quota.unit,
        "per": usage.quota.per,
        "of": usage.quota.of,
        "limit": usage.limit,
        "at_once": usage.most,
        "policy_limit": usage.quota.limit,
        "override_until": usage.override.until.isoformat() if usage.override else None,
        "resets": usage.resets.isoformat() if usage.quota.per != "second" else None,
        "place": str(usage.quota.place),
        "counters": [_counter_as_json(usage, counter) for counter in usage.counters],
    }


def _counter_as_json(usage: Usage, counter: Counter) -> dict[str, Any]:
    return {
        "identity": counter.identity,
        "used": counter.used,
        "percent": usage.percent(counter.used),
        "resets": counter.resets.isoformat(),
    }


def percent_as_text(account: Account, usage: Usage, bars: Bars) -> str:
    """Return one line on the fullest counter of ``usage``."""
    (counter, *_) = usage.counters
    whose = f" ({usage.quota.of} {visible(counter.identity)})" if counter.identity else ""
    return f"{_counter(usage, counter, bars)} {words(usage.quota)}  {account.name}{whose}"


def history_as_text(account: str, zone: str, days: Sequence[Sent], unit: str, bars: Bars) -> str:
    """Return a chart with a line a day, the newest last, as wide as the terminal, and the sum."""
    numbers = [day.recipients if unit == "recipients" else day.messages for day in days]
    most = max(numbers)
    digits = max(len(unit), len(str(most)))
    cells = max(10, min(60, bars.width - digits - 19))
    lines = [f"{account} ({zone})", f"{'':<14}  {unit:>{digits}}"]
    for day, number in zip(days, numbers, strict=True):
        line = f"{day.day:%Y-%m-%d} {WEEKDAYS[day.day.weekday()]}  {number:>{digits}}  {bars.bar(number, most, cells)}"
        lines.append(line.rstrip())
    return "\n".join([*lines, f"{'sum':<14}  {sum(numbers):>{digits}}"])


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""Whatever the locale."""
