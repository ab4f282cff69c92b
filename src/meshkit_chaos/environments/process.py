"""Members as local processes: kill, start, pause and resume are signals. On loopback that needs no privilege.

In a network of their own (``network:``), what one member sends to another can be shaped besides. Those who observe a member
reach it from inside its own network.

Everything spawned bears the environment's marker, so whoever comes later (watchdog, ``recover``) finds it without a record.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import httpx2
from msgspec import structs

from meshkit_chaos.clock import boot_id
from meshkit_chaos.environments import permission, processes
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.checks import run_secretly
from meshkit_chaos.environments.data_folder import make_data, remove_data, renew_member_folder
from meshkit_chaos.environments.membership import Roster
from meshkit_chaos.environments.own_binaries import placed, refuse_other_binaries
from meshkit_chaos.environments.permission import NOTHING, Allowed
from meshkit_chaos.environments.processes import DATA_PREFIX, MarkedProcess, log_name
from meshkit_chaos.environments.reach import FROM_HERE, FromInside
from meshkit_chaos.environments.readiness import until_ready, until_seen
from meshkit_chaos.environments.secrets import Secrets, anchored
from meshkit_chaos.environments.spawning import marks, obeyed, spawn, state_of
from meshkit_chaos.environments.state import EnvironmentState, MemberSpec, owned_state, save_state
from meshkit_chaos.environments.stopping import stop
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import (
    Join,
    Kill,
    Leave,
    LeverCall,
    MemberState,
    PacketCounts,
    Pause,
    Resume,
    Shape,
    Start,
    Stop,
    Unshape,
)
from meshkit_chaos.journal.events import MemberUp
from meshkit_chaos.network.doors import DoorTransport
from meshkit_chaos.network.lab import Lab, Streams
from meshkit_chaos.plan import Capabilities
from meshkit_chaos.scenario.environment import SWITCH, EnvironmentDescription
from meshkit_chaos.slo import Check, CheckResult, Duration

_ROLE_TIMEOUT: Final = Duration(500 * 10**6)
_SIGNAL_WITHIN_S: Final = 2.0


class ProcessEnvironment:
    """A mesh of local processes. ``planned`` for one that is to be deployed, ``load`` for one that was."""

    def __init__(self, *, marker: str, data: str, description: EnvironmentDescription, may_run: Allowed = NOTHING) -> None:
        self.marker = marker
        self.secrets = Secrets.of(description)
        self._may_run = may_run
        self.data_folder = data
        self._description = description
        self._state: EnvironmentState | None = None
        self._resolve: Callable[[], EnvironmentState] | None = None
        self._folder: Path | None = None
        self._specs: dict[str, MemberSpec] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._spawned: dict[str, subprocess.Popen[bytes]] = {}
        self._lab: Lab | None = None
        self._client = httpx2.AsyncClient(
            transport=DoorTransport(self._connect) if description.network else None, trust_env=False, timeout=30
        )

    @classmethod
    def planned(
        cls,
        folder: Path,
        description: EnvironmentDescription,
        *,
        environment_id: str,
        marker: str,
        given: Mapping[str, str],
        may_run: Allowed = NOTHING,
    ) -> ProcessEnvironment:
        """Nothing is resolved, written or started before ``deploy``. ``may_run``: the commands that the operator allowed."""
        data = str(Path(tempfile.gettempdir()) / f"{DATA_PREFIX}{marker}")
        environment = cls(marker=marker, data=data, description=description, may_run=may_run)

        def resolve() -> EnvironmentState:
            from meshkit_chaos.environments.resolving import resolve_members  # noqa: PLC0415  # the watchdog never resolves

            state = EnvironmentState(
                id=environment_id,
                marker=marker,
                owner=os.getuid(),
                boot=boot_id(),
                data=data,
                description=anchored(description),
                members=resolve_members(description, marker=marker, given=given, data=data),
            )
            save_state(folder, state)
            return state

        environment._resolve = resolve
        environment._folder = folder
        return environment

    @classmethod
    def load(cls, folder: Path) -> ProcessEnvironment | None:
        """The environment whose state lies in ``folder``; None if none was ever deployed there. Raises EnvironmentProblem."""
        state = owned_state(folder)
        return cls.of(state) if state is not None else None

    @classmethod
    def of(cls, state: EnvironmentState) -> ProcessEnvironment:
        """What was deployed earlier. Its own commands were allowed when it was."""
        environment = cls(
            marker=state.marker,
            data=state.data,
            description=state.description,
            may_run=permission.allowed(permission.commands_of(state.description)),
        )
        environment._adopt(state)
        return environment

    def _adopt(self, state: EnvironmentState) -> None:
        self._state = state
        self._specs = {spec.name: spec for spec in state.members}
        if state.description.network is not None:
            self._lab = Lab(Path(state.data), {spec.name: spec.values["member.host"] for spec in state.members})

    @property
    def state(self) -> EnvironmentState:
        """What was deployed. Raises EnvironmentProblem where nothing was."""
        if self._state is None:
            raise EnvironmentProblem(f"environment {self._description.name} was not deployed")
        return self._state

    @property
    def same_boot(self) -> bool:
        """Whether the machine is still in the boot in which the members were started."""
        return self.state.boot == boot_id()

    def capabilities(self) -> Capabilities:
        return capabilities_of(self._description)

    async def deploy(self) -> tuple[MemberUp, ...]:
        if self._resolve is not None:
            self._adopt(self._resolve())
        make_data(Path(self.data_folder), self.marker)
        self._place_binaries()
        await self._start_network()
        await asyncio.gather(*map(self._spawn, self._specs.values()))
        await asyncio.gather(*(self._until_ready(spec) for spec in self._specs.values()))
        self._refuse_hidden(self._specs)
        members = await self.members()
        refuse_other_binaries(members)
        return members

    def _place_binaries(self) -> None:
        """Copy and verify those that somebody runs; what was found out of them becomes part of the state."""
        used = {spec.binary for spec in self._specs.values()} - {""}
        if used and self._folder is not None:
            facts = {name: placed(self.state, name) for name in sorted(used)}
            self._adopt(structs.replace(self.state, binaries=facts))
            save_state(self._folder, self.state)

    async def _start_network(self) -> None:
        if self._lab is not None and (network := self._description.network) is not None:
            process, _ = await self._lab.start(network, variables=marks(self.marker, SWITCH))
            self._children[process.pid] = process

    async def members(self) -> tuple[MemberUp, ...]:
        running = self._running()
        return tuple(
            MemberUp(
                name=name,
                pid=running[name][0].pid if name in running else 0,
                binary=Path(spec.argv[0]).name,
                binary_digest=processes.binary_digest(running[name][0].pid) if name in running else "",
                configuration_digest=processes.configuration_digest(running[name][0].pid) if name in running else "",
                metrics=spec.metrics,
                executable=self.state.binaries.get(spec.binary),
            )
            for name, spec in self._specs.items()
        )

    async def pull(self, call: LeverCall) -> None:
        spec = self._specs.get(call.member)
        if spec is None:
            raise EnvironmentProblem(f"there is no member {call.member!r} in environment {self._description.name}")
        match call:
            case Kill():
                await self._signal(spec, signal.SIGKILL)
            case Stop():
                await stop(spec.name, lambda: self._running().get(spec.name, ()), within=self._description.stop_within)
                self._refuse_hidden([spec.name])
            case Pause():
                await self._signal(spec, signal.SIGSTOP)
            case Resume():
                await self._signal(spec, signal.SIGCONT)
            case Start():
                if spec.name not in self._running():
                    self._refuse_hidden([spec.name])
                    await self._spawn(spec)
                await self._until_ready(spec)
            case Shape() | Unshape():
                await self._shape(call)
            case Leave():
                await self._roster(about=spec.name).remove(spec.name)
                await self._forget(spec)
            case Join():
                await self._join(spec)

    async def _join(self, spec: MemberSpec) -> None:
        """Forgotten before it is added: one that is listed and not running can then be started as it is."""
        roster = self._roster(about=spec.name)
        if not await roster.has(spec.name):
            await self._forget(spec)
            await roster.add(spec.name)
        if spec.name not in self._running():
            await self._spawn(structs.replace(spec, env={**spec.env, **spec.joining}))
        await self._until_ready(spec)

    async def _forget(self, spec: MemberSpec) -> None:
        await self._signal(spec, signal.SIGKILL)
        files = {name: self.secrets.reveal(text) for name, text in spec.files.items()}
        renew_member_folder(Path(spec.folder), files, keep=log_name(spec.name))

    def _roster(self, *, about: str = "") -> Roster:
        """Those are asked who run and are not frozen, but not the one that it is ``about``."""

        def up() -> tuple[str, ...]:
            running = self._running()
            return tuple(name for name in self._specs if name != about and name in running and not running[name][0].stopped)

        return Roster.of(self._description, self._specs, up=up, secrets=self.secrets, client=self._client)

    async def _shape(self, call: Shape | Unshape) -> None:
        """Where the switch is gone, so is every policy: there is nothing to lift."""
        if self._lab is None:
            raise EnvironmentProblem(
                f"environment {self._description.name} has no network of its own whose links could be shaped",
                hint="write `network: isolated` in its document",
            )
        if isinstance(call, Shape) or SWITCH in self._running():
            await self._lab.change(call)

    async def observe(self) -> dict[str, MemberState]:
        """What is not found is down, unless it runs and may not be looked into: then that is a problem, never a state."""
        in_force = await self._in_force()
        running = self._running()
        self._refuse_hidden(running.keys() ^ self._specs.keys())
        names = (*self._specs, *(() if self._lab is None else (SWITCH,)))
        known = {} if self._description.membership is None else await self._roster().membership()
        return {name: state_of(running.get(name), in_force.get(name, {}), known.get(name, "")) for name in names}

    async def _in_force(self) -> dict[str, dict[str, PacketCounts]]:
        """The layers of each member; none where the switch is gone. Raises EnvironmentProblem where it is there and silent."""
        if self._lab is None or SWITCH not in self._running():
            return {}
        try:
            return await self._lab.in_force()
        except EnvironmentProblem:
            if SWITCH in self._running():
                raise
            return {}

    async def holders(self, role: str) -> frozenset[str]:
        check = self._description.roles.get(role)
        if check is None:
            raise EnvironmentProblem(f"environment {self._description.name} knows no role {role!r}")
        names = [name for name, spec in self._specs.items() if not spec.client]
        results = await asyncio.gather(*(self.check(name, check, _ROLE_TIMEOUT) for name in names))
        return frozenset(name for name, result in zip(names, results, strict=True) if result.ok)

    async def check(self, member: str, check: Check, timeout: Duration) -> CheckResult:  # noqa: ASYNC109  # part of the check
        return await run_secretly(
            check,
            values=self._specs[member].values,
            secrets=self.secrets,
            may_run=self._may_run,
            client=self._client,
            timeout=timeout,
            marker=self.marker,
            reach=FROM_HERE if self._lab is None else FromInside(self._lab, member),
        )

    async def _connect(self, host: str, port: int) -> Streams:
        return await (FROM_HERE if self._lab is None else self._lab).connect(host, port)

    def allow(self, more: Allowed) -> None:
        self._may_run |= more

    async def quiesce(self) -> tuple[str, ...]:
        """Signals are done when they are sent: nothing of a dead runner still acts on a process."""
        return ()

    def scrape_targets(self) -> dict[str, str]:
        return {name: spec.metrics for name, spec in self._specs.items() if spec.metrics}

    def client(self) -> httpx2.AsyncClient:
        return self._client

    async def teardown(self) -> tuple[str, ...]:
        left = processes.kill_all(self.marker, within_s=_SIGNAL_WITHIN_S)
        for child in self._children.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.2)
        hidden = processes.kill_these(self._hidden(self._specs), within_s=_SIGNAL_WITHIN_S)
        complaints = [f"process {process.pid} ({process.member}) is still there" for process in (*left, *hidden)]
        return (*complaints, *remove_data(Path(self.data_folder), self.marker))

    async def close(self) -> None:
        await self._client.aclose()
        for child in self._children.values():
            child.poll()
            child.returncode = child.returncode if child.returncode is not None else 0  # they may outlive us: no complaint

    async def _spawn(self, spec: MemberSpec) -> None:
        """Start it, and in a network of its own wait until it is the program, not what leads there."""
        reach = FROM_HERE if self._lab is None else FromInside(self._lab, spec.name)
        async with reach.way_in() as way:
            child = spawn(spec, marker=self.marker, secrets=self.secrets, binaries=self.state.binaries, way=way)
            self._children[child.pid] = child
            self._spawned[spec.name] = child

    async def _until_ready(self, spec: MemberSpec) -> None:
        own = next((client.ready for client in self._description.clients if client.name == spec.name), None)
        ready = own if spec.client else self._description.ready

        def ended() -> bool:
            spawned = self._spawned.get(spec.name)
            return (spawned is None or spawned.poll() is not None) and spec.name not in self._running()

        if ready is None:
            await until_seen(lambda: spec.name in self._running() or ended())
        else:
            await until_ready(spec, ready, ask=self.check, ended=ended, redactor=self.secrets.redactor)

    async def _signal(self, spec: MemberSpec, number: signal.Signals) -> None:
        """Signal all processes of a member and wait until the effect can be seen."""
        waited = 0.0
        while True:
            found = self._running().get(spec.name, ())
            pending = [process for process in found if not obeyed(process, number)]
            if not pending:
                if not found:
                    self._refuse_hidden([spec.name])
                return
            for process in pending:
                processes.send(process, number)
            if waited > _SIGNAL_WITHIN_S:
                raise EnvironmentProblem(f"member {spec.name} did not obey {number.name} within {_SIGNAL_WITHIN_S} s")
            await asyncio.sleep(0.002)
            waited += 0.002

    def _running(self) -> dict[str, tuple[MarkedProcess, ...]]:
        for child in self._children.values():
            child.poll()
        found: dict[str, tuple[MarkedProcess, ...]] = {}
        for process in processes.find_marked(self.marker):
            found[process.member] = (*found.get(process.member, ()), process)
        return found

    def _hidden(self, names: Iterable[str]) -> tuple[MarkedProcess, ...]:
        """Those members among them whose processes run and may not be looked into."""
        specs = {name: self._specs[name] for name in names if name in self._specs}
        if not specs:
            return ()
        children = {child.pid: name for name, child in self._spawned.items() if name in specs and child.poll() is None}
        words = {name: self._words(spec) for name, spec in specs.items()}
        return processes.find_hidden(words, data=self.data_folder, children=children)

    def _words(self, spec: MemberSpec) -> tuple[str, ...]:
        """As it was started; as far as can be told, where a secret is not there any more."""
        try:
            return tuple(self.secrets.reveal(text) for text in spec.argv)
        except EnvironmentProblem:
            return spec.argv

    def _refuse_hidden(self, names: Iterable[str]) -> None:
        """Raises EnvironmentProblem for a member that could neither be observed nor be found again when its runner is dead."""
        for process in self._hidden(names):
            raise EnvironmentProblem(
                f"member {process.member} runs (pid {process.pid}) and this user may not look into it, so that nothing can be "
                "told of its state and it could not be found again to be undone",
                hint="start it in the foreground, dumpable (see PR_SET_DUMPABLE), without setuid or capabilities of its own",
            )
