"""What the engine sees while a run goes on: a member that leaves something out hides from it no more than from the judge."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from virtual_runs import INDICATORS, Ran, Staged, document, run_virtual, scenario_text

from meshkit_chaos.journal import events as ev
from meshkit_chaos.judge.indicators import series_of

LINE = b"etcd_server_has_leader"
TEXT = (
    INDICATORS.rstrip()
    + """
  all-follow: {promql: min(etcd_server_has_leader), good: "== 1"%s}
"""
)
MORE = "guard_rails: [{indicator: all-follow, bad_for: 30s}]"


def ran(tmp_path: Path, instead: bytes, *, missing: str = "") -> Ran:
    """A run in which node-3's line about its leader becomes another one from four seconds on, when the mesh is well again."""

    def pages(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        if member != "node-3" or path != "/metrics" or seconds < 4:
            return answer
        lines = [instead if line.startswith(LINE) else line for line in answer.content.splitlines()]
        return httpx2.Response(200, headers=answer.headers, content=b"\n".join(filter(None, lines)) + b"\n")

    scenario = scenario_text(objectives="[{converge: one-leader, within: 5s}, {recover: all-follow, within: 5s}]", more=MORE)
    text = document(scenario, indicators=TEXT % (f", missing: {missing}" if missing else ""))
    return run_virtual(tmp_path / "run", text, staged=Staged(pages=pages))


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        (b"", "node-3 answers and no longer exports etcd_server_has_leader"),
        (b"etcd_server_has_leader NaN", 'etcd_server_has_leader{instance="node-3",member="node-3"} is NaN'),
    ],
)
def test_the_engine_sees_what_the_judge_sees(tmp_path: Path, instead: bytes, told: str) -> None:
    """From the same round on both call the indicator unknown, for the same reason, and the run is no pass."""
    run = ran(tmp_path, instead)
    live = [event for _, event in run.record.of(ev.IndicatorChanged) if event.indicator == "all-follow"]
    assert (live[-1].state, live[-1].detail.startswith(told)) == ("unknown", True)
    indicator = next(one for one in run.plan.scenario.indicators if one.name == "all-follow")
    last = series_of(run.record, indicator)[-1]
    assert (last.state, last.reason) == ("unknown", live[-1].detail)
    assert run.verdict.verdict == "inconclusive"


def test_an_indicator_may_say_that_series_come_and_go(tmp_path: Path) -> None:
    """With ``missing: skip`` the other members speak for the mesh, live and afterwards."""
    run = ran(tmp_path, b"", missing="skip")
    live = [event for _, event in run.record.of(ev.IndicatorChanged) if event.indicator == "all-follow"]
    assert live[-1].state == "good"


def test_a_restarted_member_may_have_counted_nothing_yet(tmp_path: Path) -> None:
    """A killed member comes back without a counter: neither a condition nor the judge waits for it."""
    restarted: set[str] = set()

    def pages(member: str, path: str, answer: httpx2.Response, seconds: float) -> httpx2.Response:
        if path != "/metrics":
            return answer
        counted = b"" if member in restarted and seconds > 4 else b"fails_total 0\n"
        return httpx2.Response(200, headers=answer.headers, content=answer.content + counted)

    def remember(run: Staged, entry: ev.Entry) -> None:
        if isinstance(entry.event, ev.FaultIntended):
            restarted.update(entry.event.members)

    indicators = INDICATORS.rstrip() + '\n  quiet: {promql: "sum(rate(fails_total[600ms]))", good: "== 0"}\n'
    steps = "[{fault: kill, id: dies, target: {role: leader}, hold: 3s}, {until: quiet, timeout: 2s}]"
    scenario = scenario_text(steps=steps, more="guard_rails: [{indicator: quiet, bad_for: 30s}]")
    run = run_virtual(
        tmp_path / "run", document(scenario, indicators=indicators), staged=Staged(pages=pages, interfere=remember)
    )
    assert restarted
    met = run.record.first(ev.ConditionDone)
    assert met is not None
    assert met[1].met
    assert run.verdict.verdict == "pass"
