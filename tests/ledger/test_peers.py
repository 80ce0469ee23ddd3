"""What went wrong in other programs that count or judge mail, and the test that shows that it does not here.

Mistakes whose test is elsewhere:

=========================================================  ==========================================================
it happened that                                           shown by
=========================================================  ==========================================================
parallel sessions all pass at the last free place          postfix/test_metering.py::test_50_parallel_sessions_on_two_hosts_share_one_limit
logins and addresses with `=`, `+` or `%` have no limit    ledger/test_windows.py::test_each_identity_has_its_own
                                                           postfix/test_refusals.py::test_a_login_may_hold_any_character
a counter without an end blocks for ever                   ledger/test_idempotency.py::test_every_key_expires
the last message before the limit is refused               ledger/test_windows.py::test_number_limit_passes_and_the_next_does_not
a message that crosses the limit passes                    ledger/test_windows.py::test_recipients_are_counted_one_by_one
a mistake in a limit shows with the first mail             policy/test_load.py::test_a_bad_policy_is_reported_whole
a domain is verified as part of another's name             policy/test_checks.py::test_an_author_elsewhere_is_refused
the last of several From fields wins                       postfix/test_refusals.py::test_two_from_fields_are_refused
Sender is judged in the stead of From                      policy/test_checks.py::test_a_sender_field_never_stands_for_from
a message without From is an exception                     policy/test_checks.py::test_a_fault_is_refused_in_its_own_words
From is read as another reader would not                   policy/test_address_refusals.py::test_what_readers_could_see_differently_is_refused
fields of an attached message are changed                  postfix/test_accepted.py::test_the_body_is_never_touched
                                                           postfix/test_corpus.py::test_what_is_accepted_arrives_with_its_body_untouched
fields are deleted after they were signed                  setup/test_doctor.py::test_what_is_found_is_mended_by_its_command
                                                           setup/test_setup_postfix.py::test_milters_and_header_checks_that_are_there_stay_in_force
Received is deleted, and receivers think ill of it         policy/test_edits.py::test_a_field_on_a_list_stays
a call that is made again counts again                     ledger/test_idempotency.py::test_the_same_commit_again_changes_nothing_at_all
all who have no name share a bucket                        policy/test_charging.py::test_nobody_has_no_bucket
a wrong identity is looked up when From differs            policy/test_charging.py::test_a_message_is_charged_to_every_scope
forwarded mail is billed to the author's provider          policy/test_charging.py::test_an_outsider_s_address_is_never_billed
refused messages are charged                               postfix/test_metering.py::test_50_parallel_sessions_on_two_hosts_share_one_limit
mail of others is limited, bounces with it                 policy/test_charging.py::test_a_bounce_costs_what_others_do
nobody is told when a quota resets, and in which zone      postfix/test_metering.py::test_the_reply_names_used_limit_scope_and_reset
a client is refused for good and tries on for days         postfix/test_metering.py::test_a_message_larger_than_the_whole_quota_is_refused_for_good
a connection over its rate stays open and fails for ever   postfix/test_metering.py::test_a_client_above_its_rate_is_told_421_and_disconnected
a store that is away lets everything pass                  postfix/test_outage.py::test_without_redis_everything_waits_and_nothing_is_lost
a reload stops the daemon                                  wire/test_reload.py::test_sighup_does_the_same
a reload leaves out some settings and says nothing         wire/test_reload.py::test_what_only_a_restart_changes_is_named
octets that are no text break a log line                   postfix/test_refusals.py::test_a_client_s_octets_do_not_break_a_reply_or_a_log_line
memory grows with every message                            wire/test_memory.py::test_a_worker_s_memory_stays_flat
=========================================================  ==========================================================

One is decided the other way here: a null sender costs what any other does. Only who has logged in, or is in a network
of the account's, is judged at all, so that no bounce from elsewhere is charged; and a sender that is free would be free
for all that a login sends.
"""  # noqa: E501  # a name is not broken

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from franking.ledger import Duplicate, Exceeded, Granted, Ledger, connect
from franking.ledger.changes import reset, set_override
from franking.ledger.usage import Override, usage_of
from franking_policy.load import load
from franking_policy.quotas import Quota
from franking_policy.source import BUILT_IN

TESTS = Path(__file__).parents[1]
SHOWN = re.findall(r"([a-z]+/test_\w+\.py)::(test_\w+)", __doc__ or "")


def quota(limit: int, unit: str = "messages", per: str = "day", **said: Any) -> Quota:
    """Return a quota of no particular place."""
    return Quota(limit, BUILT_IN, unit, per, **said)


@pytest.mark.parametrize(("path", "name"), SHOWN)
def test_what_is_said_to_be_shown_is_shown(path: str, name: str) -> None:
    """Each test in the table exists."""
    assert f"def {name}(" in (TESTS / path).read_text()


def test_a_daemon_that_was_down_at_midnight_misses_nothing(redis_server: Any, meter: Any) -> None:
    """Counters were reset by a timer of the process: down at the wrong moment, the account stayed full for a day."""
    meter.limit(quota(1))
    meter.now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    assert [type(meter.send()) for _ in range(2)] == [Granted, Exceeded]
    meter.ledger = Ledger(connect(redis_server.url, 10))  # a process that was not there before
    meter.now = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)

    assert isinstance(meter.send(), Granted)


def test_no_update_is_lost_between_reading_and_writing(redis_server: Any, meter: Any) -> None:
    """The sum was computed outside the store and written back whole: of two at once one was forgotten."""
    meter.limit(quota(10_000, "recipients"), quota(10_000))
    entries = [meter.entry(recipients) for recipients in range(1, 51)]
    with ThreadPoolExecutor(25) as hosts:
        list(hosts.map(lambda one: Ledger(connect(redis_server.url, 30)).commit(one), entries))

    assert meter.used() == [sum(range(1, 51)), 50]


@pytest.mark.parametrize(
    "filled", [quota(10, "recipients"), quota(10, "recipients", "second"), quota(2, "recipients", "second", burst=10)]
)
def test_a_fresh_bucket_is_no_free_pass(meter: Any, filled: Quota) -> None:
    """The first message of a new bucket was let through without being compared with anything: 10,000 recipients."""
    meter.limit(filled)
    outcomes = [meter.send(recipients) for recipients in (10_000, 11, 10, 1)]

    assert [type(one) for one in outcomes] == [Exceeded, Exceeded, Granted, Exceeded]


def test_of_several_limits_every_one_counts(meter: Any) -> None:
    """Of several buckets under one name only the last was kept."""
    pers = ("minute", "hour", "day", "month")
    meter.limit(*(quota(100, unit, per) for unit in ("messages", "recipients") for per in pers))
    meter.send(3)
    meter.send(2)

    assert meter.used() == [2, 2, 2, 2, 5, 5, 5, 5]


def test_a_window_that_goes_on_keeps_no_other_from_ending(meter: Any) -> None:
    """While one of two windows ran, the other was not reset either, or reset both."""
    meter.limit(quota(1, per="minute"), quota(3, per="month"))
    meter.now = datetime(2026, 11, 20, 10, 0, 30, tzinfo=UTC)
    outcomes = []
    for _ in range(4):
        outcomes += [meter.send(), meter.send()]
        meter.now += timedelta(minutes=1)

    assert [type(one) for one in outcomes] == [Granted, Exceeded] * 3 + [Exceeded] * 2
    assert outcomes[-1].charge.quota.per == "month"


def test_nothing_that_is_kept_is_kept_for_ever(
    redis_server: Any, meter: Any, eternal: Callable[[Any], list[bytes]]
) -> None:
    """A crash between counting and setting the end left a counter without one, which was full for good."""
    store, day, rate = connect(redis_server.url, 10), quota(5), quota(5, "recipients", "second", burst=9)
    meter.limit(day, rate)
    set_override(store, "acme", day, Override(9, meter.now + timedelta(hours=1)), "me")
    outcomes = [meter.send(key="order-1"), meter.send(key="order-1"), meter.send(verdict="discarded"), meter.send(10)]
    (counter, _) = usage_of(store, "acme", meter.charges(), meter.now)
    reset(store, "acme", [(counter.counters[0], counter.limit)], "me")
    kinds = {key.decode().split(":")[3] for key in redis_server.client.scan_iter()}

    assert [type(one) for one in outcomes] == [Granted, Duplicate, Granted, Exceeded]
    assert len(list(redis_server.client.scan_iter("*:quota:*"))) == 2
    assert kinds == {
        *("quota", "counters", "overrides", "audit", "idempotency"),
        *("message", "messages", "message-id", "tally"),
    }
    assert eternal(redis_server.client) == []


def test_counters_of_another_version_are_left_alone(redis_server: Any, meter: Any) -> None:
    """An update read the old counters as its own: every message was refused until it was undone."""
    client, today = redis_server.client, meter.now.date()
    others = [
        f"franking:v0:{{acme}}:quota:messages:day:account::{today}",
        f"franking:v1:{{acme}}:quota:messages:day:{today}",
    ]
    for other in others:
        client.set(other, 10**6)
    meter.limit(quota(1))

    assert [type(meter.send()) for _ in range(2)] == [Granted, Exceeded]
    assert [client.get(other) for other in others] == [b"1000000"] * 2
    ours = [key for key in client.scan_iter() if key.decode() not in others]
    assert all(key.startswith(b"franking:v1:{acme}:") for key in ours)


def test_one_account_s_limits_never_become_another_s() -> None:
    """A table of limits was shared and changed: who came later had the limits of who came before."""
    text = b"""\
version: 1
defaults: {quotas: [{messages: 10, per: day}]}
accounts:
  a: {domains: [a.example], logins: {a: {}}, quotas: [{messages: 99, per: hour}]}
  b: {domains: [b.example], logins: {b: {}}}
"""
    logins = load([("a.yaml", text)]).logins

    assert [[(one.limit, one.per) for one in logins[name].quotas] for name in "ab"] == [[(99, "hour")], [(10, "day")]]
