"""An invocation as JUnit XML, the format that every CI reads.

Takes an invocation's verdict and how long each run took; gives UTF-8 XML. One suite a scenario, one case an objective, and
cases for what is not an objective: assumptions, the outcome, the environment. Nothing is ever ``<skipped>``, because CI
counts that as harmless: a miss is a ``<failure>``, all else that is not a pass is an ``<error>``. Names hold no measured
number, so a CI can follow a case over time. A suite of a scenario that did not pass has at least one failure or error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import Finding, InvocationVerdict, Repetition, Verdict, VerdictName, worst
from meshkit_chaos.report.escape import one_line, visible
from meshkit_chaos.report.wording import ENVIRONMENT, MEANING, OUTCOME, interval, limit, sentence_of, subject_text

_ILLEGAL: Final = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TYPE: Final[dict[VerdictName, str]] = {
    "fail": "objective missed",
    "inconclusive": "inconclusive",
    "invalid": "invalid",
    "not-run": "not run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One case; ``headline`` is the message of a failure or an error, ``details`` what stands below it."""

    name: str
    verdict: VerdictName
    headline: str
    details: tuple[str, ...] = ()
    seconds: float = 0.0


def legal(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _ILLEGAL.sub("\ufffd", visible(text))


def junit_xml(invocation: InvocationVerdict, *, durations: Mapping[str, float] | None = None) -> bytes:
    """Write the document. ``durations``: seconds by run, for the time attributes."""
    times = durations or {}
    root = ET.Element("testsuites", name="meshkit-chaos")
    for repetition in _all_scenarios(invocation):
        runs = tuple(run for run in invocation.runs if run.scenario == repetition.scenario)
        root.append(_suite(repetition, runs=runs, times=times, invocation=invocation))
    whole = _whole_invocation(invocation, root)
    if whole:
        root.append(_plain_suite(whole))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _all_scenarios(invocation: InvocationVerdict) -> tuple[Repetition, ...]:
    """Those that were announced, and any run's scenario that was not: a result is never silently left out."""
    known = {repetition.scenario for repetition in invocation.scenarios}
    strays = {run.scenario: run for run in invocation.runs if run.scenario not in known}
    unannounced = tuple(
        Repetition(
            scenario=run.scenario,
            title=run.title,
            verdict=worst((run.verdict, "inconclusive")),
            sentence="this scenario has a result but was not announced",
            runs=(run.run,),
        )
        for run in strays.values()
    )
    return (*invocation.scenarios, *unannounced)


def _whole_invocation(invocation: InvocationVerdict, root: ET.Element) -> tuple[_Case, ...]:
    """What no scenario can say: nothing was judged, the environment is dirty, or the whole did not pass for another reason."""
    if not len(root):
        return (
            _Case(name="nothing was judged", verdict="inconclusive", headline=f"nothing was judged: {invocation.sentence}"),
        )
    said = any(int(suite.get("failures", "0")) + int(suite.get("errors", "0")) for suite in root)
    if invocation.environment == "dirty" and not said:
        return (_Case(name="environment", verdict="invalid", headline=f"environment {ENVIRONMENT['dirty']}"),)
    if invocation.verdict != "pass" and not said:
        return (_Case(name="verdict", verdict=invocation.verdict, headline=invocation.sentence),)
    return ()


def _plain_suite(cases: tuple[_Case, ...]) -> ET.Element:
    suite = ET.Element("testsuite", name="invocation")
    for case in cases:
        suite.append(_case_element(case, classname="invocation"))
    return _summed(suite)


def _suite(
    repetition: Repetition, *, runs: tuple[Verdict, ...], times: Mapping[str, float], invocation: InvocationVerdict
) -> ET.Element:
    suite = ET.Element("testsuite", name=legal(one_line(repetition.scenario)))
    suite.append(_properties(repetition, runs=runs, invocation=invocation))
    cases = (
        *_finding_cases(repetition, runs),
        *_missing_runs(repetition, runs),
        _outcome_case(repetition, runs=runs, times=times),
        *_environment_case(runs),
    )
    if repetition.verdict != "pass" and all(case.verdict == "pass" for case in cases):
        cases = (*cases, _Case(name="verdict", verdict=repetition.verdict, headline=repetition.sentence))
    for case in cases:
        suite.append(_case_element(case, classname=repetition.scenario))
    out = ET.SubElement(suite, "system-out")
    out.text = legal("\n".join((repetition.sentence, *_informational(runs))))
    return _summed(suite)


def _summed(suite: ET.Element) -> ET.Element:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", "0")
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    return suite


def _properties(repetition: Repetition, *, runs: tuple[Verdict, ...], invocation: InvocationVerdict) -> ET.Element:
    """What a CI shows beside a suite: no absolute path, no secret, nothing that is not in the verdict."""
    values = {
        "title": repetition.title,
        "verdict": repetition.verdict,
        "flaky": "yes" if repetition.flaky else "no",
        "severity": repetition.severity,
        "owner": repetition.owner or "not stated",
        "subject": subject_text(invocation.subject),
        "runs": str(len(repetition.runs)),
    }
    if runs:
        values |= {"environment class": runs[0].environment_class, "seed": str(runs[0].seed), "tool": runs[0].tool}
    if invocation.what_if:
        values["what-if"] = "judged with other thresholds than the recorded ones"
    holder = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(holder, "property", name=name, value=legal(one_line(value)))
    return holder


def _name(finding: Finding) -> str:
    own = finding.id if finding.id not in ("", finding.about) else ""
    return legal(one_line(f"{finding.about}: {own}" if own else finding.about))


def _informational(runs: Iterable[Verdict]) -> list[str]:
    return [
        f"informational, not judged: {finding.id}: {finding.verdict}: {finding.sentence}"
        for run in runs
        for finding in run.findings
        if finding.informational
    ]


def _finding_cases(repetition: Repetition, runs: tuple[Verdict, ...]) -> tuple[_Case, ...]:
    """One case for all repeats of one objective or assumption, and one for an objective that has no finding at all."""
    grouped: dict[str, list[tuple[Verdict, Finding]]] = {}
    for run in runs:
        for finding in run.findings:
            if not finding.informational and finding.about in ("objective", "assumption"):
                grouped.setdefault(_name(finding), []).append((run, finding))
    cases = [_finding_case(name, repetition=repetition, found=found) for name, found in grouped.items()]
    for objective, verdict in repetition.objectives.items():
        name = legal(one_line(f"objective: {objective}"))
        if name not in grouped:
            judged: VerdictName = worst((verdict, "inconclusive"))
            cases.append(_Case(name=name, verdict=judged, headline=f"{objective}: no run has a finding about this objective"))
            grouped[name] = []
    return tuple(cases)


def _finding_case(name: str, *, repetition: Repetition, found: list[tuple[Verdict, Finding]]) -> _Case:
    """The repeat plan decides where it says something; otherwise the worst of the repeats does."""
    own = worst(finding.verdict for _, finding in found)
    about, identity = found[0][1].about, found[0][1].id
    joined = repetition.objectives.get(identity, own) if about == "objective" else own
    if repetition.verdict == "pass" and about != "objective":
        joined = "pass"  # the plan allows so many broken repeats; they stay visible below
    sentence = next((f.sentence for _, f in found if f.verdict == joined), "")
    if not sentence:  # the objective's own findings say otherwise: what its runs rest on decided
        deciding = next((sentence_of(run) for run, _ in found if run.verdict == joined), repetition.sentence)
        sentence = f"{identity} is {joined}: {deciding}"
    headline = sentence if len(found) == 1 else f"{sentence} ({_tally(found)})"
    return _Case(name=name, verdict=joined, headline=headline, details=tuple(_repeat_line(*pair) for pair in found))


def _tally(found: list[tuple[Verdict, Finding]]) -> str:
    verdicts = [finding.verdict for _, finding in found]
    parts = [f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)]
    return f"of {counted(len(found), 'run')}: {', '.join(parts)}"


def _repeat_line(run: Verdict, finding: Finding) -> str:
    measured = f" [{interval(finding.measured)}, limit {limit(finding.measured)}]" if finding.measured else ""
    evidence = f" evidence: journal entries {', '.join(map(str, finding.evidence))}" if finding.evidence else ""
    hint = f" hint: {finding.hint}" if finding.hint else ""
    return one_line(f"repeat {run.repeat} (run {run.run}): {finding.verdict}{measured}: {finding.sentence}{hint}{evidence}")


def _missing_runs(repetition: Repetition, runs: tuple[Verdict, ...]) -> tuple[_Case, ...]:
    """A run that was announced and has no result is an error, never silence."""
    have = {run.run for run in runs}
    missing = [name for name in repetition.runs if name not in have]
    if not missing:
        return ()
    headline = f"{counted(len(missing), 'announced run')} without a result: {', '.join(missing)}"
    return (_Case(name="announced runs", verdict="inconclusive", headline=headline),)


def _outcome_case(repetition: Repetition, *, runs: tuple[Verdict, ...], times: Mapping[str, float]) -> _Case:
    """The runs themselves; this case carries their time, as the other cases are judged afterwards in none."""
    took = sum(times.get(run.run, 0.0) for run in runs)
    if not runs:
        verdict = worst((repetition.verdict, "inconclusive"))
        return _Case(name="outcome", verdict=verdict, headline=f"no run has a result: {repetition.sentence}")
    broken = [run for run in runs if run.outcome != "completed"]
    details = tuple(
        one_line(f"repeat {run.repeat} (run {run.run}): {OUTCOME[run.outcome]}; {sentence_of(run)}") for run in runs
    )
    if not broken or repetition.verdict == "pass":
        return _Case(name="outcome", verdict="pass", headline="", details=details, seconds=took)
    first = broken[0]
    verdict = "not-run" if first.outcome == "not-run" else worst((first.verdict, "inconclusive"))
    verdict = "inconclusive" if verdict == "fail" else verdict
    headline = f"{OUTCOME[first.outcome]}: {sentence_of(first)}"
    return _Case(name="outcome", verdict=verdict, headline=headline, details=details, seconds=took)


def _environment_case(runs: tuple[Verdict, ...]) -> tuple[_Case, ...]:
    """Dirty or not verified is an error whatever the objectives say; of a run that never was, nothing can be said."""
    states = dict.fromkeys(run.environment for run in runs)
    for state in ("dirty", "unknown"):
        if state in states:
            told = [f.sentence for run in runs for f in run.findings if f.about == "environment" and f.verdict != "pass"]
            verdict: VerdictName = "invalid" if state == "dirty" else "inconclusive"
            return (_Case(name="environment", verdict=verdict, headline="; ".join((ENVIRONMENT[state], *dict.fromkeys(told)))),)
    details = tuple(ENVIRONMENT[state] for state in states)
    return (_Case(name="environment", verdict="pass", headline="", details=details),) if runs else ()


def _case_element(case: _Case, *, classname: str) -> ET.Element:
    element = ET.Element("testcase", classname=legal(one_line(classname)), name=case.name, time=f"{max(case.seconds, 0.0):.3f}")
    body = legal("\n".join(case.details))
    if case.verdict == "pass":
        if body:
            ET.SubElement(element, "system-out").text = body
        return element
    headline = legal(one_line(case.headline)) or MEANING[case.verdict]
    kind = "failure" if case.verdict == "fail" else "error"
    problem = ET.SubElement(element, kind, message=headline, type=_TYPE[case.verdict])
    problem.text = f"{headline}\n{body}" if body else headline
    return element
