"""Module × kind of fault: when it was last proved what a part of the mesh does under that fault. Pure.

A proof is a run in which the fault bit and that passed or failed: either way something was learnt. A cell without one is shown
as never exercised, because nobody notices what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.readiness import NO_MODULE
from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.slo import Duration

_DAY = 24 * 3600 * 10**9
OLD = Duration.parse("30d")


class Proof(Struct, frozen=True, kw_only=True):
    """``day`` empty: never. ``age``: in days."""

    day: str = ""
    age: int = 0
    old: bool = False
    verdict: str = ""
    scenario: str = ""
    href: str = ""


class CoverageRow(Struct, frozen=True, kw_only=True):
    module: str
    proofs: tuple[Proof, ...]
    never: int


class Coverage(Struct, frozen=True, kw_only=True):
    """``kinds``: every kind of fault that there is."""

    kinds: tuple[str, ...]
    rows: tuple[CoverageRow, ...]
    exercised: int
    cells: int


def coverage(
    results: Iterable[PastScenario], known: Sequence[PastScenario], kinds: Sequence[str], *, now: int, here: str
) -> Coverage:
    """``results``: lately passed or failed, of every scenario. ``known``: every scenario, for its modules."""
    newest: dict[tuple[str, str], PastScenario] = {}
    for one in sorted(results, key=lambda one: one.at):
        bit = {kind for run in one.runs if not run.invalidated and run.verdict in ("pass", "fail") for kind in run.faults}
        newest |= {(module, kind): one for module in one.modules or (NO_MODULE,) for kind in bit}
    every = tuple(dict.fromkeys((*kinds, *sorted({kind for _, kind in newest}))))
    modules = sorted({module for one in known for module in one.modules or (NO_MODULE,)})
    rows = tuple(_row(module, every, newest, now=now, here=here) for module in modules)
    return Coverage(
        kinds=every,
        rows=rows,
        exercised=sum(len(row.proofs) - row.never for row in rows),
        cells=len(rows) * len(every),
    )


def _row(module: str, kinds: Sequence[str], newest: dict[tuple[str, str], PastScenario], *, now: int, here: str) -> CoverageRow:
    proofs = tuple(_proof(newest.get((module, kind)), now=now, here=here) for kind in kinds)
    return CoverageRow(module=module, proofs=proofs, never=sum(not proof.day for proof in proofs))


def _proof(one: PastScenario | None, *, now: int, here: str) -> Proof:
    if one is None:
        return Proof()
    return Proof(
        day=day(one.at),
        age=max(0, (now - one.at) // _DAY),
        old=now - one.at > OLD.ns,
        verdict=one.verdict,
        scenario=one.scenario,
        href=paths.relative(paths.scenario(one.scenario), here=here),
    )
