"""The nights of ``demo --history``: which build was tested when, and how the simulated mesh behaved in each run. Pure.

Three regressions are planted, and the docs show how each is found: a step that stays within its limit, a creep that ends beyond
it, and a scenario that now and then failed and then often does. Besides, as in life: flakes, nights without evidence, a night
that began with a mesh out of order, nights that did not run, and a release branch that has none of the regressions. Every draw
is decided by the night, the scenario and the repeat, so that every history is the same but for its dates and ids.
"""

from __future__ import annotations

import hashlib
from typing import Final

from msgspec import Struct

from meshkit_chaos.promql import labels_of
from meshkit_chaos.scenario.world import Follows, Window, World, WorldSeries
from meshkit_chaos.slo import Duration

NIGHTS: Final = 90
MISSING: Final = frozenset({23, 24, 57, 79})
"""The runner was down, and nothing ran."""
RELEASED: Final = 45
BRANCHED: Final = 60
"""From these nights on main is version 1.1, and 1.2: then 1.1 is a branch of its own."""
RELEASE_NIGHTS: Final = (61, 65, 69, 73, 77, 81, 85, 88)
"""When the release branch is tested, too."""
STEP, CREEP, OFTEN = 62, 50, 70
"""Leaders are replaced twice as late; rebalancing takes 3 % longer each night; the replica fails every other time."""
ACCEPTED: Final = 84
"""In this night somebody accepts the slower rebalancing for the build of the day."""
BLIND: Final = {12: "death-is-gossiped", 39: "shards-find-owners", 66: "leader-paused"}
"""Scrapes failed while it mattered."""
DOUBLED: Final = {31: "leader-killed"}
"""Two members said that they led before anything was injected."""
AWAY: Final = 85
"""Who is told was away for some minutes."""
REFUSED: Final = 79
"""Who is on call wanted nothing."""
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
    """One night of one branch. ``number`` from 0, the oldest; ``build``: the night whose code of main it is."""

    number: int
    build: int
    version: str
    commit: str
    branch: str = "main"

    @property
    def name(self) -> str:
        """Its results folder."""
        return f"{self.number:03}-{'main' if self.branch == 'main' else 'release'}"

    @property
    def subject(self) -> dict[str, str]:
        return {"version": self.version, "commit": self.commit, "branch": self.branch}


def nights(newest: int = NIGHTS) -> tuple[Night, ...]:
    """Every night that ran among the newest ones, oldest first."""
    first = NIGHTS - newest
    ran = [night for number in range(first, NIGHTS) if number not in MISSING for night in _of(number)]
    return tuple(ran)


def _of(number: int) -> tuple[Night, ...]:
    version = "1.0" if number < RELEASED else "1.1" if number < BRANCHED else "1.2"
    main = Night(number=number, build=number, version=version, commit=commit(number))
    if number not in RELEASE_NIGHTS:
        return (main,)
    fixed = commit(number, "release/1.1")
    return (main, Night(number=number, build=BRANCHED - 1, version="1.1", commit=fixed, branch="release/1.1"))


def commit(number: int, branch: str = "main") -> str:
    """The commit that was newest on a branch in a night."""
    told = f"night {number}" if branch == "main" else f"night {number} of {branch}"
    return hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()


def world(night: Night, scenario: str, repeat: int) -> World:
    """How the mesh behaves in one run: it is out of order for so long after the fault."""
    draw = _draw(night, scenario, repeat)
    lasting = _USUAL[scenario] * (0.85 + 0.3 * draw)
    if scenario in ("leader-killed", "leader-paused") and night.build >= STEP:
        lasting *= 2
    if scenario == "rebalanced-after-restart" and night.build >= CREEP:
        lasting *= 1.03 ** (night.build - CREEP)
    if scenario == "replica-catches-up" and _fails(night, repeat):
        lasting = 5.5
    away = (Window(lasting=Duration(round(lasting * _SECOND))),)
    main = night.branch == "main"
    return World(
        election=Duration(round(lasting * _SECOND)),
        out_of_order=away,
        scrapes_fail=(Window(lasting=Duration(20 * _SECOND)),) if main and BLIND.get(night.number) == scenario else (),
        two_leaders=(Window(mark="start"),) if main and DOUBLED.get(night.number) == scenario else (),
        series=_SERIES,
    )


def _fails(night: Night, repeat: int) -> bool:
    return _draw(night, "fails", repeat) < (0.5 if night.build >= OFTEN else 0.08)


def _draw(night: Night, what: str, repeat: int) -> float:
    """Between 0 and 1, decided by its arguments."""
    where = "" if night.branch == "main" else f" {night.branch}"
    told = hashlib.sha256(f"{night.number} {what} {repeat}{where}".encode()).digest()
    return int.from_bytes(told[:8]) / 2**64
