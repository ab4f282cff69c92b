"""verify finds what was altered, lost or made up; rebuild makes the index again from bundles and marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from history_builder import START, crashed, everything, evidence_of, opened, variant, written

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.clock import ManualClock
from meshkit_chaos.history import tables as t
from meshkit_chaos.history.checking import rebuild, verify
from meshkit_chaos.history.index import History
from meshkit_chaos.history.marking import is_mark
from meshkit_chaos.history.pruning import carry_out, plan_prune
from meshkit_chaos.history.retention import Rules
from meshkit_chaos.history.shelf import FolderStore
from meshkit_chaos.history.travel import Moved, pull, push
from meshkit_chaos.slo import Duration


def made(results: Results) -> dict[str, bytes]:
    return {"verdict.json": b"{}" + results.started.invocation.encode()}


def fill(history: History, folder: Path) -> None:
    """Three invocations, one of them grown, one run invalidated, a document each."""
    whole = evidence_of()
    for number, state in enumerate((crashed(whole), whole, variant(whole, 1), variant(whole, 2))):
        history.add(written(state, folder / f"out-{number}"), documents=made)
    history.mark(everything(history)[0].runs[0].run, counts=False, reason="bad lab", by="jo")


def rewrite(history: History, statement: sa.Update | sa.Delete) -> None:
    with history.database.writing() as connection:
        connection.execute(statement)


def test_a_sound_history_is_found_sound(tmp_path: Path) -> None:
    """Marks, documents and earlier states are no problems."""
    with opened(tmp_path / "h") as history:
        fill(history, tmp_path)
        checked = verify(history)
        assert (checked.invocations, checked.marks, checked.documents, checked.problems) == (3, 1, 3, ())


def test_an_index_that_says_better_is_found_out(tmp_path: Path) -> None:
    """A verdict, a time or a run that was changed in the database is found by judging again."""
    changes = (
        sa.update(t.results).values(verdict="fail"),
        sa.update(t.objectives).values(hi=1),
        sa.update(t.invocations).values(subject='{"version":"2"}'),
        sa.delete(t.runs),
    )
    for number, change in enumerate(changes):
        with opened(tmp_path / f"h-{number}") as history:
            history.add(written(evidence_of(), tmp_path / f"out-{number}"))
            rewrite(history, change)
            assert len(verify(history).problems) == 1, change
            assert rebuild(history).problems == ()
            assert verify(history).problems == (), change


def test_lost_and_altered_files_are_found(tmp_path: Path) -> None:
    """A bundle that is gone, one that was altered, a mark and a document likewise: each is named."""
    with opened(tmp_path / "h") as history:
        fill(history, tmp_path)
        files = {name: tmp_path / "h" / "artifacts" / name for name in history.store.names()}
        bundles = sorted(history.bundles().values())
        files[bundles[0]].unlink()
        files[bundles[1]].write_bytes(b"x")
        mark = next(name for name in files if is_mark(name))
        files[mark].write_bytes(files[mark].read_bytes().replace(b"bad", b"odd"))
        document = next(name for name in files if name.startswith("sha256/"))
        files[document].write_bytes(b"{}")
        problems = dict(verify(history).problems)
        assert {bundles[0], bundles[1], mark} <= problems.keys()
        assert any("document was altered" in why for why in problems.values())


def test_the_index_is_made_again(tmp_path: Path) -> None:
    """From the files alone the index says what it said, marks included; another history's database is not needed."""
    with opened(tmp_path / "h") as history:
        fill(history, tmp_path)
        said = everything(history)
    for path in (tmp_path / "h").glob("index.sqlite*"):
        path.unlink()
    with opened(tmp_path / "h") as history:
        assert everything(history) == ()
        assert len(verify(history).problems) == 4 + 1, "every bundle and the mark"
        assert rebuild(history).problems == ()
        assert everything(history) == said


def test_rebuild_drops_no_evidence(tmp_path: Path) -> None:
    """An invocation whose bundle is gone stays in the index as it was, and is told."""
    with opened(tmp_path / "h") as history:
        fill(history, tmp_path)
        said = everything(history)
        history.store.remove(max(history.bundles().values()))
        rebuilt = rebuild(history)
        assert everything(history) == said
        assert [why for _, why in rebuilt.problems] == ["its bundle is gone or altered; the index keeps what it knew of it"]


class _Killed(Exception):
    """Stands for a process that ends here."""


class _DiesRemoving(FolderStore):
    """A store whose owner is killed before the first file goes."""

    def remove(self, name: str) -> None:
        raise _Killed(name)


def test_a_prune_that_was_killed_is_finished_and_takes_nothing_else(tmp_path: Path) -> None:
    """Files that a killed prune left are no problem, no rebuild brings them back, and the next prune removes just them."""
    clock = ManualClock(wall_ns=START + 400 * 86_400 * 10**9)
    rules = Rules(keep=Duration.parse("1d"), keep_failing=Duration.parse("1d"), keep_last=1)
    with opened(tmp_path / "h", clock=clock) as history:
        fill(history, tmp_path)
        going = [fate for fate in plan_prune(history, rules) if not fate.kept]
        with pytest.raises(_Killed):
            carry_out(History(history.database, _DiesRemoving(tmp_path / "h" / "artifacts"), clock), going)
        assert verify(history).problems == ()
        assert rebuild(history, documents=made).problems == ()
        assert len(history.invocations()) == 2
        assert carry_out(history, []) == 3
        assert verify(history).problems == ()
        assert history.add(tmp_path / "out-1").how == "new"
        assert carry_out(history, []) == 0, "what was brought by hand is not among what was pruned"
        assert verify(history).problems == ()


class _SweptMeanwhile(FolderStore):
    """A store that somebody else's prune sweeps between a writer's files and the writer's transaction."""

    def __init__(self, folder: Path, sweep: Callable[[], object]) -> None:
        super().__init__(folder)
        self._sweep: Callable[[], object] | None = sweep

    def add(self, files: Mapping[str, bytes]) -> int:
        added = super().add(files)
        sweep, self._sweep = self._sweep, None
        if sweep is not None:
            sweep()
        return added


def test_a_prune_takes_nothing_from_a_writer_at_the_same_time(tmp_path: Path) -> None:
    """What was pruned and is brought again by hand while another prune sweeps has all its files afterwards."""
    clock = ManualClock(wall_ns=START + 400 * 86_400 * 10**9)
    rules = Rules(keep=Duration.parse("1d"), keep_failing=Duration.parse("1d"), keep_last=1)
    with opened(tmp_path / "h", clock=clock) as history, opened(tmp_path / "h", clock=clock) as other:
        fill(history, tmp_path)
        carry_out(history, [fate for fate in plan_prune(history, rules) if not fate.kept])
        store = _SweptMeanwhile(tmp_path / "h" / "artifacts", lambda: carry_out(other, []))
        assert History(history.database, store, clock).add(tmp_path / "out-1", documents=made).how == "new"
        assert verify(history).problems == ()


def test_what_was_pruned_stays_away(tmp_path: Path) -> None:
    """Pruning removes rows and files of old invocations, keeps the last good one, and no pull brings the others back."""
    clock = ManualClock(wall_ns=START + 400 * 86_400 * 10**9)
    share = FolderStore(tmp_path / "share")
    rules = Rules(keep=Duration.parse("1d"), keep_failing=Duration.parse("1d"), keep_last=1)
    with opened(tmp_path / "h", clock=clock) as history:
        fill(history, tmp_path)
        push(history, share)
        fates = plan_prune(history, rules)
        kept = {fate.kept for fate in fates}
        assert kept == {"among the last 1 of leader-killed", "the last good result of leader-killed", ""}
        files = carry_out(history, [fate for fate in fates if not fate.kept])
        assert files == 3, "its bundle, an earlier state of it, and its document"
        assert len(history.invocations()) == 2
        assert verify(history).problems == ()
        assert pull(history, share) == Moved()
        assert len(history.invocations()) == 2
        assert history.add(tmp_path / "out-1").how == "new", "brought by hand it is wanted again"
