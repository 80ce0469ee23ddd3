"""The results of all cases: for people as they come, as TAP or as JUnit's XML for CI."""

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from franking.cases.run import Result
from franking_policy.shown import visible


def title(result: Result) -> str:
    """Return where a case is written and what it is about, on one line."""
    return f"{result.case.place} {visible(result.case.name)}"


def details(result: Result) -> Iterator[str]:
    """Yield the difference, expected `-` and came `+`, and the whole reply below it."""
    yield from result.difference
    yield from (f"  reply was: {line}" for line in result.reply.splitlines())


def summary(results: Iterable[Result]) -> str:
    """Return how many passed and failed."""
    passed = [result.passed for result in results]
    return f"{len(passed)} case{'s' if len(passed) != 1 else ''}: {sum(passed)} passed, {passed.count(False)} failed"


def tap(results: list[Result]) -> str:
    """Return all results in the Test Anything Protocol, version 13."""
    lines = ["TAP version 13", f"1..{len(results)}"]
    for number, result in enumerate(results, start=1):
        # `#` begins a directive.
        lines.append(f"{'ok' if result.passed else 'not ok'} {number} - {title(result).replace('#', '')}")
        lines += [f"# {line}" for line in details(result) if not result.passed]
    return "\n".join(lines)


def junit(results: list[Result]) -> str:
    """Return all results as JUnit's XML, a suite a file."""
    suites = Element("testsuites", _counts(results))
    for file in dict.fromkeys(result.case.place.file for result in results):
        own = [result for result in results if result.case.place.file == file]
        suite = SubElement(suites, "testsuite", {"name": visible(file), **_counts(own)})
        for result in own:
            _junit_case(suite, result)
    indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suites, encoding="unicode")}'


def _junit_case(suite: Element, result: Result) -> None:
    place = result.case.place
    attributes = {"classname": visible(place.file), "name": visible(result.case.name), "line": str(place.line)}
    case = SubElement(suite, "testcase", attributes)
    if not result.passed:
        failure = SubElement(case, "failure", {"message": "not what was expected", "type": "difference"})
        failure.text = "\n".join(details(result))


def _counts(results: list[Result]) -> dict[str, str]:
    return {"tests": str(len(results)), "failures": str(sum(not result.passed for result in results))}
