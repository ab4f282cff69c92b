"""Kept records: judged again they say what they said, and every beginning of one is readable, foldable and no pass."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept import EXPECTED, folders, judged

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record, fault_windows, outstanding, phase_spans
from meshkit_chaos.journal.store import JOURNAL, read_lines
from meshkit_chaos.judge import judge
from meshkit_chaos.run.watchdog_main import earliest_deadline

each_kept = pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)


@each_kept
def test_judged_again_it_says_the_same(folder: Path) -> None:
    """The verdict has exactly the expected bytes."""
    assert judged(folder).decode() == (folder / EXPECTED).read_text(encoding="utf-8")


@each_kept
def test_it_says_why_it_is_kept(folder: Path) -> None:
    """A README says what it shows; it is small, and names no place of the machine that it came from."""
    assert len((folder / "README").read_text(encoding="utf-8")) > 40
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 60_000
    assert b"/home/" not in (folder / JOURNAL).read_bytes()


def _cuts(data: bytes) -> Iterator[int]:
    """Behind every line, and in the middle of each."""
    end = 0
    for line in data.splitlines(keepends=True):
        yield end + len(line) // 2
        end += len(line)
        yield end - 1
        yield end


def _beginning(folder: Path, cut: int, whole: Record) -> Record:
    """The record of a run whose machine stopped when ``cut`` bytes were on its disk."""
    data = (folder / JOURNAL).read_bytes()[:cut]
    entries, _, damage = read_lines(data)
    digest = hashlib.sha256(data).hexdigest()
    return Record(entries=tuple(entries), samples=whole.samples, damage=damage, digest=digest)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)], ids=["every fifth cut", "every cut"])
@each_kept
def test_no_beginning_of_it_is_a_pass(folder: Path, every: int) -> None:
    """Cut anywhere before its last line a journal can be read and folded, and its verdict is no pass, whatever was sampled."""
    whole = read_record(folder)
    data = (folder / JOURNAL).read_bytes()
    for cut in list(_cuts(data))[::-every]:
        record = _beginning(folder, cut, whole)
        if cut < len(data) - 1:
            assert len(record.entries) <= data[:cut].count(b"\n")
        verdict = judge(record)
        assert not any("judging" in found.sentence and " broke: " in found.sentence for found in verdict.findings)
        if not isinstance(record.entries[-1].event if record.entries else None, ev.RunFinished):
            assert verdict.verdict != "pass"
            assert verdict.outcome == "crashed"
        phase_spans(record)
        earliest_deadline(record)


@each_kept
def test_every_beginning_says_what_is_to_be_undone(folder: Path) -> None:
    """At every line, what is in force is what was intended and not reverted, newest first, each with its own undo."""
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    in_force: dict[str, list[object]] = {}
    for count, line in enumerate(lines, start=1):
        entries, _, _ = read_lines(b"".join(lines[:count]))
        if len(entries) < count:
            return  # torn or altered from here on: what came before counts
        event = json.loads(line)["event"]
        if event["kind"] == "fault.intended":
            in_force[event["node"]] = event["undo"]
        if event["kind"] == "revert.done":
            in_force.pop(event["node"], None)
        folded = outstanding(Record(entries=tuple(entries)))
        assert [window.node for window in folded] == list(reversed(in_force))
        for window in folded:
            said = [{"lever": type(call).__name__.lower(), "member": call.member} for call in window.undo]
            assert said == in_force[window.node]
        assert {window.node for window in folded} <= {window.node for window in fault_windows(Record(entries=tuple(entries)))}


def test_every_kind_of_ending_is_kept() -> None:
    """Among the kept records is every verdict and every outcome that a run can have, and both states of an environment."""
    verdicts = [judge(read_record(folder)) for folder in folders()]
    assert {"pass", "fail", "inconclusive", "invalid", "not-run"} <= {verdict.verdict for verdict in verdicts}
    assert {"completed", "aborted", "crashed"} <= {verdict.outcome for verdict in verdicts}
    assert {"clean", "dirty", "untouched"} <= {verdict.environment for verdict in verdicts}
