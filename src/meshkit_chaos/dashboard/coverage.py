"""Module × kind of fault: when it was last proved what a part of the mesh does under that fault. Pure.

A proof is a run in which the fault bit and that passed or failed: either way something was learnt. A cell without one is shown
as never exercised, because nobody notices what is not there; a proof that is older than it may be looks old, however it went.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.readiness import NO_MODULE
from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.gate.evidence import SLACK
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.slo import Duration

_DAY: Final = 24 * 3600 * 10**9
OLD: Final = Duration.parse("30d")
"""How old a proof may be where the policy says nothing of the module."""
LATE: Final = Duration.parse("7d")
Age = Literal["new", "ageing", "old", "never"]
"""``ageing``: older than a week, and not yet too old."""


class Proof(Struct, frozen=True, kw_only=True):
    """``day`` empty: never. ``days``: how many ago, as a calendar in UTC counts them. ``kind``: of fault."""

    kind: str
    age: Age = "never"
    day: str = ""
    days: int = 0
    verdict: str = ""
    scenario: str = ""
    href: str = ""


class CoverageRow(Struct, frozen=True, kw_only=True):
    """``within``: how old a proof of this module may be."""

    module: str
    proofs: tuple[Proof, ...]
    exercised: int
    newest: str
    within: str

    @property
    def search(self) -> str:
        """What a filter looks in."""
        return " ".join((self.module, *(f"{one.kind} {one.age}" for one in self.proofs if one.day))).lower()


class Coverage(Struct, frozen=True, kw_only=True):
    """``kinds``: those that were ever exercised, with the number of modules; ``never``: the others. ``cells``: of all kinds."""

    sentence: str
    kinds: tuple[tuple[str, int], ...]
    never: tuple[str, ...]
    rows: tuple[CoverageRow, ...]
    exercised: int
    cells: int
    old: int
    bare: tuple[str, ...]


def coverage(
    results: Iterable[PastScenario],
    known: Sequence[PastScenario],
    kinds: Sequence[str],
    *,
    now: int,
    here: str,
    within: Mapping[str, Duration] | None = None,
    environment_class: str = "",
) -> Coverage:
    """``results``: lately passed or failed, of every scenario; what is still to come proves nothing.

    ``known``: every scenario, for its modules.

    ``kinds``: every kind of fault that there is. ``within``: how old a proof of a module may be, as the policy says it; the
    modules that it names have a row though no scenario tests them. ``environment_class``: that of all these results, where the
    policy takes no other for a proof; empty: any.
    """
    limits = within or {}
    newest: dict[tuple[str, str], PastScenario] = {}
    for one in sorted((one for one in results if one.at - now <= SLACK.ns), key=lambda one: one.at):
        bit = {kind for run in one.runs if not run.invalidated and run.verdict in ("pass", "fail") for kind in run.faults}
        newest |= {(module, kind): one for module in one.modules or (NO_MODULE,) for kind in bit}
    every = tuple(dict.fromkeys((*kinds, *sorted({kind for _, kind in newest}))))
    modules = sorted({module for one in known for module in one.modules or (NO_MODULE,)} | limits.keys())
    seen = tuple(kind for kind in every if any((module, kind) in newest for module in modules))
    rows = tuple(_row(module, seen, newest, now=now, here=here, within=limits.get(module, OLD)) for module in modules)
    exercised = sum(row.exercised for row in rows)
    old = sum(proof.age == "old" for row in rows for proof in row.proofs)
    return Coverage(
        sentence=_sentence(exercised, len(rows) * len(every), old, environment_class),
        kinds=tuple((kind, sum((module, kind) in newest for module in modules)) for kind in seen),
        never=tuple(kind for kind in every if kind not in seen),
        rows=rows,
        exercised=exercised,
        cells=len(rows) * len(every),
        old=old,
        bare=tuple(row.module for row in rows if not row.exercised),
    )


def _sentence(exercised: int, cells: int, old: int, environment_class: str) -> str:
    where = f" in an environment of class {one_line(environment_class)}, as the policy asks" if environment_class else ""
    aged = f", and the proof of {old} of them is too old" if old else ""
    return f"{exercised} of {counted(cells, 'combination')} ever exercised{where}{aged}"


def _row(
    module: str,
    kinds: Sequence[str],
    newest: Mapping[tuple[str, str], PastScenario],
    *,
    now: int,
    here: str,
    within: Duration,
) -> CoverageRow:
    proofs = tuple(_proof(kind, newest.get((module, kind)), now=now, here=here, within=within) for kind in kinds)
    return CoverageRow(
        module=module,
        proofs=proofs,
        exercised=sum(bool(proof.day) for proof in proofs),
        newest=max((proof.day for proof in proofs), default=""),
        within=str(within),
    )


def _proof(kind: str, one: PastScenario | None, *, now: int, here: str, within: Duration) -> Proof:
    if one is None:
        return Proof(kind=kind)
    past = now - one.at
    return Proof(
        kind=kind,
        age="old" if past > within.ns else "ageing" if past > LATE.ns else "new",
        day=day(one.at),
        days=max(0, now // _DAY - one.at // _DAY),
        verdict=one.verdict,
        scenario=one.scenario,
        href=paths.relative(paths.scenario(one.scenario), here=here),
    )
