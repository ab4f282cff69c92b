"""Taking results in: twice is once, order does not matter, what grew replaces what it was, what contradicts is refused."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from history_builder import JOURNAL, LOG, TWO, Evidence, crashed, everything, evidence_of, opened, variant, written

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.errors import HistoryProblem, JournalDamaged
from meshkit_chaos.history.deriving import past
from meshkit_chaos.history.model import Ask


def test_what_was_taken_in_is_what_the_results_say(tmp_path: Path) -> None:
    """Every value that is derived from results comes back from the tables as it was."""
    out = written(evidence_of(TWO), tmp_path / "out")
    invocation, scenarios = past(read_results(out))
    with opened(tmp_path / "history") as history:
        assert history.add(out).how == "new"
        assert history.invocation(invocation.invocation) == (invocation, scenarios)
        assert history.invocations() == (invocation,)
        assert history.results(Ask()) == scenarios


def test_twice_is_once(tmp_path: Path) -> None:
    """A second import changes nothing, in the index or on the shelf."""
    out = written(evidence_of(), tmp_path / "out")
    with opened(tmp_path / "history") as history:
        history.add(out)
        before, names = everything(history), history.store.names()
        assert history.add(out).how == "known"
        assert (everything(history), history.store.names()) == (before, names)


def test_order_does_not_matter(tmp_path: Path) -> None:
    """However invocations and the states of one of them arrive, the index says the same in the end."""
    whole = evidence_of()
    states = [crashed(whole), whole, variant(whole, 5), variant(whole, 9)]
    outs = [written(state, tmp_path / f"out-{number}") for number, state in enumerate(states)]
    said = []
    for number, order in enumerate([*itertools.permutations(outs)][::3]):
        with opened(tmp_path / f"history-{number}") as history:
            for out in order:
                history.add(out)
            said.append(everything(history))
    assert all(results == said[0] for results in said)
    assert [one.verdict for one in said[0]] == ["pass"] * 3


def test_a_run_that_grew_replaces_what_it_was(tmp_path: Path) -> None:
    """A crashed run is no pass; once it is whole, what it says then counts; an older copy that comes late is no step back."""
    whole = evidence_of()
    before, after = written(crashed(whole), tmp_path / "before"), written(whole, tmp_path / "after")
    with opened(tmp_path / "history") as history:
        history.add(before)
        assert [one.verdict for one in everything(history)] != ["pass"]
        assert everything(history)[0].runs[0].outcome == "crashed"
        assert history.add(after).how == "grew"
        assert history.add(before).how == "older"
        assert [(one.verdict, one.runs[0].outcome) for one in everything(history)] == [("pass", "completed")]


@pytest.mark.parametrize("altered", [JOURNAL, LOG, "samples"])
def test_what_contradicts_is_refused(tmp_path: Path, altered: str) -> None:
    """Evidence of a known invocation that does not continue what is known is refused by name, and leaves nothing behind."""
    whole = evidence_of()
    name = next(name for name in whole if altered in name)
    changed: Evidence = {**whole, name: whole[name].replace(b"1", b"2", 1) if name.endswith("jsonl") else b"other"}
    with opened(tmp_path / "history") as history:
        history.add(written(whole, tmp_path / "out"))
        before, names = everything(history), history.store.names()
        with pytest.raises(HistoryProblem, match=f"differs from what is known of it: changed is {name}"):
            history.add(written(changed, tmp_path / "changed"))
        assert (everything(history), history.store.names()) == (before, names)


def test_a_run_belongs_to_one_invocation(tmp_path: Path) -> None:
    """A folder put together from another invocation's runs is refused."""
    whole = evidence_of()
    told = whole[LOG].partition(b'"invocation":"')[2][:26]
    mixed = {**whole, LOG: whole[LOG].replace(told, b"01KDVDNA00AAAAAAAAAAAAAAAA")}
    with opened(tmp_path / "history") as history:
        history.add(written(whole, tmp_path / "out"))
        with pytest.raises(HistoryProblem, match="is known as a part of the invocation"):
            history.add(written(mixed, tmp_path / "mixed"))
        assert len(history.invocations()) == 1


def test_an_announced_run_without_a_record_is_kept_as_missing(tmp_path: Path) -> None:
    """What was announced and left nothing is in history, and no pass."""
    out = written(evidence_of(TWO), tmp_path / "out")
    shutil.rmtree(out / "runs" / "leader-killed")
    with opened(tmp_path / "history") as history:
        history.add(out)
        (missing,) = history.results(Ask(scenarios=("leader-killed",)))
        assert (missing.verdict, missing.runs, missing.tags) == ("inconclusive", (), ("smoke",))


def test_a_folder_without_an_invocation_is_refused(tmp_path: Path) -> None:
    """Trap 21: results that are missing or empty are an error, never an empty history."""
    with opened(tmp_path / "history") as history:
        for name in ("none", "empty"):
            (tmp_path / "empty").mkdir(exist_ok=True)
            with pytest.raises(JournalDamaged, match=LOG):
                history.add(tmp_path / name)
        assert history.invocations() == ()


def test_links_in_results_are_not_followed(tmp_path: Path) -> None:
    """Trap 28: a journal that is a link to elsewhere is not taken in; its run is missing."""
    out = written(evidence_of(), tmp_path / "out")
    journal = out / JOURNAL
    journal.rename(tmp_path / "elsewhere")
    journal.symlink_to(tmp_path / "elsewhere")
    with opened(tmp_path / "history") as history:
        added = history.add(out)
        assert [one.verdict for one in everything(history)] == ["inconclusive"]
        assert JOURNAL.encode() not in history.store.read(added.bundle)


def test_a_record_that_a_secret_leaked_into_is_not_copied(tmp_path: Path) -> None:
    """Trap 19: evidence that holds a secret is refused, and no file of it comes to lie on the shelf."""
    whole = evidence_of()
    lines = whole[JOURNAL].splitlines(keepends=True)
    leaked = b'{"seq":%d,"t":9,"event":{"kind":"secret.leaked","secret":"TOKEN","file":"samples/x"}}\n' % len(lines)
    with opened(tmp_path / "history") as history:
        with pytest.raises(HistoryProblem, match="the secret TOKEN leaked"):
            history.add(written({**whole, JOURNAL: whole[JOURNAL] + leaked}, tmp_path / "out"))
        assert not history.store.names()


def test_marks_leave_the_baselines_and_come_back(tmp_path: Path) -> None:
    """A run that people invalidated is left out unless asked for, says why, and counts again when that is undone."""
    with opened(tmp_path / "history") as history:
        history.add(written(evidence_of(), tmp_path / "out"))
        run = everything(history)[0].runs[0].run
        history.mark(run, counts=False, reason="the lab lost a disk", by="jo")
        assert history.results(Ask()) == ()
        assert everything(history)[0].runs[0].invalidated == "the lab lost a disk"
        assert not everything(history)[0].counts
        history.clock.advance_to(10**9)  # type: ignore[attr-defined]  # the builder's clock is a manual one
        history.mark(run, counts=True, reason="the disk was another lab's", by="jo")
        assert len(history.results(Ask())) == 1


def test_a_mark_survives_that_its_run_grows(tmp_path: Path) -> None:
    """What people said of a run holds for its later states."""
    whole = evidence_of()
    with opened(tmp_path / "history") as history:
        history.add(written(crashed(whole), tmp_path / "before"))
        run = everything(history)[0].runs[0].run
        history.mark(run, counts=False, reason="power cut", by="jo")
        history.add(written(whole, tmp_path / "after"))
        assert everything(history)[0].runs[0].invalidated == "power cut"
