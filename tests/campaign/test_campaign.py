"""One invocation: selection, repeats, what is announced and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from not_a_pass import check_not_a_pass
from virtual_runs import Staged, concluded, document, invoke, read_file, scenario_text

from meshkit_chaos.campaign.campaign import RunOf
from meshkit_chaos.campaign.log import LOG, InvocationEnded, InvocationStarted, RunAnnounced, read_log
from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.campaign.selection import select
from meshkit_chaos.errors import CannotRun, EnvironmentDirty, JournalDamaged, JournalUnwritable, UsageError
from meshkit_chaos.plan import Plan

SECOND_SCENARIO = scenario_text(more="tags: [slow]").replace("id: leader-killed", "id: leader-killed-again")
TWO = document(scenario_text(more="tags: [smoke]"), SECOND_SCENARIO)
FAST = "[{converge: one-leader, within: 500ms}]"


@pytest.mark.parametrize(
    ("patterns", "tags", "expected"),
    [
        ((), (), ["leader-killed", "leader-killed-again"]),
        (("leader-killed",), (), ["leader-killed"]),
        (("leader-*",), (), ["leader-killed", "leader-killed-again"]),
        (("*-again", "leader-killed"), (), ["leader-killed", "leader-killed-again"]),
        ((), ("slow",), ["leader-killed-again"]),
        ((), ("slow", "smoke"), ["leader-killed", "leader-killed-again"]),
        (("leader-killed",), ("slow",), []),
        (("x*",), (), []),
        ((), ("nightly",), []),
    ],
)
def test_selection(patterns: tuple[str, ...], tags: tuple[str, ...], expected: list[str]) -> None:
    """Ids, globs and tags select in the order of the file; an id is an id and not the beginning of another."""
    assert [one.id for one in select(read_file(TWO).scenarios, patterns=patterns, tags=tags)] == expected


def test_an_id_that_is_not_there_is_refused_with_the_nearest() -> None:
    """A misspelt id is an error of usage, never an empty selection."""
    with pytest.raises(UsageError, match="no scenario 'leader-kiled'") as told:
        select(read_file(TWO).scenarios, patterns=["leader-kiled"], tags=[])
    assert "'leader-killed'" in told.value.hint


@given(st.lists(st.text(max_size=5), max_size=3))
def test_any_pattern_selects_or_is_refused(patterns: list[str]) -> None:
    """No pattern breaks the selection, and what is selected is in the file."""
    scenarios = read_file(TWO).scenarios
    try:
        assert all(one in scenarios for one in select(scenarios, patterns=patterns, tags=[]))
    except UsageError:
        assert patterns


def test_every_announced_run_is_in_the_log(tmp_path: Path) -> None:
    """The log says first what is expected, then announces each run before it begins, and ends without a reason."""
    invoked = invoke(tmp_path / "out", TWO)
    assert invoked.code == 0
    started, *lines, ended = read_log(invoked.out)
    assert isinstance(started, InvocationStarted)
    assert [one.id for one in started.scenarios] == ["leader-killed", "leader-killed-again"]
    announced = [line for line in lines if isinstance(line, RunAnnounced)]
    assert [line.folder for line in announced] == ["runs/leader-killed/001", "runs/leader-killed-again/001"]
    assert len({line.run for line in announced}) == 2
    assert ended == InvocationEnded(reason="")


@pytest.mark.parametrize(
    ("repeats", "failing", "expected"),
    [
        ("{up_to: 3, fail_at: 1}", set(), ["pass", "pass", "pass"]),
        ("{up_to: 3, fail_at: 2}", set(), ["pass", "pass"]),
        ("{up_to: 3, fail_at: 2}", {1, 2}, ["fail", "fail"]),
        ("{up_to: 3, fail_at: 2}", {2}, ["pass", "fail", "pass"]),
        ("{up_to: 5, fail_at: 1}", {1}, ["fail"]),
    ],
)
def test_repeats_stop_when_they_are_decided(tmp_path: Path, repeats: str, failing: set[int], expected: list[str]) -> None:
    """A scenario is run until its plan is decided and not once more; every run has a seed and a folder of its own."""
    staged = _FailingRuns(failing)
    invoked = invoke(tmp_path / "out", document(scenario_text(more=f"repeats: {repeats}")), staged=staged, seed=100)
    runs = json.loads((invoked.out / "verdict.json").read_bytes())["runs"]
    assert [run["verdict"] for run in runs] == expected
    assert [run["seed"] for run in runs] == [100 + number for number in range(len(expected))]
    assert [run["repeat"] for run in runs] == list(range(1, len(expected) + 1))
    assert invoked.code == (1 if expected.count("fail") >= int(repeats[-2]) else 0)


class _FailingRuns(Staged):
    """Runs of certain numbers never see their leader again."""

    def __init__(self, failing: set[int]) -> None:
        super().__init__()
        self.failing = failing

    def execute(self, plan: Plan, run: RunOf) -> None:
        def pages(member, path, answer, seconds):  # type: ignore[no-untyped-def]  # as Staged.pages has it
            lost = run.repeat in self.failing and path == "/metrics" and seconds > 4
            return type(answer)(200, text=answer.text.replace("is_leader 1", "is_leader 0")) if lost else answer

        self.pages = pages
        super().execute(plan, run)


class _Refusing(Staged):
    """The first run is refused."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def execute(self, plan: Plan, run: RunOf) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        super().execute(plan, run)


@pytest.mark.parametrize(
    ("error", "second_runs"),
    [(CannotRun("no"), True), (EnvironmentDirty("no"), False), (JournalUnwritable("no"), False)],
    ids=["cannot run", "dirty", "unwritable"],
)
def test_a_refused_run_is_never_silence(tmp_path: Path, error: Exception, second_runs: bool) -> None:
    """What cannot run is in every document with its reason; a dirty environment or a lost record ends the invocation."""
    invoked = invoke(tmp_path / "out", TWO, staged=_Refusing(error))
    named = ("leader-killed",) if second_runs else ("leader-killed", "leader-killed-again")
    check_not_a_pass(invoked, code=2, verdict="not-run", scenarios=named)
    assert (invoked.out / "runs" / "leader-killed-again").exists() is second_runs
    assert "refused leader-killed: no" in invoked.told


@pytest.mark.parametrize("keep", [1, 2, 3, 4])
def test_an_invocation_that_was_killed_is_no_pass(tmp_path: Path, keep: int) -> None:
    """Whatever was announced and has no result is missing: a log that was cut anywhere gives no pass."""
    invoked = invoke(tmp_path / "out", TWO)
    log = invoked.out / LOG
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:keep]) + lines[keep][:20])
    again = concluded(invoked.out)
    if keep < 4:
        check_not_a_pass(
            again, code=2, verdict="inconclusive" if keep < 2 else _worst(again.out), scenarios=("leader-killed-again",)
        )
    else:
        assert again.code == 0, "both runs have their records, and those are whole"


def _worst(out: Path) -> str:
    return str(json.loads((out / "verdict.json").read_bytes())["runs"][0]["verdict"])


def test_a_run_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    """A log that names a run elsewhere is damaged, not followed."""
    invoked = invoke(tmp_path / "out")
    log = invoked.out / LOG
    log.write_bytes(log.read_bytes().replace(b"runs/leader-killed/001", b"../../../../../tmp/001"))
    with pytest.raises(JournalDamaged, match="outside its own folder"):
        read_results(invoked.out)


def test_failing_and_undecided_scenarios_are_a_fail(tmp_path: Path) -> None:
    """One scenario that fails decides the invocation, whatever the others say."""
    first = scenario_text(objectives=FAST)
    invoked = invoke(tmp_path / "out", document(first, SECOND_SCENARIO))
    check_not_a_pass(invoked, code=1, verdict="fail", scenarios=("leader-killed",))
