"""The JUnit report against an independent reader, and its laws."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import report_builder as build
from hypothesis import given, settings
from junitparser import Error, Failure, JUnitXml
from msgspec import structs
from report_golden import check
from report_strategies import invocations

from meshkit_chaos.judge.verdict import Finding, InvocationVerdict, Repetition
from meshkit_chaos.report.junit import junit_xml
from meshkit_chaos.report.model import durations


def read(invocation: InvocationVerdict) -> JUnitXml:
    return JUnitXml.fromstring(junit_xml(invocation))


def problems(invocation: InvocationVerdict) -> dict[str, list[str]]:
    """Every case that is not a pass, with what it is called there."""
    return {
        f"{case.classname} / {case.name}": [type(result).__name__ for result in case.result]
        for suite in read(invocation)
        for case in suite
        if case.result
    }


def test_the_mixed_invocation_is_written_as_in_the_golden_file() -> None:
    """One of each verdict gives the document that was reviewed, with real times."""
    report = build.mixed()
    check("junit.xml", junit_xml(report.invocation, durations=durations(report.runs)))


def test_an_independent_reader_counts_what_the_attributes_say() -> None:
    """The counts of each suite and of the whole are those of its cases."""
    whole = read(build.mixed().invocation)
    cases = [case for suite in whole for case in suite]
    assert whole.tests == len(cases)
    assert whole.failures == sum(isinstance(result, Failure) for case in cases for result in case.result) == 1
    assert whole.errors == sum(isinstance(result, Error) for case in cases for result in case.result) == 3


def test_a_miss_is_a_failure_and_everything_else_that_is_not_a_pass_an_error() -> None:
    """Fail becomes failure; inconclusive, dirty and not run become errors."""
    assert problems(build.mixed().invocation) == {
        "leader-killed-under-load / objective: leader-returns": ["Failure"],
        "leader-paused / objective: latency-recovers": ["Error"],
        "leader-paused / environment": ["Error"],
        "shard-split / outcome": ["Error"],
    }


def test_a_pass_has_no_failure_and_no_error() -> None:
    """An invocation in which all passed is green, and its informational miss is told beside it."""
    document = junit_xml(build.all_passed().invocation)
    assert problems(build.all_passed().invocation) == {}
    assert b"informational, not judged: few-failures: fail" in document


def test_times_are_those_of_the_runs() -> None:
    """The time of a suite is that of its runs, carried by the case of the outcome."""
    report = build.all_passed()
    root = ET.fromstring(junit_xml(report.invocation, durations=durations(report.runs)))
    assert root.get("time") == "21.400"
    assert [case.get("time") for case in root.iter("testcase") if case.get("name") == "outcome"] == ["21.400"]


def test_an_empty_invocation_is_an_error() -> None:
    """Nothing judged is a suite with one error, not an empty green document."""
    empty = InvocationVerdict(
        invocation="x", verdict="inconclusive", environment="untouched", sentence="nothing", subject={}, scenarios=(), runs=()
    )
    assert problems(empty) == {"invocation / nothing was judged": ["Error"]}


def test_an_announced_run_without_a_result_is_an_error() -> None:
    """A run that is named and has no verdict is a case of its own."""
    report = build.all_passed().invocation
    lost = structs.replace(report.scenarios[0], runs=(*report.scenarios[0].runs, "01LOST"))
    found = problems(structs.replace(report, scenarios=(lost,)))
    assert found == {"leader-killed / announced runs": ["Error"]}


def test_repeats_are_one_case_and_the_plan_decides() -> None:
    """Three runs, one failed, joined to a pass: one green case that still tells of the failure."""
    base = build.all_passed()
    bad = build.failing("01JD0000000000000000000009", "leader-killed").verdict
    joined = structs.replace(base.invocation.scenarios[0], runs=(base.runs[0].verdict.run, bad.run), flaky=True)
    invocation = structs.replace(base.invocation, scenarios=(joined,), runs=(base.runs[0].verdict, bad))
    assert problems(invocation) == {}
    cases = [case for suite in read(invocation) for case in suite if case.name == "objective: leader-returns"]
    assert len(cases) == 1
    assert "fail [6.93–7.19 s, limit 5 s]" in (cases[0].system_out or "")


def test_a_broken_assumption_is_an_error_of_its_own_name() -> None:
    """A fault that did not bite is named as the assumption that broke."""
    base = build.all_passed()
    broken = Finding(about="assumption", id="fault-bit", verdict="invalid", sentence="the same process is still running")
    run = structs.replace(base.runs[0].verdict, verdict="invalid", findings=(broken,))
    scenario = structs.replace(base.invocation.scenarios[0], verdict="invalid", objectives={})
    found = problems(structs.replace(base.invocation, verdict="inconclusive", scenarios=(scenario,), runs=(run,)))
    assert found == {"leader-killed / assumption: fault-bit": ["Error"]}


def test_an_objective_that_rests_on_a_broken_assumption_says_which() -> None:
    """Its own finding is a pass, yet it is an error, and the message is what broke."""
    base = build.all_passed()
    broken = Finding(about="assumption", id="fault-bit", verdict="invalid", sentence="the same process is still running")
    verdict = base.runs[0].verdict
    run = structs.replace(verdict, verdict="invalid", findings=(*verdict.findings, broken))
    scenario = structs.replace(base.invocation.scenarios[0], verdict="invalid", objectives={"leader-returns": "invalid"})
    document = junit_xml(structs.replace(base.invocation, verdict="inconclusive", scenarios=(scenario,), runs=(run,)))
    assert b'<error message="leader-returns is invalid: the same process is still running"' in document


def test_an_objective_without_any_finding_is_never_green() -> None:
    """Even if the plan's summary calls it a pass, no evidence is an error."""
    base = build.all_passed().invocation
    ghost = structs.replace(base.scenarios[0], objectives={"ghost": "pass"})
    assert problems(structs.replace(base, scenarios=(ghost,))) == {"leader-killed / objective: ghost": ["Error"]}


@settings(deadline=None, max_examples=150)
@given(invocations())
def test_any_text_gives_a_document_that_keeps_the_laws(invocation: InvocationVerdict) -> None:
    """Always well-formed, nothing skipped, names unique in a suite, counts right, and red where the verdict is not a pass."""
    root = ET.fromstring(junit_xml(invocation))
    assert not list(root.iter("skipped"))
    bad_suites = 0
    for suite in root.iter("testsuite"):
        names = [case.get("name") for case in suite.findall("testcase")]
        assert len(names) == len(set(names)) == int(suite.get("tests", "-1")) > 0
        assert len(suite.findall("testcase/failure")) == int(suite.get("failures", "-1"))
        assert len(suite.findall("testcase/error")) == int(suite.get("errors", "-1"))
        bad_suites += bool(suite.findall("testcase/failure") or suite.findall("testcase/error"))
    for key in ("tests", "failures", "errors"):
        assert int(root.get(key, "-1")) == sum(int(suite.get(key, "0")) for suite in root)
    worse = sum(repetition.verdict != "pass" for repetition in invocation.scenarios)
    assert bad_suites >= worse
    if invocation.verdict != "pass" or invocation.environment == "dirty" or not invocation.scenarios:
        assert bad_suites


@settings(deadline=None, max_examples=60)
@given(invocations())
def test_every_failure_says_all_in_its_first_line(invocation: InvocationVerdict) -> None:
    """The message is one line, never empty, and is where the text begins."""
    for case in ET.fromstring(junit_xml(invocation)).iter("testcase"):
        for problem in (*case.findall("failure"), *case.findall("error")):
            message = problem.get("message") or ""
            assert message
            assert "\n" not in message
            assert (problem.text or "").startswith(message)


def test_names_hold_no_measured_number() -> None:
    """The same objective has the same name whether it took long or not."""
    good = {case.name for suite in read(build.all_passed().invocation) for case in suite}
    slow = build.failing("01JD0000000000000000000001", "leader-killed")
    scenario = Repetition(
        scenario="leader-killed", title="t", verdict="fail", sentence="s", runs=(slow.verdict.run,), objectives={}
    )
    invocation = structs.replace(build.all_passed().invocation, verdict="fail", scenarios=(scenario,), runs=(slow.verdict,))
    assert {case.name for suite in read(invocation) for case in suite} == good
