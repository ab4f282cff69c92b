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
from meshkit_chaos.history.logs import bundle_of_logs, logs_name
from meshkit_chaos.history.marking import is_mark
from meshkit_chaos.history.shelf import Shelf

_BYTES_AT_ONCE: Final = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How many of each came to be there that were not (``logs``: of so many invocations). ``refused``: names, and why."""

    invocations: int = 0
    marks: int = 0
    deliveries: int = 0
    logs: int = 0
    refused: tuple[tuple[str, str], ...] = ()


def push(history: History, remote: Shelf) -> Moved:
    """Put the newest bundle of every invocation, every mark, and what people were told, where they are not yet.

    Raises HistoryProblem, UsageError.
    """
    there = remote.names()
    bundles = frozenset(history.bundles().values())
    ours = (*bundles, *_beside(history.store, bundles), *history.write_deliveries())
    lacking = sorted(name for name in ours if name not in there)
    refused: list[tuple[str, str]] = []
    sent: list[str] = []
    for batch in _batches(history.store, lacking, refused):
        remote.add(batch)
        sent += batch
    marks, deliveries = sum(map(is_mark, sent)), sum(map(is_delivery, sent))
    logs = sum(bundle_of_logs(name) is not None for name in sent)
    invocations = len(sent) - marks - deliveries - logs
    return Moved(invocations=invocations, marks=marks, deliveries=deliveries, logs=logs, refused=tuple(refused))


def _beside(shelf: Shelf, bundles: frozenset[str]) -> Iterable[str]:
    """Marks, and the logs of these bundles."""
    for name in shelf.names():
        told = bundle_of_logs(name)
        if is_mark(name) or (told is not None and told.name in bundles):
            yield name


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
    and, of whatever age, what people said of runs, and were told. Logs come with their bundle, once: pruned ones stay away.

    Raises HistoryProblem where the remote cannot be listed.
    """
    there = remote.names()
    new = sorted(there - _settled(history))
    thrown_away = history.pruned()
    invocations, marks = 0, 0
    logs: list[str] = []
    told_there: dict[str, bytes] = {}
    refused: list[tuple[str, str]] = []
    for name in new:
        try:
            told = parse_name(name)
            if told is not None and told.invocation not in thrown_away and told.began >= since // 10**6:
                came = history.add_bundle(name, remote.read(name), documents=documents).how in ("new", "grew")
                invocations += came
                logs += [logs_name(name)] if came and logs_name(name) in there else []
            elif is_mark(name):
                marks += history.add_mark(name, remote.read(name))
            elif is_delivery(name):
                data = remote.read(name)
                read_delivery(name, data)
                told_there[name] = data
        except ChaosError as error:
            refused.append((name, error.message))
    history.add_deliveries(told_there)
    brought = sum(_brought(history, remote, name, refused) for name in logs)
    return Moved(invocations=invocations, marks=marks, deliveries=len(told_there), logs=brought, refused=tuple(refused))


def _brought(history: History, remote: Shelf, name: str, refused: list[tuple[str, str]]) -> bool:
    try:
        history.add_logs(name, remote.read(name))
    except ChaosError as error:
        refused.append((name, error.message))
        return False
    return True


def _settled(history: History) -> frozenset[str]:
    """Files that lie here, but for those that a writer put there and did not live to enter."""
    known = history.bundles().keys()
    names = history.store.names()
    return frozenset(name for name in names if (told := parse_name(name)) is None or told.invocation in known)
