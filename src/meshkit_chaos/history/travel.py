"""Histories on their way: push what a remote lacks, pull what it has more. Both only ever add, so order and repetition are
harmless.

What cannot be believed (altered, contradicting) is refused by name and the rest goes on: the caller is told, and ends non-zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.errors import ChaosError
from meshkit_chaos.history.bundles import parse_name
from meshkit_chaos.history.deliveries import is_delivery, read_delivery
from meshkit_chaos.history.index import Documents, History, no_documents
from meshkit_chaos.history.marking import is_mark
from meshkit_chaos.history.shelf import Shelf

_BYTES_AT_ONCE: Final = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """``invocations``, ``marks``, ``deliveries``: how many came to be there that were not. ``refused``: names, and why."""

    invocations: int = 0
    marks: int = 0
    deliveries: int = 0
    refused: tuple[tuple[str, str], ...] = ()


def push(history: History, remote: Shelf) -> Moved:
    """Put the newest bundle of every invocation, every mark, and what people were told, where they are not yet.

    Raises HistoryProblem, UsageError.
    """
    there = remote.names()
    ours = (*history.bundles().values(), *_marks(history.store), *history.write_deliveries())
    lacking = sorted(name for name in ours if name not in there)
    refused: list[tuple[str, str]] = []
    sent: list[str] = []
    for batch in _batches(history.store, lacking, refused):
        remote.add(batch)
        sent += batch
    marks, deliveries = sum(map(is_mark, sent)), sum(map(is_delivery, sent))
    return Moved(invocations=len(sent) - marks - deliveries, marks=marks, deliveries=deliveries, refused=tuple(refused))


def _marks(shelf: Shelf) -> Iterable[str]:
    return (name for name in shelf.names() if is_mark(name))


def _batches(shelf: Shelf, names: Iterable[str], refused: list[tuple[str, str]]) -> Iterator[dict[str, bytes]]:
    batch: dict[str, bytes] = {}
    for name in names:
        try:
            batch[name] = shelf.read(name)
        except ChaosError as error:
            refused.append((name, error.message))
        if sum(map(len, batch.values())) >= _BYTES_AT_ONCE:
            yield batch
            batch = {}
    if batch:
        yield batch


def pull(history: History, remote: Shelf, *, since: int = 0, documents: Documents = no_documents) -> Moved:
    """Take in what the remote has and the history does not, of invocations that began at ``since`` (wall-clock ns) or later;
    and, of whatever age, what people said of runs, and were told.

    Raises HistoryProblem where the remote cannot be listed.
    """
    new = sorted(remote.names() - _settled(history))
    thrown_away = history.pruned()
    invocations, marks = 0, 0
    told_there: dict[str, bytes] = {}
    refused: list[tuple[str, str]] = []
    for name in new:
        try:
            told = parse_name(name)
            if told is not None and told.invocation not in thrown_away and told.began >= since // 10**6:
                invocations += history.add_bundle(name, remote.read(name), documents=documents).how in ("new", "grew")
            elif is_mark(name):
                marks += history.add_mark(name, remote.read(name))
            elif is_delivery(name):
                data = remote.read(name)
                read_delivery(name, data)
                told_there[name] = data
        except ChaosError as error:
            refused.append((name, error.message))
    history.add_deliveries(told_there)
    return Moved(invocations=invocations, marks=marks, deliveries=len(told_there), refused=tuple(refused))


def _settled(history: History) -> frozenset[str]:
    """Files that lie here, but for those that a writer put there and did not live to enter."""
    known = history.bundles().keys()
    names = history.store.names()
    return frozenset(name for name in names if (told := parse_name(name)) is None or told.invocation in known)
