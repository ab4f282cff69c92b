"""Results of scenario tests as documents: text for people, JSON, and JUnit XML for CI.

Takes what each test came to and which key objectives no test makes fail; gives text, plain JSON values or UTF-8 XML. Names of
cases hold no measured number, so that a CI can follow a case over time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from meshkit_chaos.campaign.rehearsal import Rehearsed, Untested, reason
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import one_line, visible
from meshkit_chaos.report.junit import legal
from meshkit_chaos.slo.codec import builtins

_SUITE_OF_UNTESTED = "objectives that no test makes fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """All tests of one test document. ``strict``: an objective that no test makes fail is a failure."""

    path: str
    results: tuple[Rehearsed, ...]
    untested: tuple[Untested, ...]
    objectives: int
    strict: bool

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.results) and not (self.strict and self.untested)


def rehearsal_text(rehearsal: Rehearsal) -> str:
    """One line a test, the differences below it, then what no test makes fail, and the sum."""
    names = [*(result.scenario for result in rehearsal.results), *(found.scenario for found in rehearsal.untested)]
    width = max(map(len, names), default=0)
    lines = [_plain(rehearsal.path)]
    for result in rehearsal.results:
        lines.append(f"  {'✓' if result.ok else '✗'} {_plain(result.scenario):<{width}}  {_plain(result.test.name)}")
        lines += [f"      line {result.test.line}: {_plain(difference)}" for difference in result.differences]
    if rehearsal.untested:
        word = "✗" if rehearsal.strict else "!"
        lines.append("  No test makes these objectives fail, so nobody has seen that they can:")
        lines += [f"  {word} {_plain(found.scenario):<{width}}  {_plain(found.objective)}" for found in rehearsal.untested]
    lines.append(_sum(rehearsal))
    return "\n".join(lines) + "\n"


def _sum(rehearsal: Rehearsal) -> str:
    failed = sum(not result.ok for result in rehearsal.results)
    came = f"{failed} did not come out as expected" if failed else "all as expected"
    seen = rehearsal.objectives - len(rehearsal.untested)
    tests, objectives = counted(len(rehearsal.results), "test"), counted(rehearsal.objectives, "objective")
    return f"{tests}, {came}; {seen} of {objectives} seen failing"


def rehearsal_json(rehearsal: Rehearsal) -> dict[str, Any]:
    """Plain JSON values. ``seen``: verdict, environment and objectives as they came out."""
    return {
        "schema": 1,
        "file": rehearsal.path,
        "ok": rehearsal.ok,
        "strict": rehearsal.strict,
        "tests": [_result(result) for result in rehearsal.results],
        "never_failed": [{"scenario": found.scenario, "objective": found.objective} for found in rehearsal.untested],
    }


def _result(result: Rehearsed) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "scenario": result.scenario,
        "name": result.test.name,
        "line": result.test.line,
        "ok": result.ok,
        "differences": list(result.differences),
        "expected": {key: value for key, value in builtins(result.test.expected).items() if value},
        "seen": {
            "verdict": verdict.verdict,
            "environment": verdict.environment,
            "outcome": verdict.outcome,
            "objectives": {found.id: found.verdict for found in verdict.findings if found.about == "objective"},
            "reason": reason(verdict),
        },
    }


def rehearsal_junit(rehearsals: tuple[Rehearsal, ...]) -> bytes:
    """One suite a test document, one case a test; in a suite of its own, objectives that no test makes fail."""
    root = ET.Element("testsuites", name="meshkit-chaos test")
    for rehearsal in rehearsals:
        root.append(_suite(rehearsal.path, list(_cases(rehearsal))))
        if rehearsal.untested:
            root.append(_suite(f"{rehearsal.path}: {_SUITE_OF_UNTESTED}", list(_untested_cases(rehearsal))))
    for count in ("tests", "failures"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(name: str, cases: list[ET.Element]) -> ET.Element:
    suite = ET.Element("testsuite", name=_xml(name))
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    return suite


def _cases(rehearsal: Rehearsal) -> Iterator[ET.Element]:
    for result in rehearsal.results:
        case = ET.Element("testcase", classname=_xml(result.scenario), name=_xml(result.test.name))
        case.set("file", _xml(rehearsal.path))
        case.set("line", str(result.test.line))
        if result.differences:
            failure = ET.SubElement(case, "failure", message=_xml(result.differences[0]), type="not as expected")
            failure.text = _xml_text("\n".join(result.differences))
        yield case


def _untested_cases(rehearsal: Rehearsal) -> Iterator[ET.Element]:
    for found in rehearsal.untested:
        case = ET.Element("testcase", classname=_xml(found.scenario), name=_xml(found.objective))
        said = "no test makes this objective fail, so nobody has seen that it can"
        if rehearsal.strict:
            ET.SubElement(case, "failure", message=said, type="never failed")
        else:
            ET.SubElement(case, "system-out").text = said
        yield case


def _plain(text: str) -> str:
    return visible(one_line(text))


def _xml(text: str) -> str:
    return legal(one_line(text))


def _xml_text(text: str) -> str:
    return legal(text)
