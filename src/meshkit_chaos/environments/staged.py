"""A mesh that behaves as a test's world says, in virtual time: for tests of scenarios, of any mesh.

Takes an environment description (its members, roles and rounds) and a ``World``; gives an ``Environment``. It starts nothing,
runs no command and asks nobody: checks and roles are answered from the world. It is told of the run's events, because the
world's windows count from them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, get_args

import httpx2
import msgspec

from meshkit_chaos.clock import Clock
from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Kill, LeverCall, LeverName, MemberState, lever_name
from meshkit_chaos.journal import events as ev
from meshkit_chaos.plan import Capabilities
from meshkit_chaos.promql import Labels, labels_of, show
from meshkit_chaos.scenario.environment import EnvironmentDescription, Metrics, SimulatedMesh
from meshkit_chaos.scenario.world import (
    Behind,
    Follows,
    Leads,
    Mark,
    Rises,
    Steps,
    Window,
    World,
    WorldSeries,
    WorldValue,
)
from meshkit_chaos.slo import Check, CheckResult, Duration, Probe, TcpCheck

_NEVER: Final = Duration(300 * 86400 * 10**9)
_ANSWER_S: Final = 0.001
Rows = dict[Labels, float]


class StagedEnvironment(SimulatedEnvironment):
    """``probes``: those of the scenario, so that a check can be told by its probe's name. ``told`` must see every event."""

    def __init__(
        self, description: EnvironmentDescription, world: World, clock: Clock, *, marker: str, probes: Sequence[Probe] = ()
    ) -> None:
        super().__init__(_as_staged(description, world), clock, marker=marker)
        self.mesh.sticky = True
        self._pages = _Pages(self)
        self._world, self._now_ns = world, clock.monotonic_ns
        self._roles = tuple(description.roles)
        self._probes = tuple(probes)
        self._marks: dict[Mark, int] = {}
        self._held: dict[str, tuple[str, ...]] = {}
        self._undoing = False
        self._died: set[int] = set()
        self._counted: dict[tuple[str, int, Labels], tuple[int, float]] = {}
        self._frozen: dict[tuple[int, str, int], Rows] = {}

    def told(self, entry: ev.Entry) -> None:
        """Read the run's journal: what was injected and undone, and when."""
        match entry.event:
            case ev.FingerprintTaken(when="before"):  # the first election is over: from here on the world's own time counts
                election = self._world.election or Duration(self.mesh.election_ns)
                self.mesh.election_ns = election.ns if self._world.elects else _NEVER.ns
            case ev.FaultIntended() as intent:
                self._marks.setdefault("fault", entry.t)
                self._held[intent.node] = intent.members
                self._undoing = False
            case ev.RevertIntended():
                self._undoing = True
            case ev.RevertDone(node=node):
                self._marks["revert"] = entry.t
                self._held.pop(node, None)

    def capabilities(self) -> Capabilities:
        """Every lever there is: what cannot be staged has no effect, and the run then says that the fault did not bite."""
        return Capabilities(members=tuple(self.mesh.members), levers=get_args(LeverName), roles=self._roles)

    async def deploy(self) -> tuple[ev.MemberUp, ...]:
        self._marks["start"] = self._now_ns()
        return await super().deploy()

    async def pull(self, call: LeverCall) -> None:
        self._advance()
        match self._world.rollback if self._undoing else self._world.fault:
            case "fails":
                raise EnvironmentProblem(f"the lever {lever_name(call)} broke, as the world says")
            case "hangs":
                await asyncio.Event().wait()
            case "works":
                await super().pull(call)
            case "lies":
                return

    async def observe(self) -> dict[str, MemberState]:
        self._advance()
        return await super().observe()

    async def holders(self, role: str) -> frozenset[str]:
        now = self._advance()
        if role not in self._roles:
            raise EnvironmentProblem(f"the environment knows no role {role!r}")
        if role in self._world.roles:
            return frozenset(name for name in self._world.roles[role] if self._answers(name, now))
        return frozenset(name for name in self.mesh.members if self._answers(name, now) and self._leads(name, now))

    async def check(self, member: str, check: Check, timeout: Duration) -> CheckResult:  # noqa: ASYNC109  # part of the check
        """Answer as the member would in this world; nothing is asked or run."""
        now = self._advance()
        asked = self.mesh.members[member]
        if not asked.up or now < asked.ready_at:
            return CheckResult(False, "connection refused")
        knocks = isinstance(check, TcpCheck) and check.expect is None
        if not asked.able and not knocks:  # the kernel accepts for a frozen process
            await asyncio.sleep(timeout.seconds)
            return CheckResult(False, f"no answer within {timeout}")
        probe = next((probe.name for probe in self._probes if probe.check == check), None)
        if probe is not None and self._open(self._world.probes_fail, now, probe):
            return CheckResult(False, "the world says so")
        await asyncio.sleep(min(_ANSWER_S, timeout.seconds / 2))
        usual: Behind = "member" if knocks else "mesh"
        needs = self._world.probes.get(probe, usual) if probe is not None else usual
        if needs == "leader":
            return CheckResult(self._leads(member, now), "whether it leads")
        if needs == "mesh" and not self._in_order(now):
            await asyncio.sleep(timeout.seconds)  # a write without a leader is not refused: it waits for one
            return CheckResult(False, f"no answer within {timeout}")
        return CheckResult(True, "it holds")

    def scrape_targets(self) -> dict[str, str]:
        return {name: f"http://{name}/metrics" for name in self.mesh.members} if self._description.metrics else {}

    def client(self) -> httpx2.AsyncClient:
        return self._pages

    async def close(self) -> None:
        await self._pages.aclose()
        await super().close()

    async def answer(self, name: str, path: str) -> httpx2.Response:
        """A member's metrics page, the only page there is."""
        del path
        member = self.mesh.members.get(name)
        if member is None or not member.up:
            raise httpx2.ConnectError("connection refused")
        await member.thawed.wait()
        await asyncio.sleep(_ANSWER_S)
        now = self._advance()
        if not self._answers(name, now) or self._open(self._world.scrapes_fail, now, name):
            raise httpx2.ConnectError("connection refused")
        return httpx2.Response(200, headers={"content-type": "text/plain; version=0.0.4"}, content=self._page(name, now))

    def _advance(self) -> int:
        """Let everything happen that is due; the instant that it is."""
        now = self._now_ns()
        for number, death in enumerate(self._world.deaths):
            since = self._marks.get(death.mark)
            if number not in self._died and since is not None and now >= since + death.at.ns:
                self._died.add(number)
                if (member := death.member or self._bystander()) is not None:
                    self.mesh.change(Kill(member), now)
        self.mesh.advance(now)
        return now

    def _answers(self, name: str, now: int) -> bool:
        """Whether a member takes part: it is up, not frozen, and has come back from its start."""
        member = self.mesh.members[name]
        return member.able and now >= member.ready_at

    def _bystander(self) -> str | None:
        held = {member for members in self._held.values() for member in members}
        able = [name for name, member in self.mesh.members.items() if member.able and name not in held]
        return next((name for name in reversed(able) if name != self.mesh.leader), able[-1] if able else None)

    def _open(self, windows: Sequence[Window], now: int, name: str) -> bool:
        return any(window.holds(now, self._marks) for window in windows if not window.names or name in window.names)

    def _in_order(self, now: int) -> bool:
        """Whether there is a leader who can lead: what ``good`` and ``bad`` of a world's series follow."""
        return not self._open(self._world.out_of_order, now, "") and self.mesh.lost_at is None and self.mesh.serves

    def _leads(self, name: str, now: int) -> bool:
        if not self._in_order(now):
            return False
        if name == self.mesh.leader:
            return True
        second = next((other for other in self.mesh.members if other != self.mesh.leader and self._answers(other, now)), None)
        return name == second and self._open(self._world.two_leaders, now, "")

    def _page(self, name: str, now: int) -> bytes:
        rows = self._rows(name, now)
        for number, window in enumerate(self._world.frozen):
            self._freeze((number, name, self.mesh.members[name].starts), window, rows, now)
        for labels in list(rows):
            metric = dict(labels)["__name__"]
            if self._open(self._world.vanish, now, metric):
                del rows[labels]
            elif self._open(self._world.not_numbers, now, metric):
                rows[labels] = math.nan
        return "".join(f"{show(labels)} {_written(value)}\n" for labels, value in rows.items()).encode()

    def _freeze(self, key: tuple[int, str, int], window: Window, rows: Rows, now: int) -> None:
        """Keep what this process said when the window opened; ``rows`` are changed in place."""
        if not window.holds(now, self._marks):
            self._frozen[key] = dict(rows)
            return
        kept = self._frozen.setdefault(key, dict(rows))
        for labels in {*rows, *kept}:
            if window.names and dict(labels)["__name__"] not in window.names:
                continue
            rows.pop(labels, None)
            if labels in kept:
                rows[labels] = kept[labels]

    def _rows(self, name: str, now: int) -> Rows:
        told = {dict(series.labels)["__name__"] for series in self._world.series}
        rows = {labels: value for labels, value in self._built_in(name, now) if dict(labels)["__name__"] not in told}
        for series in self._world.series:
            value = self._value(series, name, now)
            if isinstance(value, float):
                rows[series.labels] = value
        return rows

    def _built_in(self, name: str, now: int) -> Iterator[tuple[Labels, float]]:
        changes = self.mesh.changes + sum(self._closed(window, now) for window in self._world.out_of_order)
        yield labels_of("etcd_server_is_leader", {}), float(self._leads(name, now))
        yield labels_of("etcd_server_has_leader", {}), float(self._in_order(now))
        yield labels_of("etcd_server_leader_changes_seen_total", {}), float(changes)

    def _closed(self, window: Window, now: int) -> bool:
        since = self._marks.get(window.mark)
        return since is not None and window.lasting is not None and now >= since + window.begin.ns + window.lasting.ns

    def _value(self, series: WorldSeries, name: str, now: int) -> WorldValue:
        if series.exporter == "one" and name != self._exporter(now):
            return "absent"
        match series.value:
            case Follows(good=good, bad=bad):
                return good if self._in_order(now) else bad
            case Leads(leader=leader, others=others):
                return leader if self._leads(name, now) else others
            case Steps() as told:
                return _stepped(told, now, self._marks.get("fault"))
            case Rises() as rates:
                return self._risen(series.labels, rates, name, now)

    def _exporter(self, now: int) -> str | None:
        """The one member that speaks for the mesh: the first that answers scrapes."""
        answering = (name for name in self.mesh.members if self._answers(name, now))
        return next((name for name in answering if not self._open(self._world.scrapes_fail, now, name)), None)

    def _risen(self, labels: Labels, rates: Rises, name: str, now: int) -> float:
        """What a member has counted since it started; a restarted one counts from zero."""
        key = (name, self.mesh.members[name].starts, labels)
        before, counted = self._counted.get(key, (now, 0.0))
        rate = rates.good if self._in_order(now) else rates.bad
        counted += rate * (now - before) / 1e9
        self._counted[key] = (now, counted)
        return counted


class _Pages(httpx2.AsyncClient):
    """A client that is handed the members' pages: a run asks for hundreds, and building requests would be most of its time."""

    def __init__(self, environment: StagedEnvironment) -> None:
        super().__init__(transport=httpx2.MockTransport(lambda _: httpx2.Response(404)), trust_env=False)
        self._environment = environment

    @contextlib.asynccontextmanager
    async def stream(self, method: str, url: httpx2.URL | str, **rest: Any) -> AsyncIterator[httpx2.Response]:
        del method, rest
        yield await self._environment.answer(str(url).removeprefix("http://").partition("/")[0], "/metrics")


def staged_description(description: EnvironmentDescription) -> EnvironmentDescription:
    """The same members, roles and rounds on a mesh that is simulated and scraped directly, whatever the real one is."""
    metrics = description.metrics
    if metrics is not None:
        metrics = Metrics(url="http://${member.host}/metrics", every=metrics.every, timeout=min(metrics.timeout, metrics.every))
    return msgspec.structs.replace(
        description, kind="simulated", metrics=metrics, simulated=description.simulated or SimulatedMesh()
    )


def _as_staged(description: EnvironmentDescription, world: World) -> EnvironmentDescription:
    """With the world's time to rejoin. Its time to elect counts only after the first election."""
    staged = staged_description(description)
    usual = staged.simulated or SimulatedMesh()
    mesh = SimulatedMesh(election=usual.election, rejoin=world.rejoin or usual.rejoin)
    return msgspec.structs.replace(staged, simulated=mesh)


def _stepped(told: Steps, now: int, since: int | None) -> WorldValue:
    value = told.good
    for after, next_value in told.steps:
        if since is not None and now >= since + after.ns:
            value = next_value
    return value


def _written(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)
