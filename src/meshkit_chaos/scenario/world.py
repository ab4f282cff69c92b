"""Worlds: how a mesh behaves in a scenario's test, as frozen values; and what the test expects the judge to say.

A world is told in virtual time. Its windows count from the first injection, unless they say otherwise. What it does not say is
as on a healthy simulated mesh: a lost leader is replaced after the election time, a restarted member comes back.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from meshkit_chaos.promql import Labels
from meshkit_chaos.slo import Duration

Mark = Literal["fault", "revert", "start"]
LeverWorld = Literal["works", "fails", "lies", "hangs"]
Behind = Literal["mesh", "member", "leader"]
Exporter = Literal["one", "each"]
Verdicts = Literal["pass", "fail", "inconclusive", "invalid", "not-run"]
Environments = Literal["clean", "dirty"]
Outcomes = Literal["completed", "aborted"]

WorldValue = float | Literal["absent"]
"""A value, NaN included, or that the series is not exported at all."""
BUILT_IN: tuple[str, ...] = ("etcd_server_has_leader", "etcd_server_is_leader", "etcd_server_leader_changes_seen_total")
"""The metrics that every simulated mesh exports without being told."""


class Window(Struct, frozen=True, kw_only=True):
    """A stretch of virtual time: from ``begin`` after the mark, for ``lasting`` (None: to the end of the run).

    ``names``: the metrics, members or probes that it is about; all of them where empty.
    """

    begin: Duration = Duration(0)
    lasting: Duration | None = None
    mark: Mark = "fault"
    names: tuple[str, ...] = ()

    def holds(self, now: int, marks: dict[Mark, int]) -> bool:
        """Whether it is open at an instant (ns). A mark that never came opens no window."""
        since = marks.get(self.mark)
        if since is None or now < since + self.begin.ns:
            return False
        return self.lasting is None or now < since + self.begin.ns + self.lasting.ns


class Death(Struct, frozen=True, kw_only=True):
    """A member ends by itself. ``member`` None: the last one that no fault holds and that does not lead."""

    at: Duration
    member: str | None = None
    mark: Mark = "fault"


class Follows(Struct, frozen=True, kw_only=True, tag_field="form", tag="follows"):
    """``good`` while the mesh is in order, ``bad`` while it has no leader or is out of order."""

    good: WorldValue
    bad: WorldValue


class Leads(Struct, frozen=True, kw_only=True, tag_field="form", tag="leads"):
    """``leader`` on a member that says it leads, ``others`` on the rest. Every member exports it."""

    leader: WorldValue
    others: WorldValue


class Steps(Struct, frozen=True, kw_only=True, tag_field="form", tag="steps"):
    """``good`` until the first step; each step holds from its time after the first injection until the next one."""

    good: WorldValue
    steps: tuple[tuple[Duration, WorldValue], ...]


class Rises(Struct, frozen=True, kw_only=True, tag_field="form", tag="rises"):
    """A counter: so much a second while the mesh is in order (``good``), so much while it is not (``bad``)."""

    good: float
    bad: float


class WorldSeries(Struct, frozen=True, kw_only=True):
    """One series that the members export. ``labels`` hold the metric's name. ``exporter``: one member that is up, or each."""

    labels: Labels
    value: Follows | Leads | Steps | Rises
    exporter: Exporter = "one"


class World(Struct, frozen=True, kw_only=True):
    """How the mesh behaves. ``election`` None with ``elects`` False: a lost leader never comes back."""

    election: Duration | None = None
    elects: bool = True
    rejoin: Duration | None = None
    out_of_order: tuple[Window, ...] = ()
    two_leaders: tuple[Window, ...] = ()
    vanish: tuple[Window, ...] = ()
    not_numbers: tuple[Window, ...] = ()
    frozen: tuple[Window, ...] = ()
    scrapes_fail: tuple[Window, ...] = ()
    probes_fail: tuple[Window, ...] = ()
    deaths: tuple[Death, ...] = ()
    fault: LeverWorld = "works"
    rollback: LeverWorld = "works"
    roles: dict[str, tuple[str, ...]] = {}
    probes: dict[str, Behind] = {}
    series: tuple[WorldSeries, ...] = ()


class Expected(Struct, frozen=True, kw_only=True):
    """What must come out; None and empty say nothing. ``blamed``: objectives that must have the expected ``verdict``."""

    verdict: Verdicts | None = None
    environment: Environments | None = None
    outcome: Outcomes | None = None
    blamed: tuple[str, ...] = ()
    objectives: dict[str, Verdicts] = {}
    says: str | None = None


class ScenarioTest(Struct, frozen=True, kw_only=True):
    """One test: a world or a record, and what is expected. ``scenario`` None: every scenario of the document.

    ``record`` is the path of a run's folder, relative to the document. ``line`` is where the test stands.
    """

    name: str
    scenario: str | None
    world: World
    record: str | None
    expected: Expected
    line: int


class TestFile(Struct, frozen=True, kw_only=True):
    """A whole test document. Paths are as written, relative to the document."""

    __test__ = False  # it is no test case of pytest's

    path: str
    scenarios: str
    environment: str | None
    tests: tuple[ScenarioTest, ...]
