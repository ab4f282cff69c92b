"""Progress lines, the verdict table and the live view."""

from __future__ import annotations

import io
import re
import sys

import pytest
import report_builder as build
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from report_strategies import invocations
from rich.console import Console

from meshkit_chaos.journal import events as ev
from meshkit_chaos.judge.verdict import InvocationVerdict
from meshkit_chaos.report import narrative
from meshkit_chaos.report.console import ConsoleLines, verdict_table
from meshkit_chaos.report.live import LiveView
from meshkit_chaos.report.progress import Progress, advance, passed


def lines_of(entries: tuple[ev.Entry, ...]) -> list[str]:
    reader = ConsoleLines()
    return [line for entry in entries if (line := reader.line(entry)) is not None]


def test_a_run_is_told_in_a_few_lines() -> None:
    """One line for each thing that matters, with seconds since the start."""
    assert lines_of(build.passing().record.entries) == [
        "   0.0s   start      A new leader after the old one is killed [leader-killed] (seed 4711)",
        "   0.0s   deploy     starting the environment",
        "   2.1s   deployed   3 members up: etcd-1, etcd-2, etcd-3",
        "   2.1s   check      what the scenario needs first",
        "   3.0s   baseline   the steady state must hold before any fault",
        "   8.2s   inject     kill etcd-2 (leader)",
        "   8.4s   seen       leaders is bad: its value is 0; good is == 1",
        "  14.3s   revert     start etcd-2",
        "  15.1s   settle     watching the indicators come back and stay",
        "  20.2s   verify     is everything as it was before the fault",
        "  20.4s   verify     the environment is as it was before the fault",
        "  20.4s   teardown   removing what was deployed",
        "  21.4s   end        completed",
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ev.GuardTripped(indicator="errors", detail="bad for 5 s"), "! guard rail errors: bad for 5 s"),
        (ev.AbortDecided(reason="SIGTERM"), "! abort      SIGTERM"),
        (ev.EffectObserved(node="n", member="a", bit=False, detail="still running"), "! no effect  a: still running"),
        (ev.RevertFailed(node="n", reason="no answer"), "! revert     n failed: no answer"),
        (ev.EnvironmentVerified(clean=False, differences=("a is down",)), "! dirty      a is down"),
        (ev.ProblemNoted(where="x", message="\x1b[2Jboo\nhoo"), "! problem    x: \\x1b[2Jboo hoo"),
        (ev.WatchdogDied(pid=7), "! watchdog   process 7 died"),
    ],
)
def test_bad_news_is_marked(event: ev.AnyEvent, expected: str) -> None:
    """What went wrong has a sign of its own, and no control character reaches the terminal."""
    assert ConsoleLines().line(ev.Entry(seq=0, t=5, event=event)) == f"   0.0s {expected}"


def test_every_kind_of_event_can_be_told() -> None:
    """No event of the closed set is without words."""
    assert set(narrative._TELLERS) == set(ev.AnyEvent.__args__)


def test_the_table_shows_verdict_interval_and_limit_in_words_and_signs() -> None:
    """The last word of an invocation, without colour."""
    report = build.mixed()
    table = verdict_table(
        report.invocation, colour=False, width=110, reports=[("report.html", "out/report.html")], recover=report.recover
    )
    assert "✗ fail          leader-killed-under-load  6.93–7.19 s of 5 s" in table
    assert "– not run       shard-split" in table
    assert "✗ Fail: 1 of 4 scenarios failed" in table
    assert "clean up first: meshkit-chaos recover out" in table
    assert "report.html  out/report.html" in table
    assert "\x1b" not in table


def test_colour_changes_nothing_but_colour() -> None:
    """Without the colour codes, the coloured table is the plain one."""
    report = build.mixed()
    coloured = verdict_table(report.invocation, colour=True, width=80)
    assert "\x1b[31;1m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == verdict_table(report.invocation, colour=False, width=80)


@settings(deadline=None, max_examples=80)
@given(invocations(), st.integers(40, 140))
def test_the_table_keeps_to_its_width_and_to_plain_characters(invocation: InvocationVerdict, width: int) -> None:
    """No line is wider than the terminal and no text can move its cursor."""
    table = verdict_table(invocation, colour=False, width=width)
    for line in table.split("\n"):
        assert len(line) <= width
        assert not re.search("[\x00-\x1f\x7f\u202e\ud800-\udfff]", line)


def test_an_empty_invocation_is_not_a_pass() -> None:
    """Nothing judged says exit 2."""
    empty = structs.replace(
        build.all_passed().invocation, verdict="inconclusive", sentence="nothing was judged", scenarios=(), runs=()
    )
    assert "exit 2" in verdict_table(empty, colour=False, width=80)


def test_progress_holds_the_faults_that_are_in_force() -> None:
    """A fault is there from its intent until its revert is done; time never goes back."""
    progress, seen = Progress(), []
    for entry in build.passing().record.entries:
        progress = advance(progress, entry)
        seen.append((progress.phase, [text for _, text in progress.faults]))
    assert ("hold", ["kill etcd-2 (leader)"]) in seen
    assert ("settle", []) in seen
    assert progress.ended == "completed"
    assert progress.elapsed == pytest.approx(21.4)
    assert passed(progress, 0).now == progress.now


def test_without_a_terminal_the_live_view_gives_plain_lines() -> None:
    """The same lines as the plain reader's."""
    out: list[str] = []
    with LiveView(echo=out.append) as view:
        for entry in build.passing().record.entries:
            view.entry("leader-killed", entry)
    assert out == lines_of(build.passing().record.entries)


def test_on_a_terminal_the_live_view_draws_phase_fault_and_indicators() -> None:
    """One block a scenario, redrawn at each entry."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=30, color_system=None)
    with LiveView(echo=pytest.fail, console=console) as view:
        for entry in build.passing().record.entries:
            view.entry("leader-killed", entry)
        view.tick(build.at(30))
    drawn = screen.getvalue()
    assert "kill etcd-2 (leader)" in drawn
    assert "✗ leaders bad" in drawn
    assert "completed" in drawn


def test_without_the_drawing_library_the_live_view_gives_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal alone is not enough; the view goes on in plain lines."""
    console = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setitem(sys.modules, "rich.live", None)
    out: list[str] = []
    with LiveView(echo=out.append, console=console) as view:
        view.entry("s", build.passing().record.entries[0])
    assert len(out) == 1


def test_indicators_are_kept_by_name() -> None:
    """Only the latest state of each indicator is shown."""
    progress = Progress()
    for state in ("bad", "good"):
        changed = ev.IndicatorChanged(indicator="a", state=state, detail="")
        progress = advance(progress, ev.Entry(seq=0, t=0, event=changed))
    assert progress.indicators == (("a", "good"),)
