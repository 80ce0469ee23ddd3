"""What is remembered, for how long, and how often somebody is asked."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from franking.directory.cache import Cache, Times
from franking.ledger import Unavailable


class Source:
    """Answers with how often it was asked for a name, or not at all."""

    def __init__(self) -> None:
        """Answer at once."""
        self.asked: Counter[str] = Counter()
        self.gone = False
        self.open = threading.Event()
        self.open.set()

    def search(self, name: str) -> int:
        """Return the number of this question."""
        self.asked[name] += 1
        number = self.asked[name]
        assert self.open.wait(20)
        if self.gone:
            raise Unavailable("gone")
        return number


@pytest.fixture
def source() -> Source:
    """Return one that answers."""
    return Source()


def cache_of(source: Source, times: Times, entries: int = 100) -> tuple[Cache[int], Counter[str]]:
    """Return a cache, and what it counts."""
    counted: Counter[str] = Counter()
    return Cache(source.search, lambda _: times, entries, lambda what: counted.update([what])), counted


def test_many_who_ask_for_one_name_make_one_search(source: Source) -> None:
    """All of them get its answer."""
    cache, _ = cache_of(source, Times(60, 0))
    source.open.clear()
    with ThreadPoolExecutor(51) as threads:
        answers = [threads.submit(cache.get, "a") for _ in range(50)]
        threads.submit(cache.get, "b")
        while len(source.asked) < 2:
            time.sleep(0.01)
        time.sleep(0.2)
        source.open.set()

        assert {answer.result(20) for answer in answers} == {1}
    assert source.asked == {"a": 1, "b": 1}


def test_a_search_that_fails_fails_all_who_wait_and_is_forgotten(source: Source) -> None:
    """The next one asks again."""
    cache, counted = cache_of(source, Times(60, 0))
    source.gone = True
    with ThreadPoolExecutor(10) as threads:
        found = [threads.submit(cache.get, "a") for _ in range(10)]
        assert [type(one.exception(20)) for one in found] == [Unavailable] * 10
    source.gone = False

    assert cache.get("a")
    assert counted["failed"] == 10


def test_an_answer_is_renewed_before_it_expires_and_nobody_waits(
    source: Source, eventually: Callable[[Callable[[], bool]], None], later: Callable[[float], None]
) -> None:
    """Who asks late gets the old answer at once, and causes one search."""
    cache, counted = cache_of(source, Times(200, 0))
    assert cache.get("a") == 1
    later(170)
    source.open.clear()
    asked = time.monotonic()
    answers = [cache.get("a") for _ in range(20)]

    assert set(answers) == {1}
    assert time.monotonic() - asked < 0.25
    eventually(lambda: source.asked["a"] == 2)
    source.open.set()
    eventually(lambda: cache.get("a") == 2)
    assert (source.asked["a"], counted["miss"]) == (2, 1)


def test_an_old_answer_counts_while_there_is_no_other_and_not_for_ever(
    source: Source, later: Callable[[float], None]
) -> None:
    """Beyond its time to live for the time that is configured, then no more."""
    cache, counted = cache_of(source, Times(20, 150))
    cache.get("a")
    source.gone = True
    later(40)

    assert cache.get("a") == 1
    assert counted["stale"] == 1
    later(150)
    with pytest.raises(Unavailable):
        cache.get("a")


def test_what_was_asked_for_least_lately_is_forgotten_first(source: Source) -> None:
    """Memory stays within bounds."""
    cache, _ = cache_of(source, Times(60, 0), entries=3)
    for name in ("a", "b", "c", "a", "d"):
        cache.get(name)

    assert len(cache) == 3
    for name in ("a", "c", "d", "b"):
        cache.get(name)
    assert source.asked == {"a": 1, "b": 2, "c": 1, "d": 1}
