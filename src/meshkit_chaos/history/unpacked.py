"""The evidence of one invocation, spread out for as long as somebody looks at it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from meshkit_chaos.campaign.results import Results, read_results
from meshkit_chaos.history.bundles import spread, unpack
from meshkit_chaos.history.database import Database
from meshkit_chaos.history.shelf import Shelf
from meshkit_chaos.history.writing import bundle_of


@contextlib.contextmanager
def results_of(database: Database, shelf: Shelf, invocation: str) -> Iterator[Results | None]:
    """None where the invocation is not known. Raises HistoryProblem where its bundle is gone or was altered."""
    with database.reading() as connection:
        name = bundle_of(connection, invocation)
    if name is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="meshkit-chaos-") as folder:
        spread(unpack(name, shelf.read(name)), Path(folder))
        yield read_results(Path(folder))
