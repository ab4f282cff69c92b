"""How soon a guard rail acts, by the clock: from the sample that shows the breach to the abort and to the undo."""

from __future__ import annotations

from pathlib import Path

import pytest
from listening_lab import HEAD, INDICATORS, LISTENERS, OBJECTIVES
from virtual_runs import scenario_text

from meshkit_chaos.cli import app
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record

PROMISED_NS = 250 * 10**6
SLACK = 3
STEPS = "[{fault: kill, id: it, target: {names: [node-2]}, hold: 20s}]"
GUARD = "guard_rails: [{indicator: all-there, bad_for: 300ms}]"


def aborted_run(folder: Path) -> Record:
    """A real run on three listening processes, of which one is killed for longer than the guard rail allows."""
    scenario = scenario_text(steps=STEPS, objectives=OBJECTIVES, head=HEAD, more=GUARD)
    (folder / "lab.yaml").write_text(LISTENERS, encoding="utf-8")
    (folder / "chaos-scenarios.yaml").write_text(f"{INDICATORS.strip()}\nscenarios:\n{scenario}", encoding="utf-8")
    code = app.run(["run", "--file", str(folder / "chaos-scenarios.yaml"), "--out", str(folder / "out")])
    assert code == 2, "an aborted run is no pass"
    (journal,) = (folder / "out").glob("runs/*/001/journal.jsonl")
    return read_record(journal.parent)


def delays(record: Record) -> tuple[int, int]:
    """From the end of the round that showed the breach to the abort, and to the intent to undo; in ns."""
    tripped, aborted, undone = (record.first(kind) for kind in (ev.GuardTripped, ev.AbortDecided, ev.RevertIntended))
    assert tripped is not None
    assert aborted is not None
    assert undone is not None
    assert "guard rail" in aborted[1].reason
    rounds = (one for several in record.samples.rounds.values() for one in several)
    seen = max(one.end for one in rounds if one.end <= tripped[0].t)
    return aborted[0].t - seen, undone[0].t - seen


def test_a_guard_rail_aborts_soon_after_the_sample_that_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Abort and undo begin within 250 ms of the breaching sample, with threefold slack for a loaded machine."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    to_abort, to_undo = delays(aborted_run(tmp_path))
    assert 0 <= to_abort <= to_undo <= SLACK * PROMISED_NS, (
        f"{to_abort / 1e6:g} ms to the abort, {to_undo / 1e6:g} ms to the undo"
    )
