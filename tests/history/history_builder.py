"""Results for history: one real invocation in virtual time, and any number of others made from it by renaming.

``evidence_of`` runs a document once and gives its evidence; ``variant`` gives the same with other ULIDs and another instant;
``crashed`` cuts the journal of its run; ``opened`` is an empty history in SQLite and a folder.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from virtual_runs import document, invoke, scenario_text

from meshkit_chaos.clock import Clock, ManualClock, ulid
from meshkit_chaos.history.bundles import collect, spread
from meshkit_chaos.history.database import open_sqlite
from meshkit_chaos.history.index import History
from meshkit_chaos.history.model import Ask, PastScenario
from meshkit_chaos.history.shelf import FolderStore

Evidence = dict[str, bytes]
JOURNAL = "runs/leader-killed/001/journal.jsonl"
LOG = "invocation.jsonl"
SECOND = 10**9
START = 1_767_225_600 * SECOND
TWO = document(
    scenario_text(more="tags: [smoke]\nmodules: [leadership]"),
    scenario_text(objectives="[{converge: one-leader, within: 500ms}]").replace("id: leader-killed", "id: too-strict"),
)


@functools.cache
def _ran(text: str) -> tuple[tuple[str, bytes], ...]:
    with tempfile.TemporaryDirectory() as folder:
        invoke(Path(folder) / "out", text)
        return tuple(collect(Path(folder) / "out").items())


def evidence_of(text: str | None = None) -> Evidence:
    """The evidence of a document that was run once; the same for the same document in one process."""
    return dict(_ran(text or document()))


def variant(evidence: Mapping[str, bytes], number: int, *, subject: str = "1", invocation: str | None = None) -> Evidence:
    """The same results as another invocation, ``number`` seconds later."""
    clock = ManualClock(wall_ns=START + number * SECOND)
    log = evidence[LOG].decode()
    old = set(re.findall(r'"(?:invocation|run)":"([0-9A-Z]{26})"', log))
    told = re.search(r'"invocation":"([0-9A-Z]{26})"', log)
    assert told is not None
    new = {name: ulid(clock) for name in old} | ({told[1]: invocation} if invocation else {})
    renamed = {name: _renamed(data, new) if name.endswith(".jsonl") else data for name, data in evidence.items()}
    later = re.sub(rb'"wall_ns":\d+', b'"wall_ns":%d' % clock.wall_ns(), renamed[LOG])
    return {**renamed, LOG: later.replace(b'"subject":{"version":"1"}', b'"subject":{"version":"%b"}' % subject.encode())}


def _renamed(data: bytes, new: Mapping[str, str]) -> bytes:
    for old, name in new.items():
        data = data.replace(old.encode(), name.encode())
    return data


def crashed(evidence: Mapping[str, bytes], *, lines: int = -3, torn: bytes = b'{"seq":9') -> Evidence:
    """The same invocation as it was found after its runner died: fewer whole lines, and a torn one."""
    whole = evidence[JOURNAL].splitlines(keepends=True)
    return {
        **evidence,
        JOURNAL: b"".join(whole[:lines]) + torn,
        LOG: evidence[LOG].splitlines(keepends=True)[0] + _announced(evidence),
    }


def _announced(evidence: Mapping[str, bytes]) -> bytes:
    return b"".join(line for line in evidence[LOG].splitlines(keepends=True) if b'"run.announced"' in line)


def written(evidence: Mapping[str, bytes], folder: Path) -> Path:
    """Evidence as a results folder."""
    spread(evidence, folder)
    return folder


@functools.cache
def _migrated() -> bytes:
    """An empty database of the newest schema: migrating is tested once, and need not be done a hundred times."""
    with tempfile.TemporaryDirectory() as folder:
        open_sqlite(Path(folder) / "index.sqlite").close()
        return (Path(folder) / "index.sqlite").read_bytes()


@contextmanager
def opened(folder: Path, *, clock: Clock | None = None) -> Iterator[History]:
    """A history of its own, begun if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "index.sqlite").exists():
        (folder / "index.sqlite").write_bytes(_migrated())
    store = FolderStore(folder / "artifacts")
    with History(open_sqlite(folder / "index.sqlite"), store, clock or ManualClock(wall_ns=START)) as history:
        yield history


def everything(history: History) -> tuple[PastScenario, ...]:
    return history.results(Ask(invalidated=True))
