"""The simulated mesh: a public fake in virtual time, for demos without binaries, scenario tests and plugin authors.

Members elect a leader as a Raft group does, seen from outside: a lost leader is replaced after the election time where a
majority is able; without a majority the leader steps down. Members answer HTTP as etcd does (metrics, health, status, put),
so the same
documents serve both. Levers can be told to misbehave, to see that whoever pulls them notices.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import httpx2

from meshkit_chaos.clock import Clock
from meshkit_chaos.environments.checks import run_check
from meshkit_chaos.environments.secrets import reference
from meshkit_chaos.environments.simulated_links import SimulatedLinks
from meshkit_chaos.environments.templates import render, render_check
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import (
    Join,
    Kill,
    Leave,
    LeverCall,
    LeverName,
    Membership,
    MemberState,
    Pause,
    Resume,
    Shape,
    Start,
    Stop,
    Unshape,
    lever_name,
)
from meshkit_chaos.journal.events import MemberUp
from meshkit_chaos.plan import Capabilities
from meshkit_chaos.scenario.environment import EnvironmentDescription, SimulatedMesh
from meshkit_chaos.slo import Check, CheckResult, CommandCheck, Duration, TcpCheck

_ANSWER_S: Final = 0.001
_PUT: Final = "/v3/kv/put"
_REQUEST_TIMEOUT_S: Final = 5.0
_STALE_LEADER_NS: Final = 150 * 10**6  # how long a leader that was frozen goes on believing that it leads
_DIGEST: Final = "simulated"


Misbehaviour = Literal["raises", "lies", "hangs"]
"""What a lever does instead of its work: raise, report success without doing anything, or never return."""


@dataclass(slots=True)
class _Member:
    name: str
    number: int
    up: bool = False
    paused: bool = False
    listed: bool = True
    starts: int = 0
    ready_at: int = 0
    led_when_frozen: bool = False
    believes_until: int = 0
    thawed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def able(self) -> bool:
        return self.up and not self.paused


@dataclass(slots=True)
class Mesh:
    """The model. Instants are monotonic ns; it moves only when it is told what time it is.

    ``sticky``: a leader that was lost and is able again must be elected as any other; it does not just go on. Its time
    counts from when a majority is there.
    """

    members: dict[str, _Member]
    election_ns: int
    rejoin_ns: int
    leader: str | None = None
    changes: int = 0
    lost_at: int | None = None
    sticky: bool = False
    links: SimulatedLinks = field(default_factory=SimulatedLinks)
    _now: int = field(default=0)

    def advance(self, now: int) -> None:
        """Let everything happen that is due by ``now``."""
        self._now = now
        able = [member for member in self.members.values() if member.able and member.ready_at <= now]
        electable = next((member for member in able if self._has_majority(member, able)), None)
        leading = (
            self.leader is not None and self.members[self.leader].able and self._has_majority(self.members[self.leader], able)
        )
        if leading and not (self.sticky and self.lost_at is not None):
            self.lost_at = None
            return
        if self.lost_at is None:
            self.lost_at = now
        if electable is None:
            if self.leader is not None and (self.sticky or now >= self.lost_at + self.election_ns):
                self.leader = None
            if self.leader is None:
                self.lost_at = now  # an election can only begin with a majority
            return
        if now >= self.lost_at + self.election_ns:
            self.leader = electable.name
            self.changes += 1
            self.lost_at = None

    def _has_majority(self, member: _Member, able: list[_Member]) -> bool:
        """Whether so many are able and in touch with it, itself among them where it is."""
        in_touch = sum(self.links.reach(member.name, other.name, self._now) for other in able)
        return 2 * in_touch > sum(other.listed for other in self.members.values())

    def change(self, call: LeverCall, now: int) -> None:
        self.advance(now)
        member = self.members[call.member]
        match call:
            case Kill() | Stop() | Leave():
                member.listed = member.listed and not isinstance(call, Leave)
                member.up = member.paused = False
                member.thawed.set()
            case Start() | Join():
                member.listed = member.listed or isinstance(call, Join)
                if not member.up:
                    member.up, member.starts, member.ready_at = True, member.starts + 1, now + self.rejoin_ns
                    member.thawed.set()
            case Pause() if member.able:
                member.paused, member.led_when_frozen = True, self.leader == member.name
                member.thawed.clear()
            case Resume() if member.paused:
                member.paused = False
                if member.led_when_frozen and self.leader != member.name:
                    member.believes_until = now + _STALE_LEADER_NS
                member.thawed.set()
            case Shape() | Unshape():
                self.links.change(call, now)
            case _:
                pass  # idempotent: it is so already
        self.advance(now)

    @property
    def serves(self) -> bool:
        """Whether a write would be accepted: the leader itself is able, and so is a majority that it is in touch with."""
        able = [member for member in self.members.values() if member.able]
        leader = self.members[self.leader] if self.leader is not None else None
        return leader is not None and leader.able and self._has_majority(leader, able)

    def is_leader(self, name: str) -> bool:
        member = self.members[name]
        return self.leader == name or self._now < member.believes_until


class SimulatedEnvironment:
    """Implements ``Environment`` on a ``Mesh``; ``clock`` is the virtual-time loop's."""

    def __init__(
        self,
        description: EnvironmentDescription,
        clock: Clock,
        *,
        marker: str,
        given: Mapping[str, str] | None = None,
        misbehaviour: Mapping[LeverName, Misbehaviour] | None = None,
    ) -> None:
        self.marker = marker
        self._misbehaviour = misbehaviour or {}
        self.data_folder = ""
        self._description = description
        self._clock = clock
        behaviour = description.simulated or SimulatedMesh()
        names = [member.name for member in description.members]
        self.mesh = Mesh(
            members={name: _Member(name, number) for number, name in enumerate(names, start=1)},
            election_ns=behaviour.election.ns,
            rejoin_ns=behaviour.rejoin.ns,
        )
        self._values = {member.name: self._values_of(member.name, member.ports, given or {}) for member in description.members}
        self._client = httpx2.AsyncClient(transport=_Transport(self), trust_env=False)

    def _values_of(self, name: str, ports: tuple[str, ...], given: Mapping[str, str]) -> dict[str, str]:
        variables = {f"var.{key}": text for key, text in {**self._description.vars, **given}.items()}
        variables |= {f"secret.{key}": reference(key) for key in self._description.secrets}  # nothing real needs their values
        own = {"member.name": name, "member.index": str(self.mesh.members[name].number)}
        numbers = {f"member.port.{port}": str(2379 + index) for index, port in enumerate(ports)}
        return {**variables, **own, **numbers, "member.host": name, "member.dir": "/nowhere"}

    def capabilities(self) -> Capabilities:
        return Capabilities(
            members=tuple(self.mesh.members),
            levers=("kill", "stop", "start", "pause", "resume", "shape", "unshape", "leave", "join"),
            roles=tuple(self._description.roles),
        )

    async def deploy(self) -> tuple[MemberUp, ...]:
        now = self._clock.monotonic_ns()
        for name in self.mesh.members:
            self.mesh.change(Start(name), now)
        await asyncio.sleep(self.mesh.rejoin_ns / 1e9)
        return await self.members()

    async def members(self) -> tuple[MemberUp, ...]:
        return tuple(
            MemberUp(name=name, pid=0, binary="simulated", binary_digest=_DIGEST, configuration_digest=_DIGEST, metrics=url)
            for name, url in self.scrape_targets().items()
        )

    async def pull(self, call: LeverCall) -> None:
        if call.member not in self.mesh.members:
            raise EnvironmentProblem(f"there is no member {call.member!r}")
        match self._misbehaviour.get(lever_name(call)):
            case "raises":
                raise EnvironmentProblem(f"the lever {lever_name(call)} broke")
            case "hangs":
                await asyncio.Event().wait()
            case "lies":
                return
        self.mesh.change(call, self._clock.monotonic_ns())
        if isinstance(call, Start | Join):
            await asyncio.sleep(self.mesh.rejoin_ns / 1e9)

    async def observe(self) -> dict[str, MemberState]:
        return {name: self._observed(member) for name, member in self.mesh.members.items()}

    def _observed(self, member: _Member) -> MemberState:
        now = self._clock.monotonic_ns()
        layers = self.mesh.links.in_force(member.name, now)
        counts = self.mesh.links.counts(member.name, now, lambda name: name in self.mesh.members and self.mesh.members[name].up)
        membership: Membership = "in" if member.listed else "out"
        if not member.up:
            return MemberState(up=False, paused=False, layers=layers, counts=counts, membership=membership)
        return MemberState(
            up=True,
            paused=member.paused,
            identity=f"{member.name}@{member.starts}",
            binary_digest=_DIGEST,
            configuration_digest=_DIGEST,
            layers=layers,
            counts=counts,
            membership=membership,
        )

    async def holders(self, role: str) -> frozenset[str]:
        check = self._description.roles.get(role)
        if check is None:
            raise EnvironmentProblem(f"environment {self._description.name} knows no role {role!r}")
        names = list(self.mesh.members)
        results = await asyncio.gather(*(self.check(name, check, Duration(500 * 10**6)) for name in names))
        return frozenset(name for name, result in zip(names, results, strict=True) if result.ok)

    async def check(self, member: str, check: Check, timeout: Duration) -> CheckResult:  # noqa: ASYNC109  # part of the check
        """Over HTTP the simulated member answers; nothing else is asked, for there is nothing, and no command is run."""
        if isinstance(check, CommandCheck):
            return CheckResult(False, "a simulated mesh runs no command")
        if isinstance(check, TcpCheck):
            if check.expect is not None:
                return CheckResult(False, "a simulated mesh speaks HTTP only")
            return CheckResult(self.mesh.members[member].up, "simulated")
        return await run_check(render_check(check, self._values[member]), client=self._client, timeout=timeout)

    def scrape_targets(self) -> dict[str, str]:
        metrics = self._description.metrics
        return {name: render(metrics.url, values) for name, values in self._values.items()} if metrics else {}

    def client(self) -> httpx2.AsyncClient:
        return self._client

    async def teardown(self) -> tuple[str, ...]:
        for name in self.mesh.members:
            self.mesh.change(Kill(name), self._clock.monotonic_ns())
        return ()

    async def close(self) -> None:
        await self._client.aclose()

    async def answer(self, name: str, path: str) -> httpx2.Response:
        """What a member says over HTTP, as long as it can say anything."""
        member = self.mesh.members.get(name)
        if member is None or not member.up:
            raise httpx2.ConnectError("connection refused")
        await member.thawed.wait()
        await asyncio.sleep(_ANSWER_S)
        self.mesh.advance(self._clock.monotonic_ns())
        if path == _PUT and not self.mesh.serves:
            await asyncio.sleep(_REQUEST_TIMEOUT_S)  # a write without a leader is not refused: it waits for one
        status, headers, content = _answer(self.mesh, member, path)
        return httpx2.Response(status, headers=headers, content=content)


def _answer(mesh: Mesh, member: _Member, path: str) -> tuple[int, dict[str, str], bytes]:
    led = mesh.leader is not None
    match path:
        case "/metrics":
            return 200, {"content-type": "text/plain; version=0.0.4"}, _metrics(mesh, member).encode()
        case "/health":
            return (200 if led else 503), {}, json.dumps({"health": "true" if led else "false"}).encode()
        case "/v3/maintenance/status":
            leader = str(mesh.members[mesh.leader].number) if mesh.leader is not None else "0"
            return 200, {}, json.dumps({"header": {"member_id": str(member.number)}, "leader": leader}).encode()
        case "/v3/kv/put" if mesh.serves:
            return 200, {}, b"{}"
        case "/v3/kv/put":
            return 503, {}, b'{"error":"etcdserver: request timed out"}'
        case _:
            return 404, {}, b""


def _metrics(mesh: Mesh, member: _Member) -> str:
    return (
        "# TYPE etcd_server_is_leader gauge\n"
        f"etcd_server_is_leader {int(mesh.is_leader(member.name))}\n"
        "# TYPE etcd_server_has_leader gauge\n"
        f"etcd_server_has_leader {int(mesh.leader is not None)}\n"
        "# TYPE etcd_server_leader_changes_seen_total counter\n"
        f"etcd_server_leader_changes_seen_total {mesh.changes}\n"
    )


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, environment: SimulatedEnvironment) -> None:
        self._environment = environment

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._environment.answer(request.url.host, request.url.path)
        response.request = request
        return response
