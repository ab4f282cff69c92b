"""The ninety nights of ``demo --history``: which build was tested when, and how the simulated mesh behaved in each run. Pure.

Three regressions are planted, and the docs show how each is found: a step that stays within its limit, a creep that ends beyond
it, and a scenario that now and then failed and then often does. Besides, as in life: flakes, nights without evidence, nights
that did not run. Every draw is decided by the night, the scenario and the repeat, so that every history is the same but for its
dates.
"""

from __future__ import annotations

import hashlib
from typing import Final

from msgspec import Struct

from meshkit_chaos.promql import labels_of
from meshkit_chaos.scenario.world import Follows, Window, World, WorldSeries
from meshkit_chaos.slo import Duration

NIGHTS: Final = 90
MISSING: Final = frozenset({23, 24, 57})
"""The runner was down, and nothing ran."""
RELEASED: Final = 45
"""From this night on it is version 1.1."""
STEP, CREEP, OFTEN = 62, 50, 70
"""Leaders are replaced twice as late; rebalancing takes 3 % longer each night; the replica fails every other time."""
ACCEPTED: Final = 86
"""In this night somebody accepts the slower rebalancing for the build of the day."""
BLIND: Final = {12: "death-is-gossiped", 39: "shards-find-owners", 66: "leader-paused"}
"""Scrapes failed while it mattered."""
_SECOND: Final = 10**9
_USUAL: Final = {
    "leader-killed": 1.2,
    "leader-paused": 1.3,
    "death-is-gossiped": 1.1,
    "shards-find-owners": 2.6,
    "rebalanced-after-restart": 3.0,
    "replica-catches-up": 1.4,
}
_SERIES: Final = tuple(
    WorldSeries(labels=labels_of(name, {}), value=Follows(good=good, bad=bad))
    for name, good, bad in (
        ("mesh_members_seen", 3.0, 2.0),
        ("mesh_shards_unowned", 0.0, 4.0),
        ("mesh_shards_imbalance", 0.0, 3.0),
        ("mesh_replicas_in_sync", 3.0, 2.0),
    )
)


class Night(Struct, frozen=True, kw_only=True):
    """One night that ran. ``number`` from 0, the oldest."""

    number: int
    version: str
    commit: str
    branch: str = "main"

    @property
    def subject(self) -> dict[str, str]:
        return {"version": self.version, "commit": self.commit, "branch": self.branch}


def nights() -> tuple[Night, ...]:
    """Every night that ran, oldest first."""
    return tuple(
        Night(number=number, version="1.0" if number < RELEASED else "1.1", commit=commit(number))
        for number in range(NIGHTS)
        if number not in MISSING
    )


def commit(number: int) -> str:
    """The commit that was newest in a night."""
    return hashlib.sha1(f"night {number}".encode(), usedforsecurity=False).hexdigest()


def world(night: Night, scenario: str, repeat: int) -> World:
    """How the mesh behaves in one run: it is out of order for so long after the fault."""
    lasting = _USUAL[scenario] * (0.85 + 0.3 * _draw(night.number, scenario, repeat))
    if scenario in ("leader-killed", "leader-paused") and night.number >= STEP:
        lasting *= 2
    if scenario == "rebalanced-after-restart" and night.number >= CREEP:
        lasting *= 1.03 ** (night.number - CREEP)
    if scenario == "replica-catches-up" and _fails(night.number, repeat):
        lasting = 5.5
    away = (Window(lasting=Duration(round(lasting * _SECOND))),)
    blind = (Window(lasting=Duration(20 * _SECOND)),) if BLIND.get(night.number) == scenario else ()
    return World(election=Duration(round(lasting * _SECOND)), out_of_order=away, scrapes_fail=blind, series=_SERIES)


def _fails(number: int, repeat: int) -> bool:
    return _draw(number, "fails", repeat) < (0.5 if number >= OFTEN else 0.08)


def _draw(number: int, what: str, repeat: int) -> float:
    """Between 0 and 1, decided by its arguments."""
    told = hashlib.sha256(f"{number} {what} {repeat}".encode()).digest()
    return int.from_bytes(told[:8]) / 2**64
