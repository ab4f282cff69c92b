"""Real defects of real tools, each as a test that it is not one of this tool. The number is the trap's.

"Not a pass" is asserted in every document and in the exit code. Traps of what stands on real processes, disks and documents of
hostile size are in the files beside this one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx2
import pytest
from command_lines import command, write_documents
from not_a_pass import check_not_a_pass
from virtual_runs import (
    ENVIRONMENT,
    INDICATORS,
    Invoked,
    Staged,
    at,
    concluded,
    document,
    invoke,
    run_virtual,
    scenario_text,
)

from meshkit_chaos.faults import Kill, LeverName, Start
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.judge import judge

TOUCHES = (ev.FaultIntended, ev.FaultInjected, ev.RevertIntended, ev.RollbackStarted)
METRICS = "/metrics"
WITH_WRITES = (
    INDICATORS
    + """
  writes:
    probe:
      http: {method: POST, url: "http://${member.host}:${member.port.client}/v3/kv/put", body: "{}"}
      every: 100ms
      timeout: 500ms
      need: any
"""
)


def record_of(invoked: Invoked, number: int = 1, scenario: str = "leader-killed") -> Record:
    return read_record(invoked.out / "runs" / scenario / f"{number:03d}")


def sentences(invoked: Invoked) -> str:
    """Everything that the joined verdict says, as one text."""
    runs = json.loads((invoked.out / "verdict.json").read_bytes())["runs"]
    return "\n".join(f"{finding['sentence']} {finding['hint']}" for run in runs for finding in run["findings"])


def page(answer: httpx2.Response, text: str) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/plain; version=0.0.4"}, content=text.encode())


def with_metric(line: str, *, since: float = 0.0) -> Staged:
    """Every member's value of the leader metric is replaced, from so many seconds after the start on."""

    def pages(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        if path != METRICS or seconds < since:
            return answer
        kept = [one for one in answer.text.splitlines() if not one.startswith("etcd_server_is_leader ")]
        return page(answer, "\n".join([*kept, line]) + "\n")

    return Staged(pages=pages)


def test_trap_01_prerequisite_false(tmp_path: Path) -> None:
    """A prerequisite that does not hold: not run, exit 2, nothing is injected and nothing rolled back."""
    text = document(scenario_text(more='prerequisites: [{members: ">= 4"}]'))
    invoked = invoke(tmp_path / "out", text)
    check_not_a_pass(invoked, code=2, verdict="not-run")
    record = record_of(invoked)
    assert not [entry for kind in TOUCHES for entry in record.of(kind)]
    assert "3 members are up; wanted >= 4" in sentences(invoked)


def test_trap_01_steady_state_false(tmp_path: Path) -> None:
    """A steady state that does not hold before the fault: invalid, exit 2, nothing is injected and nothing rolled back."""
    invoked = invoke(tmp_path / "out", document(indicators=INDICATORS.replace("== 1", "== 2")))
    check_not_a_pass(invoked, code=2, verdict="invalid")
    assert not [entry for kind in TOUCHES for entry in record_of(invoked).of(kind)]


def test_trap_02_injector_raises(tmp_path: Path) -> None:
    """An injector that raises: what was begun is rolled back, the run is invalid, exit 2."""
    invoked = invoke(tmp_path / "out", staged=Staged(misbehaviour={"kill": "raises"}))
    check_not_a_pass(invoked, code=2, verdict="invalid")
    record = record_of(invoked)
    failed = record.first(ev.FaultFailed)
    assert failed is not None
    assert failed[1].reason == "the lever kill broke"
    assert record.first(ev.RevertDone) is not None
    assert record.last(ev.RunFinished) == (record.entries[-1], ev.RunFinished(outcome="aborted"))


@pytest.mark.parametrize("how", ["raises", "lies", "hangs"])
def test_trap_03_undo_fails(tmp_path: Path, how: str) -> None:
    """An undo that raises, hangs or lies about what it did: the environment is dirty, exit 3."""
    invoked = invoke(tmp_path / "out", staged=Staged(misbehaviour={"start": how}))  # type: ignore[dict-item]  # as listed
    document_ = check_not_a_pass(invoked, code=3, verdict=_worst(invoked))
    assert document_["environment"] == "dirty"
    assert "node-1 is down" in sentences(invoked)


def _worst(invoked: Invoked) -> str:
    (run,) = json.loads((invoked.out / "verdict.json").read_bytes())["runs"]
    assert run["verdict"] != "pass"
    return str(run["verdict"])


def test_trap_04_probe_raises_after_the_injection(tmp_path: Path) -> None:
    """A probe that breaks after the injection: rollback runs, that span is unknown, and it is no pass."""

    def pages(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        if path.endswith("put") and seconds > 4:
            raise ValueError("the probe's own defect")
        return answer

    text = document(scenario_text(objectives="[{converge: writes, within: 5s}]"), indicators=WITH_WRITES)
    invoked = invoke(tmp_path / "out", text, staged=Staged(pages=pages))
    check_not_a_pass(invoked, code=2, verdict="inconclusive")
    assert record_of(invoked).first(ev.RevertDone) is not None
    assert "the probe's own defect" in sentences(invoked)


def test_trap_05_record_cut_anywhere(tmp_path: Path) -> None:
    """A record that ends anywhere, even in the middle of a line, can be read and never says that the run passed."""
    ran = run_virtual(tmp_path / "run")
    assert ran.verdict.verdict == "pass"
    whole = (ran.folder / "journal.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    for cut in (*starts[1:], *(start + 7 for start in starts), len(whole) - 1):
        (ran.folder / "journal.jsonl").write_bytes(whole[:cut])
        verdict = judge(read_record(ran.folder))
        assert verdict.verdict != "pass", cut
        assert verdict.outcome == "crashed"


MOMENTS = {
    "deploying": ev.DeployIntended,
    "deployed": ev.DeployDone,
    "steady": ev.SteadyStateChecked,
    "fingerprint": ev.FingerprintTaken,
    "resolved": ev.TargetResolved,
    "intended": ev.FaultIntended,
    "injected": ev.FaultInjected,
    "bitten": ev.EffectObserved,
    "held": ev.HoldDone,
    "reverting": ev.RevertIntended,
    "reverted": ev.RevertDone,
    "verified": ev.EnvironmentVerified,
    "teardown": ev.TeardownIntended,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_trap_06_signal_at_any_moment(tmp_path: Path, moment: str) -> None:
    """SIGTERM at any moment: no further fault, rollback of what was begun, aborted, exit 2; what was to follow is missing."""
    text = document(scenario_text(), scenario_text().replace("id: leader-killed", "id: second"))
    staged = Staged(interfere=at(MOMENTS[moment], lambda run: os.kill(os.getpid(), signal.SIGTERM)))
    invoked = invoke(tmp_path / "out", text, staged=staged)
    check_not_a_pass(invoked, code=2, verdict=_first_verdict(invoked), scenarios=("leader-killed", "second"))
    record = record_of(invoked)
    asked = record.first(ev.SignalReceived)
    assert asked is not None
    assert all(entry.seq < asked[0].seq + 2 for entry, _ in record.of(ev.FaultIntended)), "a fault came after the signal"
    intents = {event.node for _, event in record.of(ev.FaultIntended)}
    assert intents == {event.node for _, event in record.of(ev.RevertDone)}
    assert record.last(ev.RunFinished) == (record.entries[-1], ev.RunFinished(outcome="aborted"))
    assert not (invoked.out / "runs" / "second").exists()


def _first_verdict(invoked: Invoked) -> str:
    return str(json.loads((invoked.out / "verdict.json").read_bytes())["runs"][0]["verdict"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_trap_06_every_signal_that_ends_programs(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and a lost terminal end a run as SIGTERM does."""
    staged = Staged(interfere=at(ev.FaultInjected, lambda run: os.kill(os.getpid(), number)))
    invoked = invoke(tmp_path / "out", staged=staged)
    check_not_a_pass(invoked, code=2, verdict="inconclusive")
    assert f"{number.name} received" in sentences(invoked)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("rollback: {", "roolback: {", "rollback"),
        ("steady_state: {", "steady_stat: {", "steady_state"),
        ("within: 5s}]", "witin: 5s}]", "within"),
        ("fault: kill", "fault: kil", "kill"),
        ("role: leader", "role: leeder", "leader"),
        ("converge: one-leader", "converge: one-leder", "one-leader"),
        ("sum(etcd_server_is_leader)", "sum(etcd_server_is_leadr)", "etcd_server_is_leader"),
        ("indicators:\n", "indicatrs:\n", "indicators"),
    ],
)
def test_trap_07_misspelt(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    """A misspelt section, key, metric, role, fault or indicator: an error with its place and the nearest valid name."""
    text = document()
    assert right in text
    names = "metrics:\n  names: [etcd_server_is_leader]"
    file = write_documents(tmp_path, text.replace(right, wrong, 1), environment=ENVIRONMENT.replace("metrics:", names))
    for arguments in (("lint", file), ("plan", "--file", file), ("run", "--file", file, "--out", tmp_path / "out")):
        ended = command(*arguments)
        assert ended.code == 4, ended
        told = ended.out + ended.err
        line = next(number for number, one in enumerate(text.replace(right, wrong, 1).splitlines(), 1) if wrong.strip() in one)
        assert f"chaos-scenarios.yaml:{line}:" in told, told
        assert said in told.replace(text, ""), told
    assert not (tmp_path / "out").exists()


def test_trap_08_query_returns_nothing(tmp_path: Path) -> None:
    """A query without any result: inconclusive, and the finding names the query and the nearest metric."""
    indicators = INDICATORS + '  typo: {promql: sum(etcd_server_is_leadr), good: "== 1"}\n'
    invoked = invoke(
        tmp_path / "out", document(scenario_text(objectives="[{converge: typo, within: 5s}]"), indicators=indicators)
    )
    check_not_a_pass(invoked, code=2, verdict="inconclusive")
    assert "etcd_server_is_leadr" in sentences(invoked)
    assert "etcd_server_is_leader" in sentences(invoked).replace("etcd_server_is_leadr)", "")


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
@pytest.mark.parametrize("since", [0.0, 4.0], ids=["always", "after the injection"])
def test_trap_09_no_number(tmp_path: Path, value: str, since: float) -> None:
    """NaN and infinities are unknown, never a value: no pass."""
    invoked = invoke(tmp_path / "out", staged=with_metric(f"etcd_server_is_leader {value}", since=since))
    check_not_a_pass(invoked, code=2, verdict=_first_verdict(invoked))
    assert _first_verdict(invoked) in {"invalid", "inconclusive"}


def test_trap_09_series_ends(tmp_path: Path) -> None:
    """A series that ends while its members answer is stale at once: its last value does not live on."""
    invoked = invoke(tmp_path / "out", staged=with_metric("another_metric 1", since=6.0))
    check_not_a_pass(invoked, code=2, verdict="inconclusive")


def test_trap_09_counter_reset(tmp_path: Path) -> None:
    """A counter that goes back is a reset: no negative increase, and nothing good either."""
    indicators = INDICATORS + ("  changes: {promql: 'etcd_server_leader_changes_seen_total{member=\"node-3\"}', kind: event}\n")

    def pages(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        value = 1000 - int(seconds * 5)
        return (
            page(answer, answer.text + "")
            if path != METRICS
            else page(
                answer,
                answer.text.rpartition("etcd_server_leader_changes_seen_total")[0]
                + f"etcd_server_leader_changes_seen_total {value}\n",
            )
        )

    text = document(scenario_text(objectives="[{stay: changes, during: settle}]"), indicators=indicators)
    invoked = invoke(tmp_path / "out", text, staged=Staged(pages=lambda m, p, a, s: pages(m, p, a, s) if p == METRICS else a))
    check_not_a_pass(invoked, code=_code(invoked), verdict=_first_verdict(invoked))


def _code(invoked: Invoked) -> int:
    assert invoked.code in {1, 2}
    return invoked.code


def test_trap_10_filter_that_cannot_fail(tmp_path: Path) -> None:
    """A comparison that filters away what would be bad is an error of the document: it cannot fail."""
    text = document(indicators=INDICATORS.replace("sum(etcd_server_is_leader)", "etcd_server_is_leader == 1"))
    ended = command("lint", write_documents(tmp_path, text))
    assert ended.code == 4
    assert "MC105" in ended.out


def test_trap_11_many_series(tmp_path: Path) -> None:
    """Many series where one number is expected: no pass, and the finding shows their labels and suggests an aggregation."""
    text = document(indicators=INDICATORS.replace("sum(etcd_server_is_leader)", "etcd_server_is_leader"))
    invoked = invoke(tmp_path / "out", text)
    check_not_a_pass(invoked, code=2, verdict="invalid")
    assert 'member="node-1"' in sentences(invoked)
    assert "sum(" in sentences(invoked)


def test_trap_12_gap_across_the_recovery(tmp_path: Path) -> None:
    """A scrape gap across the moment of recovery widens the interval and cannot narrow it."""
    clear = run_virtual(tmp_path / "clear")

    def pages(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        return httpx2.Response(500) if path == METRICS and 3.6 < seconds < 5.5 else answer

    blind = run_virtual(tmp_path / "blind", staged=Staged(pages=pages))
    (seen,) = [finding.measured for finding in clear.verdict.findings if finding.about == "objective"]
    (gap,) = [finding.measured for finding in blind.verdict.findings if finding.about == "objective"]
    assert seen is not None
    assert gap is not None
    assert seen.hi is not None
    assert gap.hi is None or gap.hi - gap.lo >= seen.hi - seen.lo + 10**9
    assert gap.lo <= seen.hi


LIARS: dict[str, tuple[str, LeverName]] = {"kill": ("kill", "kill"), "pause": ("pause", "pause")}


@pytest.mark.parametrize("fault", LIARS)
def test_trap_13_fault_does_nothing(tmp_path: Path, fault: str) -> None:
    """A fault that reports success and does nothing: invalid, "the fault did not bite"."""
    text = document(scenario_text(steps=f"[{{fault: {fault}, id: it, target: {{role: leader}}, hold: 3s}}]"))
    invoked = invoke(tmp_path / "out", text, staged=Staged(misbehaviour={LIARS[fault][1]: "lies"}))
    check_not_a_pass(invoked, code=2, verdict="invalid")
    assert "did not bite" in sentences(invoked)


def test_trap_14_target_disappears(tmp_path: Path) -> None:
    """A target that ends during its fault: the undo finds it gone, the difference is named, and it is no pass."""
    text = document(scenario_text(steps="[{fault: pause, id: it, target: {role: leader}, hold: 3s}]"))
    vanish = at(ev.EffectObserved, lambda run: run.mesh.mesh.change(Kill("node-1"), round(run.mesh_time * 1e9)))
    invoked = invoke(tmp_path / "out", text, staged=Staged(interfere=vanish))
    check_not_a_pass(invoked, code=3, verdict=_first_verdict(invoked))
    assert "node-1 is down" in sentences(invoked)


def test_trap_14_member_that_no_fault_holds_dies(tmp_path: Path) -> None:
    """A member that ends by itself beside the fault is reported and the run is no pass, even if it comes back."""

    def die(run: Staged) -> None:
        run.mesh.mesh.change(Kill("node-3"), round(run.mesh_time * 1e9))
        assert run.loop is not None
        run.loop.call_later(1.0, lambda: run.mesh.mesh.change(Start("node-3"), round(run.mesh_time * 1e9)))

    invoked = invoke(tmp_path / "out", staged=Staged(interfere=at(ev.EffectObserved, die)))
    check_not_a_pass(invoked, code=2, verdict=_first_verdict(invoked))
    assert "node-3" in sentences(invoked)


def test_trap_15_failure_then_success(tmp_path: Path) -> None:
    """A failure followed by successes: all runs are kept, the repeat plan decides, and its pass is flagged flaky."""
    runs: list[int] = []

    def slow_once(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        if len(runs) == 1 and path == METRICS and seconds > 3.5:
            return page(answer, answer.text.replace("is_leader 1", "is_leader 0"))
        return answer

    staged = Staged(interfere=at_every(ev.RunStarted, runs), pages=slow_once)
    text = document(scenario_text(more="repeats: {up_to: 3, fail_at: 2}"))
    invoked = invoke(tmp_path / "out", text, staged=staged)
    document_ = json.loads((invoked.out / "verdict.json").read_bytes())
    assert [run["verdict"] for run in document_["runs"]] == ["fail", "pass", "pass"]
    (scenario,) = document_["scenarios"]
    assert (scenario["verdict"], scenario["flaky"]) == ("pass", True)
    assert "flaky" in (invoked.out / "summary.md").read_text()
    root = ET.parse(invoked.out / "junit.xml").getroot()
    assert "flaky" in ET.tostring(root, encoding="unicode")


def at_every(kind: type, seen: list[int]) -> object:
    def interfere(run: Staged, entry: ev.Entry) -> None:
        if isinstance(entry.event, kind):
            seen.append(entry.seq)

    return interfere


def test_trap_15_failure_and_success_in_one_run(tmp_path: Path) -> None:
    """In one run a met objective never makes up for a missed one: the worst counts, and both are kept."""
    text = document(
        scenario_text(objectives="[{converge: one-leader, within: 5s}, {converge: one-leader, id: fast, within: 500ms}]")
    )
    invoked = invoke(tmp_path / "out", text)
    document_ = check_not_a_pass(invoked, code=1, verdict="fail")
    (scenario,) = document_["scenarios"]  # type: ignore[misc]  # a list of one
    assert sorted(scenario["objectives"].values()) == ["fail", "pass"]


def test_trap_16_names_that_contain_each_other(tmp_path: Path) -> None:
    """``node-1`` is ``node-1`` and never ``node-10``, in the target, in the fault and in the undo."""
    ran = run_virtual(
        tmp_path / "run",
        document(scenario_text(steps="[{fault: pause, id: it, target: {names: [node-1]}, hold: 3s}]")),
        environment=ENVIRONMENT.replace("count: 3", "count: 10"),
    )
    intent = ran.record.first(ev.FaultIntended)
    assert intent is not None
    assert intent[1].members == ("node-1",)
    assert {call.member for call in (*intent[1].calls, *intent[1].undo)} == {"node-1"}
    assert ran.staged.mesh.mesh.members["node-10"].starts == 1


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "garbage", "samples missing", "samples altered"])
def test_trap_21_results_damaged(tmp_path: Path, how: str) -> None:
    """A record that is missing, empty, cut or altered is no pass, whoever derives documents from it."""
    good = invoke(tmp_path / "out")
    assert good.code == 0
    run = good.out / "runs" / "leader-killed" / "001"
    journal = run / "journal.jsonl"
    data = journal.read_bytes()
    match how:
        case "missing":
            shutil.rmtree(run)
        case "empty":
            journal.write_bytes(b"")
        case "cut":
            journal.write_bytes(data[: len(data) // 2])
        case "garbage":
            journal.write_bytes(data.replace(b'"fault.injected"', b'"fault.injecte'))
        case "samples missing":
            shutil.rmtree(run / "samples")
        case _:
            for block in (run / "samples").iterdir():
                block.write_bytes(block.read_bytes()[:-3] + b"abc")
    if run.exists():
        (run / "verdict.json").unlink()
    check_not_a_pass(concluded(good.out), code=_not_zero(good.out), verdict=_first_verdict(good))


def _not_zero(out: Path) -> int:
    code = concluded(out).code
    assert code in {2, 3}
    return code


def test_trap_22_nothing_selected(tmp_path: Path) -> None:
    """A selection that fits no scenario: exit 2, "nothing was judged"; a plain id that is not there: exit 4."""
    file = write_documents(tmp_path)
    for selection in (["x*"], ["--tag", "nightly"]):
        ended = command("run", *selection, "--file", file, "--out", tmp_path / "out")
        assert ended.code == 2
        assert "nothing was judged" in ended.err
    ended = command("run", "leader-kiled", "--file", file, "--out", tmp_path / "out")
    assert ended.code == 4
    assert "leader-killed" in ended.err


def test_trap_22_nothing_that_counts(tmp_path: Path) -> None:
    """A scenario whose objectives are all informational is refused: it could only look green."""
    text = document(scenario_text(objectives="[{converge: one-leader, within: 5s, informational: true}]"))
    ended = command("run", "--file", write_documents(tmp_path, text), "--out", tmp_path / "out")
    assert ended.code == 4
    assert "nothing is judged" in ended.err


@pytest.mark.parametrize("text", ["scenarios: []", "scenarios:"])
def test_trap_22_no_scenario_at_all(tmp_path: Path, text: str) -> None:
    """A document without scenarios is wrong, not green."""
    file = write_documents(tmp_path, f"version: 1\nenvironment: lab.yaml\n{text}\n")
    assert command("run", "--file", file, "--out", tmp_path / "out").code == 4


def test_trap_23_window_hides_the_recovery(tmp_path: Path) -> None:
    """A range window that cannot see recovery in time is an error of the document, with the window named."""
    indicators = INDICATORS + '  errors: {promql: "sum(rate(etcd_server_proposals_failed_total[5m]))", good: "<= 0"}\n'
    text = document(scenario_text(objectives="[{recover: errors, within: 30s}]"), indicators=indicators)
    ended = command("lint", write_documents(tmp_path, text))
    assert ended.code == 4
    assert "MC106" in ended.out
    assert "5m" in ended.out


@pytest.mark.parametrize("how", ["cut", "html", "status"])
def test_trap_25_partial_answer(tmp_path: Path, how: str) -> None:
    """A page that is cut, of another kind or refused is unknown for the whole member: no pass, and the cause is told."""

    def pages(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        if path != METRICS or seconds < 4.5:
            return answer
        match how:
            case "cut":
                return page(answer, answer.text[: answer.text.rindex("leader_changes") + 3])
            case "html":
                return httpx2.Response(200, headers={"content-type": "text/html"}, content=b"<html>log in</html>")
            case _:
                return httpx2.Response(503)

    invoked = invoke(tmp_path / "out", staged=Staged(pages=pages))
    check_not_a_pass(invoked, code=2, verdict="inconclusive")
    assert "node-2" in sentences(invoked)


HOSTILE = "<script>alert(1)</script> | [x](javascript:1) ]]> `rm` ${HOME} =cmd() @everyone &amp;"


def test_trap_29_injection_from_a_title(tmp_path: Path) -> None:
    """A title, an owner or a tag full of markup is text in every format."""
    hostile = json.dumps(HOSTILE, ensure_ascii=False)
    head = scenario_text().replace("title: A killed leader is replaced", f"title: {hostile}")
    invoked = invoke(tmp_path / "out", document(head))
    assert invoked.code == 0
    html = (invoked.out / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html
    assert 'href="javascript:' not in html
    summary = (invoked.out / "summary.md").read_text(encoding="utf-8")
    assert "<script>" not in summary
    assert "](javascript" not in summary
    root = ET.parse(invoked.out / "junit.xml").getroot()
    assert not [one for one in root.iter() if one.tag == "script"]
    assert json.loads((invoked.out / "verdict.json").read_bytes())["runs"][0]["title"] == HOSTILE
