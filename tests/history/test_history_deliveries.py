"""Records of deliveries: they travel, join in any order, and what was delivered anywhere is never waiting again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from history_builder import START, evidence_of, opened, written
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.checking import rebuild, verify
from meshkit_chaos.history.deliveries import Delivery, delivery_file, is_delivery, newest, read_delivery
from meshkit_chaos.history.index import History
from meshkit_chaos.history.pruning import forget_deliveries, old_deliveries
from meshkit_chaos.history.retention import Rules
from meshkit_chaos.history.shelf import FolderStore
from meshkit_chaos.history.travel import pull, push
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import encode

WAITING = Delivery(
    key="v1:a", channel="chat", thread="t", occasion="summary", position=1, state="pending", action="{}", at=START,
    not_before=0, attempts=0,
)  # fmt: skip
SENDING = structs.replace(WAITING, state="sending", attempts=1, tried_at=START, revision=1, claimed_until=START + 1)
DELIVERED = structs.replace(SENDING, state="delivered", receipt='{"did":"sent"}', settled_at=START, revision=2)
FAILED = structs.replace(WAITING, attempts=3, error="503", revision=6)


def put(history: History, *deliveries: Delivery) -> None:
    history.add_deliveries(dict(map(delivery_file, deliveries)))


def test_a_record_is_read_back_as_it_was() -> None:
    """Name and bytes say the same, and the same state gives the same file."""
    name, data = delivery_file(DELIVERED)
    assert is_delivery(name)
    assert name.startswith("deliveries/2026/01/")
    assert read_delivery(name, data) == DELIVERED
    assert delivery_file(DELIVERED) == (name, data)


def test_a_storm_of_thousands_of_scenarios_travels(tmp_path: Path) -> None:
    """What tells of five thousand causes is a large record, and the next job knows of it all the same."""
    causes = [f"v1:scenario-{number:05d}: " + 200 * "x" for number in range(5000)]
    storm = structs.replace(DELIVERED, action=encode(causes).decode())
    with opened(tmp_path / "a") as first, opened(tmp_path / "b") as second:
        put(first, storm)
        shelf = FolderStore(tmp_path / "remote")
        push(first, shelf)
        assert pull(second, shelf).refused == ()
        assert second.deliveries() == (storm,)


def test_a_record_that_is_too_large_is_called_so() -> None:
    """Nobody is sent looking for an alteration that is none."""
    name, data = delivery_file(structs.replace(DELIVERED, action=" " * 2**26))
    with pytest.raises(HistoryProblem, match="larger than"):
        read_delivery(name, data)


@pytest.mark.parametrize("hurt", ["digest", "name", "unknown", "large"])
def test_what_was_altered_is_refused(hurt: str) -> None:
    """A record whose bytes or name do not fit, or that no row can hold, is not taken in."""
    name, data = delivery_file(DELIVERED)
    match hurt:
        case "digest":
            data = data.replace(b"sent", b"SENT")
        case "name":
            other, other_data = delivery_file(structs.replace(DELIVERED, key="v1:b"))
            name, data = name[: name.rindex("-")] + other[other.rindex("-") :], other_data
        case "unknown":
            name = "deliveries/2026/01/x.json"
        case "large":
            name, data = delivery_file(structs.replace(DELIVERED, at=2**63))
    with pytest.raises(HistoryProblem):
        read_delivery(name, data)


@given(st.permutations([WAITING, SENDING, DELIVERED, FAILED]))
def test_delivered_anywhere_is_delivered(states: list[Delivery]) -> None:
    """In whatever order states come, also those of two jobs that knew nothing of each other, delivered holds."""
    assert newest(states)["v1:a"] == DELIVERED
    assert newest([one for one in states if one != DELIVERED])["v1:a"] == FAILED


def test_files_join_in_any_order(tmp_path: Path) -> None:
    """The index says the same, in whatever order records came to it."""
    for number, states in enumerate(itertools.permutations([WAITING, SENDING, DELIVERED, FAILED])):
        with opened(tmp_path / str(number % 3)) as history:
            for one in states:
                put(history, structs.replace(one, key=f"v1:{number}"))
            found = {one.key: one for one in history.deliveries()}
            assert found[f"v1:{number}"].state == "delivered"


def test_what_was_told_travels(tmp_path: Path) -> None:
    """Pushed and pulled, what waits waits there too, and what was delivered is delivered; a second time moves nothing."""
    shelf = FolderStore(tmp_path / "shelf")
    with opened(tmp_path / "a") as first, opened(tmp_path / "b") as second:
        put(first, WAITING, structs.replace(DELIVERED, key="v1:b"))
        assert push(first, shelf).deliveries == 2
        assert push(first, shelf).deliveries == 0
        assert pull(second, shelf).deliveries == 2
        assert pull(second, shelf).deliveries == 0
        assert second.deliveries() == first.deliveries()
        put(second, DELIVERED)
        assert push(second, shelf).deliveries == 1
        pull(first, shelf)
        assert {one.state for one in first.deliveries()} == {"delivered"}


def test_a_pull_that_was_cut_short_sends_nothing_again(tmp_path: Path) -> None:
    """All records are taken in at once: an earlier state is never there alone."""

    class Breaking(FolderStore):
        """Breaks at the third file."""

        count = 0

        def read(self, name: str) -> bytes:
            self.count += 1
            if self.count == 3:
                raise RuntimeError("the job was ended")
            return super().read(name)

    folder = tmp_path / "shelf"
    FolderStore(folder).add(dict(map(delivery_file, (WAITING, SENDING, DELIVERED))))
    with opened(tmp_path / "a") as history:
        with pytest.raises(RuntimeError):
            pull(history, Breaking(folder))
        assert history.deliveries() == ()
        pull(history, FolderStore(folder))
        assert [one.state for one in history.deliveries()] == ["delivered"]


def test_an_altered_record_is_refused_by_name(tmp_path: Path) -> None:
    """One that cannot be believed is told, and the rest is taken in."""
    shelf = FolderStore(tmp_path / "shelf")
    name, data = delivery_file(DELIVERED)
    shelf.add({name: data.replace(b"sent", b"SENT"), **dict([delivery_file(structs.replace(WAITING, key="v1:b"))])})
    with opened(tmp_path / "a") as history:
        moved = pull(history, shelf)
        assert [one for one, _ in moved.refused] == [name]
        assert moved.deliveries == 1
        assert [one.key for one in history.deliveries()] == ["v1:b"]


def test_an_index_that_is_made_again_remembers(tmp_path: Path) -> None:
    """With the index gone, results and what was told of them come back from the shelf; `verify` says so before."""
    with opened(tmp_path / "a") as history:
        history.add(written(evidence_of(), tmp_path / "out"))
        put(history, WAITING, DELIVERED)
        assert verify(history).problems == ()
        assert verify(history).deliveries == 2
    for file in (tmp_path / "a").glob("index.sqlite*"):
        file.unlink()
    with opened(tmp_path / "a") as history:
        assert any("index does not know" in why for name, why in verify(history).problems if is_delivery(name))
        assert rebuild(history).deliveries == 2
        assert history.deliveries() == (DELIVERED,)
        assert verify(history).problems == ()


def test_writing_records_is_idempotent(tmp_path: Path) -> None:
    """The same state is one file, however often it is written."""
    with opened(tmp_path / "a") as history:
        put(history, DELIVERED)
        names = history.write_deliveries()
        assert names == history.write_deliveries() == history.write_deliveries({"v1:a"})
        assert sum(map(is_delivery, history.store.names())) == 1


def test_old_threads_are_forgotten(tmp_path: Path) -> None:
    """A thread that was silent for as long as failures are kept goes, and so do earlier states; what waits stays."""
    clock = ManualClock(wall_ns=START + 400 * 24 * 3600 * 10**9)
    rules = Rules(keep=Duration.parse("90d"), keep_failing=Duration.parse("365d"), keep_last=1)
    with opened(tmp_path / "a", clock=clock) as history:
        waits = structs.replace(FAILED, key="v1:b", thread="u")
        young = structs.replace(DELIVERED, key="v1:c", thread="v", at=clock.wall_ns())
        history.store.add(dict([delivery_file(structs.replace(waits, revision=0))]))
        put(history, WAITING, DELIVERED, waits, young)
        old = old_deliveries(history, rules)
        assert [one.key for one in old] == ["v1:a"]
        assert forget_deliveries(history, old) == 3
        assert {one.key for one in history.deliveries()} == {"v1:b", "v1:c"}
        assert verify(history).problems == ()
