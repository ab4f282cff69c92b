"""Texts that name a place → an open history, or an open shelf to push to and pull from.

A history is a folder (``index.sqlite`` and ``artifacts/`` in it), ``sqlite:///FILE`` or ``postgresql://…``. A shelf is a
folder, ``s3://bucket/prefix`` or ``git:PLACE#BRANCH``. Refuses what is neither, and a history that is not there where one
is only read.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history import branch, bucket
from meshkit_chaos.history.branch import GitBranch
from meshkit_chaos.history.bucket import BucketStore
from meshkit_chaos.history.database import Database, open_postgres, open_sqlite
from meshkit_chaos.history.index import History
from meshkit_chaos.history.shelf import FolderStore, Shelf, Store

INDEX: Final = "index.sqlite"
ARTIFACTS: Final = "artifacts"
_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://")
_SCHEME_LIKE: Final = re.compile(r"[a-z][a-z0-9+-]+:")
"""What looks like a kind of place: a misspelt one must not become a folder that nobody will look into."""


def open_place(location: str, clock: Clock, *, artifacts: str | None = None, make: bool = False) -> History:
    """Open a history; ``make``: begin one where there is none. Raises UsageError, HistoryProblem."""
    if location.startswith(_POSTGRES):
        store: Store = _store(artifacts) if artifacts else NoStore()
        return History(open_postgres(location.replace("postgres://", "postgresql://", 1)), store, clock)
    if location.startswith(_SQLITE):
        index = Path(location.removeprefix(_SQLITE))
    elif "://" in location or location.startswith(branch.SCHEME):
        raise UsageError(
            f"{location} is no history", hint="a folder, sqlite:///FILE or postgresql://…; to carry one: `history push`, `pull`"
        )
    else:
        index = Path(location) / INDEX
    store = _store(artifacts) if artifacts else FolderStore(index.parent / ARTIFACTS)
    return History(_sqlite(index, make=make), store, clock)


def _sqlite(index: Path, *, make: bool) -> Database:
    if not make and not index.is_file():
        raise HistoryProblem(
            f"there is no history in {index.parent}",
            hint="`meshkit-chaos history import OUT` or `history pull REMOTE` begins one; --history names another place",
        )
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryProblem(f"{index.parent} cannot be made: {error.strerror}", hint="name another --history") from error
    return open_sqlite(index)


def _store(location: str) -> Store:
    if location.startswith(bucket.SCHEME):
        return BucketStore(location)
    if "://" in location or location.startswith(branch.SCHEME):
        raise UsageError(f"--artifacts {location} is neither a folder nor s3://bucket/prefix")
    return FolderStore(Path(location))


@contextlib.contextmanager
def opened_shelf(location: str) -> Iterator[Shelf]:
    """Open a place to push to or to pull from. Raises UsageError, HistoryProblem."""
    if location.startswith(branch.SCHEME):
        with tempfile.TemporaryDirectory(prefix="meshkit-chaos-git-") as scratch:
            yield GitBranch(location, scratch=Path(scratch))
    elif location.startswith(bucket.SCHEME):
        yield BucketStore(location)
    elif "://" in location or (_SCHEME_LIKE.match(location) and not Path(location).is_dir()):
        hint = f"a folder (./{location} if it is one), s3://bucket/prefix, or git:PATH-OR-URL#branch"
        raise UsageError(f"{location} is no remote", hint=hint)
    else:
        yield FolderStore(Path(location))


class NoStore:
    """Stands where nobody said where artifacts lie: enough to read the index, refused for everything else."""

    where: Final = "(no artifacts)"

    def names(self) -> frozenset[str]:
        raise self._missing()

    def read(self, name: str) -> bytes:
        del name
        raise self._missing()

    def add(self, files: Mapping[str, bytes]) -> int:
        del files
        raise self._missing()

    def remove(self, name: str) -> None:
        del name
        raise self._missing()

    def _missing(self) -> UsageError:
        return UsageError(
            "a history in PostgreSQL does not say where its artifacts lie", hint="name a folder or s3://… with --artifacts"
        )
