"""Throw away what retention lets go: the index forgets it and stays so, then its files go, unless another invocation needs
them.

Takes an open history and the fates. The index goes first: a prune that is cut short leaves files that nobody names, never
an index that names files which are gone.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshkit_chaos.history import writing
from meshkit_chaos.history.bundles import parse_name, unpack
from meshkit_chaos.history.evidence import goes_on
from meshkit_chaos.history.index import History
from meshkit_chaos.history.retention import Fate, Rules, fates


def plan_prune(history: History, rules: Rules) -> tuple[Fate, ...]:
    """What would go, and what stays although it is old."""
    return fates(history.invocations(), history.outlines(), rules, now=history.clock.wall_ns())


def carry_out(history: History, going: Iterable[Fate]) -> int:
    """Throw them away; how many files went."""
    names = {fate.invocation.invocation for fate in going}
    with history.database.writing() as connection:
        for name in sorted(names):
            writing.lock(connection, name)
            writing.prune(connection, name, at=history.clock.wall_ns())
    return _sweep(history)


def _sweep(history: History) -> int:
    """Remove documents that nothing names, bundles of pruned invocations, and earlier states of those that are known."""
    bundles = history.bundles()
    thrown_away = history.pruned() - bundles.keys()
    needed = {f"sha256/{row['digest'][:2]}/{row['digest'][2:]}" for row in history.documents()}
    idle = []
    for name in history.store.names():
        told = parse_name(name)
        gone = told is not None and (
            told.invocation in thrown_away or _superseded(history, name, bundles.get(told.invocation, name))
        )
        if gone or (name.startswith("sha256/") and name not in needed):
            idle.append(name)
    for name in idle:
        history.store.remove(name)
    return len(idle)


def _superseded(history: History, name: str, newest: str) -> bool:
    """Whether a bundle says nothing that the one in the index does not say. A later state is some writer's at this moment."""
    return name != newest and goes_on(unpack(name, history.store.read(name)), unpack(newest, history.store.read(newest)))
