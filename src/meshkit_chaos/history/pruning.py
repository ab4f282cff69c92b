"""Throw away what retention lets go: the index forgets it and stays so, then its files go, unless another invocation needs
them.

Takes an open history and the fates. The index goes first: a prune that is cut short leaves files that nobody names, never
an index that names files which are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from meshkit_chaos.history import tables as t
from meshkit_chaos.history import writing
from meshkit_chaos.history.bundles import parse_name, unpack
from meshkit_chaos.history.deliveries import Delivery, delivery_file, is_delivery
from meshkit_chaos.history.evidence import goes_on
from meshkit_chaos.history.index import History
from meshkit_chaos.history.logs import bundle_of_logs, logs_name
from meshkit_chaos.history.retention import Fate, Rules, fates
from meshkit_chaos.slo import Duration

_AT_ONCE: Final = 100
"""Files that go while writers wait."""


def plan_prune(history: History, rules: Rules) -> tuple[Fate, ...]:
    """What would go, and what stays although it is old."""
    return fates(history.invocations(), history.outlines(), rules, now=history.clock.wall_ns())


def old_logs(history: History, keep: Duration) -> tuple[str, ...]:
    """The names of logs that nobody looks for any more: of invocations that began so long ago. The evidence stays."""
    oldest = (history.clock.wall_ns() - keep.ns) // 10**6
    named = ((name, bundle_of_logs(name)) for name in history.store.names())
    return tuple(sorted(name for name, told in named if told is not None and told.began < oldest))


def forget_logs(history: History, old: Iterable[str]) -> int:
    """Remove those that are still there; how many files went. Nothing names logs, so no writer is kept waiting."""
    going = history.store.names() & set(old)
    for name in going:
        history.store.remove(name)
    return len(going)


def carry_out(history: History, going: Iterable[Fate]) -> int:
    """Throw them away; how many files went."""
    names = {fate.invocation.invocation for fate in going}
    with history.database.writing() as connection:
        writing.share_marks(connection)
        for name in sorted(names):
            writing.lock(connection, name)
            writing.prune(connection, name, at=history.clock.wall_ns())
    return _sweep(history)


def old_deliveries(history: History, rules: Rules) -> tuple[Delivery, ...]:
    """What need not be remembered any more: what was never sent because something later said it, and whole threads in which
    nothing waits and nothing happened for as long as failures are kept."""
    now = history.clock.wall_ns()
    every = history.deliveries()
    forgotten = now - max(rules.keep, rules.keep_failing).ns
    waits = ("pending", "sending", "ambiguous")
    alive = {(one.channel, one.thread) for one in every if one.at >= forgotten or one.state in waits}
    return tuple(
        one
        for one in every
        if (one.channel, one.thread) not in alive or (one.state == "superseded" and one.at < now - rules.keep.ns)
    )


def forget_deliveries(history: History, old: Iterable[Delivery]) -> int:
    """Forget them, and earlier states of those that stay; how many files went.

    What is pulled again is only remembered again: it is settled.
    """
    going = [{"gone": one.key} for one in old]
    with history.database.writing() as connection:
        writing.hold_outbox(connection)
        if going:
            connection.execute(sa.delete(t.outbox).where(t.outbox.c.key == sa.bindparam("gone")), going)
    there = [name for name in history.store.names() if is_delivery(name)]
    current = {delivery_file(one)[0] for one in history.deliveries()}
    idle = [name for name in there if name not in current]
    for name in idle:
        history.store.remove(name)
    return len(idle)


def _sweep(history: History) -> int:
    """Remove documents that nothing names, bundles of pruned invocations, and earlier states of those that are known."""
    bundles = history.bundles()
    thrown_away = history.pruned() - bundles.keys()
    needed = _documents(history)
    idle = []
    for name in history.store.names():
        told, logs = parse_name(name), bundle_of_logs(name)
        gone = told is not None and (
            told.invocation in thrown_away or _superseded(history, name, bundles.get(told.invocation, name))
        )
        if logs is not None:  # those of an earlier state are not looked for any more
            gone = logs.invocation in thrown_away or bundles.get(logs.invocation, logs.name) != logs.name
        if gone or (name.startswith("sha256/") and name not in needed):
            idle.append(name)
    return sum(_removed(history, idle[start : start + _AT_ONCE]) for start in range(0, len(idle), _AT_ONCE))


def _removed(history: History, idle: Sequence[str]) -> int:
    """Remove files, but for those that a writer has come to name since; no other does meanwhile."""
    with history.database.writing() as connection:
        writing.own_files(connection)
        bundles = history.bundles().values()
        named = {*bundles, *map(logs_name, bundles), *_documents(history)}
        going = [name for name in idle if name not in named]
        for name in going:
            history.store.remove(name)
    return len(going)


def _documents(history: History) -> frozenset[str]:
    return frozenset(f"sha256/{row['digest'][:2]}/{row['digest'][2:]}" for row in history.documents())


def _superseded(history: History, name: str, newest: str) -> bool:
    """Whether a bundle says nothing that the one in the index does not say. A later state is some writer's at this moment."""
    return name != newest and goes_on(unpack(name, history.store.read(name)), unpack(newest, history.store.read(newest)))
