"""Many writers at once on one SQLite file: nothing lost, nothing doubled, nothing half-written."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from crowd_laws import killed_writers_leave_nothing_half, nothing_lost_nothing_doubled, one_holder_at_a_time
from history_builder import everything, evidence_of, opened

from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history import writing
from meshkit_chaos.history.index import Derived, History, derive


@pytest.mark.slow
def test_two_hundred_writers(tmp_path: Path) -> None:
    """200 writers in 8 processes: every invocation is there once, as if one had written them all."""
    nothing_lost_nothing_doubled(str(tmp_path / "h"), tmp_path)


@pytest.mark.slow
def test_killed_writers(tmp_path: Path) -> None:
    """SIGKILL at any instant leaves an index in which everything is whole."""
    killed_writers_leave_nothing_half(str(tmp_path / "h"), tmp_path, kills=8)


def test_a_lease_has_one_holder(tmp_path: Path) -> None:
    """However many ask at once, one has it, and tokens only grow."""
    one_holder_at_a_time(str(tmp_path / "h"), tmp_path / "artifacts")


def half(history: History, state: Derived) -> NoReturn:
    """Begin to write an invocation, and do not come to the end."""
    with history.database.writing() as connection:
        writing.put(connection, state.invocation, state.scenarios, bundle=state.bundle)
        raise HistoryProblem("power cut")


def test_a_transaction_that_ends_early_leaves_nothing(tmp_path: Path) -> None:
    """An error after half of an invocation was written: nothing of it is there, and what was known before still is."""
    with opened(tmp_path / "h") as history:
        state = derive(evidence_of())
        with pytest.raises(HistoryProblem, match="power"):
            half(history, state)
        assert everything(history) == ()
        assert history.invocations() == ()
