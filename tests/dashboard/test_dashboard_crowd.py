"""Two hundred readers at once while others write: every answer is a whole page, and every result arrives."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dashboard_server import Client, serving
from history_builder import START, TWO, evidence_of, variant, written

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.index import History
from meshkit_chaos.history.model import Ask
from meshkit_chaos.history.places import open_place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
READERS = 200
EACH = 3
WRITTEN = 20
PATHS = (
    "/", "/grid.html", "/coverage.html", "/scenario/too-strict.html", "/metrics", "/badge/release.svg", "/api/v1/scenarios",
)  # fmt: skip


def one(location: str, tmp_path: Path) -> History:
    return open_place(location, ManualClock(wall_ns=START), artifacts=str(tmp_path / "artifacts"))


def test_no_reader_meets_an_error_while_others_write(location: str, tmp_path: Path) -> None:
    """Pages, metrics, badges, the API and runs drawn from their evidence: 600 answers, all whole; 20 invocations taken in."""
    evidence = evidence_of(TWO)
    outs = [written(variant(evidence, number * 90_000), tmp_path / f"out{number}") for number in range(WRITTEN + 1)]
    with one(location, tmp_path) as writer, one(location, tmp_path) as reader:
        writer.add(outs[0])
        run = writer.results(Ask())[0].runs[0].run
        what_if = f"/api/v1/runs/{run}/what-if?objective=converge-one-leader&within=3"
        paths = (*PATHS, f"/run/{run}.html", what_if)
        with serving(reader) as client, ThreadPoolExecutor(READERS + 1) as pool:
            writing = pool.submit(lambda: [writer.add(out) for out in outs[1:]])
            asked = [pool.submit(_read, client, paths, number) for number in range(READERS)]
            statuses = Counter(status for future in asked for status in future.result(300))
            assert len(writing.result(300)) == WRITTEN
        assert statuses == {200: READERS * EACH}
        with pytest.raises(HistoryProblem, match="read"), reader.database.reading() as connection:
            connection.exec_driver_sql("DELETE FROM results")
        assert len(writer.invocations()) == WRITTEN + 1


def _read(client: Client, paths: tuple[str, ...], number: int) -> list[int]:
    return [client.get(paths[(number + step) % len(paths)]).status for step in range(EACH)]
