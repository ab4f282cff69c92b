"""A mesh that already runs (containers, pods, machines): its levers and its state are commands that the operator configured.

Nothing is deployed or torn down. What is known of it lies in a state folder, as of an environment that is up, so that a
watchdog or ``recover`` can undo faults from another process, and on another boot of this machine. A lever that reports success
is not believed: what counts is what ``observe`` sees. An observation that cannot be made is a problem, never a state.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx2

from meshkit_chaos.clock import SystemClock, boot_id
from meshkit_chaos.environments import permission
from meshkit_chaos.environments.checks import run_secretly
from meshkit_chaos.environments.commands import Ended, Ledger, end_left_commands, find_program, run_command
from meshkit_chaos.environments.permission import NOTHING, Allowed
from meshkit_chaos.environments.resolving import resolve_attached
from meshkit_chaos.environments.secrets import Secrets, anchored
from meshkit_chaos.environments.state import EnvironmentState, MemberSpec, save_state
from meshkit_chaos.environments.templates import render
from meshkit_chaos.errors import CannotRun, EnvironmentProblem
from meshkit_chaos.faults import (
    Join,
    Kill,
    Leave,
    LeverCall,
    LeverName,
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
from meshkit_chaos.scenario.environment import EnvironmentDescription, Observe, Sighting
from meshkit_chaos.slo import Check, CheckResult, CommandCheck, Duration

_ROLE_TIMEOUT: Final = Duration(2 * 10**9)
_LOOK_EVERY_S: Final = 0.05
_NO: Final = 1
_INSTALL: Final = "install it, or give its path: one with a '/' is relative to the environment's document"
_DOWN: Final = MemberState(up=False, paused=False)
_UNDOES: Final[frozenset[LeverName]] = frozenset({"start", "resume"})
"""Pulled late, after whoever pulled it has died, these do no harm: so nothing has to be known of them beforehand."""


def attached_capabilities(description: EnvironmentDescription) -> Capabilities:
    """What the configured levers can do; asks nothing of the mesh."""
    return Capabilities(
        members=tuple(member.name for member in description.members),
        levers=tuple(description.levers),
        roles=tuple(description.roles),
        tells_identity=description.observe is not None and bool(description.observe.identity),
    )


def register(
    folder: Path,
    description: EnvironmentDescription,
    *,
    environment_id: str,
    marker: str,
    given: Mapping[str, str],
    may_run: Allowed,
) -> EnvironmentState:
    """Write down how the mesh is reached. Being registered is the permission to run its own commands: CannotRun without it."""
    permission.refuse(use for use in permission.commands_of(description) if use.argv not in may_run)
    Secrets.of(description).refuse_missing()
    state = EnvironmentState(
        id=environment_id,
        marker=marker,
        owner=os.getuid(),
        boot=boot_id(),
        data="",
        description=anchored(description),
        members=resolve_attached(description, given=given),
    )
    if missing := missing_programs(state):
        raise CannotRun(f"environment {environment_id} cannot be handled from here: {'; '.join(missing)}", hint=_INSTALL)
    save_state(folder, state)
    return state


def missing_programs(state: EnvironmentState) -> tuple[str, ...]:
    """What the environment's commands need and this machine does not have, each program once."""
    missing: dict[str, str] = {}
    for use in permission.commands_of(state.description):
        for spec in state.members:
            name = render(use.argv[0], spec.values)
            if find_program(name, path=spec.env.get("PATH", os.defpath), folder=_folder_of(state.description)) is None:
                missing.setdefault(name, f"there is no executable {name!r} (for {use.where})")
    return tuple(missing.values())


def _folder_of(description: EnvironmentDescription) -> Path:
    """Where its commands run: beside the document that has them."""
    return Path(description.path).parent


class AttachedEnvironment:
    """Implements ``Environment`` by commands. ``folder`` is its state folder."""

    def __init__(self, state: EnvironmentState, folder: Path) -> None:
        if state.description.observe is None:
            raise EnvironmentProblem(f"environment {state.id} in {folder} does not say how its members are seen")
        self.state = state
        self.marker = state.marker
        self.data_folder = ""
        self.secrets = Secrets.of(state.description)
        self._folder = folder
        self._description = state.description
        self._observe: Observe = state.description.observe
        self._specs: dict[str, MemberSpec] = {spec.name: spec for spec in state.members}
        self._may_run = permission.allowed(permission.commands_of(state.description))
        self._client = httpx2.AsyncClient(trust_env=False, timeout=30)

    @property
    def same_boot(self) -> bool:
        """Its members are not processes of this boot; a restart of this machine changes nothing about them."""
        return True

    def allow(self, more: Allowed) -> None:
        """Let commands of scenarios be run besides."""
        self._may_run |= more

    def capabilities(self) -> Capabilities:
        return attached_capabilities(self._description)

    async def deploy(self) -> tuple[MemberUp, ...]:
        raise EnvironmentProblem(f"environment {self.state.id} is attached: it is never deployed")

    async def teardown(self) -> tuple[str, ...]:
        """Nothing here was started by us, so nothing of it is ended, but for commands of ours that still run."""
        return await self.quiesce()

    async def quiesce(self) -> tuple[str, ...]:
        return await end_left_commands(self._folder)

    async def close(self) -> None:
        await self._client.aclose()

    def client(self) -> httpx2.AsyncClient:
        return self._client

    def scrape_targets(self) -> dict[str, str]:
        return {name: spec.metrics for name, spec in self._specs.items() if spec.metrics}

    async def members(self) -> tuple[MemberUp, ...]:
        seen = await self.observe()
        return tuple(
            MemberUp(
                name=name,
                pid=0,
                binary="",
                binary_digest=seen[name].binary_digest,
                configuration_digest=seen[name].configuration_digest,
                metrics=spec.metrics,
            )
            for name, spec in self._specs.items()
        )

    async def holders(self, role: str) -> frozenset[str]:
        check = self._description.roles.get(role)
        if check is None:
            raise EnvironmentProblem(f"environment {self._description.name} knows no role {role!r}")
        timeout = self._description.lever_timeout if isinstance(check, CommandCheck) else _ROLE_TIMEOUT
        names = list(self._specs)
        results = await asyncio.gather(*(self.check(name, check, timeout) for name in names))
        return frozenset(name for name, result in zip(names, results, strict=True) if result.ok)

    async def check(self, member: str, check: Check, timeout: Duration) -> CheckResult:  # noqa: ASYNC109  # part of the check
        spec = self._spec(member)
        if isinstance(check, CommandCheck):
            return await self._check_command(spec, check, timeout)
        return await run_secretly(
            check, values=spec.values, secrets=self.secrets, may_run=NOTHING, client=self._client, timeout=timeout
        )

    async def _check_command(self, spec: MemberSpec, check: CommandCheck, within: Duration) -> CheckResult:
        """A check's command runs as a lever's does: with the environment that reaches the mesh."""
        try:
            ended = await self._run(spec, check.argv, what=f"the check {check.argv[0]!r} of {spec.name}", within=within)
        except (EnvironmentProblem, CannotRun) as error:
            return CheckResult(False, error.message)
        return CheckResult(ended.status == 0, f"{check.argv[0]!r} ended with status {ended.status}")

    async def pull(self, call: LeverCall) -> None:
        spec = self._spec(call.member)
        match call:
            case Kill() | Stop():
                before = await self._state_of(spec)
                await self._do(spec, call)
                await self._until_gone(spec, before)
            case Pause():
                await self._do(spec, call)
            case Resume():
                if await self._known_not_paused(spec):
                    return
                await self._do(spec, call)
            case Start():
                if not (await self._state_of(spec)).up:
                    await self._do(spec, call)
                await self._until_ready(spec)
            case Leave() | Join():
                raise EnvironmentProblem(f"{spec.name} is attached: how it joins and leaves its mesh is not known here")
            case Shape() | Unshape():
                raise EnvironmentProblem(
                    f"the links of {spec.name} cannot be shaped: it is attached, and not in a network of ours"
                )

    async def _known_not_paused(self, spec: MemberSpec) -> bool:
        """False where it cannot be told: to thaw what runs does no harm, to leave a member frozen does."""
        try:
            return not (await self._state_of(spec)).paused
        except EnvironmentProblem:
            return False

    async def _do(self, spec: MemberSpec, call: LeverCall) -> None:
        """Run the lever's command. One that fails where the member already is as wanted has done no harm."""
        name = lever_name(call)
        lever = self._description.levers.get(name)
        if lever is None:
            raise EnvironmentProblem(
                f"environment {self._description.name} has no lever {name}", hint="configure it in levers:"
            )
        what = f"the lever {name} of {spec.name}"
        ended = await self._run(
            spec,
            lever.do,
            what=what,
            within=self._description.lever_timeout,
            ledger=Ledger(folder=self._folder, must=name not in _UNDOES),
        )
        if ended.status != 0 and not _as_wanted(name, await self._state_of(spec)):
            raise EnvironmentProblem(f"{what} ({lever.do[0]!r}) ended with status {ended.status}; {ended.tail}")

    async def _until_gone(self, spec: MemberSpec, before: MemberState) -> None:
        """Wait for a kill to be seen, but not for ever: whether it bit is for the run to say, not for the lever."""
        clock = SystemClock()
        until = clock.monotonic_ns() + self._description.lever_timeout.ns
        while clock.monotonic_ns() < until:
            now = await self._state_of(spec)
            if not now.up or now.identity != before.identity:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _until_ready(self, spec: MemberSpec) -> None:
        ready = self._description.ready
        within = ready.within if ready is not None else self._description.lever_timeout
        last = "it is not up"
        try:
            async with asyncio.timeout(within.seconds):
                while True:
                    if (await self._state_of(spec)).up:
                        result = CheckResult(True) if ready is None else await self.check(spec.name, ready.check, _ROLE_TIMEOUT)
                        if result.ok:
                            return
                        last = result.detail
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise EnvironmentProblem(f"member {spec.name} was not ready within {within}: {last}") from None

    async def observe(self) -> dict[str, MemberState]:
        states = await asyncio.gather(*map(self._state_of, self._specs.values()))
        return dict(zip(self._specs, states, strict=True))

    async def _state_of(self, spec: MemberSpec) -> MemberState:
        """Paused is asked first: a paused member may well not answer whether it is up, and it is."""
        paused = self._observe.paused is not None and await self._sees(spec, "paused", self._observe.paused)
        if not paused and not await self._sees(spec, "up", self._observe.up):
            return _DOWN
        identity, binary, configuration = await asyncio.gather(
            self._asked(spec, "identity", self._observe.identity),
            self._asked(spec, "binary", self._observe.binary),
            self._asked(spec, "configuration", self._observe.configuration),
        )
        return MemberState(up=True, paused=paused, identity=identity, binary_digest=binary, configuration_digest=configuration)

    async def _sees(self, spec: MemberSpec, what: str, sighting: Sighting) -> bool:
        """Yes or no; raises EnvironmentProblem where it cannot be told."""
        if not isinstance(sighting.check, CommandCheck):
            return (await self.check(spec.name, sighting.check, _ROLE_TIMEOUT)).ok
        told = f"whether {spec.name} is {what}"
        ended = await self._observed(spec, sighting.check.argv, told)
        if sighting.prints is not None and ended.status == 0:
            return ended.first_line == sighting.prints
        if sighting.prints is None and ended.status in {0, _NO}:
            return ended.status == 0
        raise EnvironmentProblem(
            f"{told} cannot be told: {sighting.check.argv[0]!r} ended with status {ended.status}; {ended.tail}"
        )

    async def _asked(self, spec: MemberSpec, what: str, argv: tuple[str, ...]) -> str:
        if not argv:
            return ""
        ended = await self._observed(spec, argv, f"the {what} of {spec.name}")
        if ended.status != 0:
            raise EnvironmentProblem(
                f"the {what} of {spec.name} cannot be told: {argv[0]!r} ended with status {ended.status}; {ended.tail}"
            )
        return ended.first_line

    async def _observed(self, spec: MemberSpec, argv: tuple[str, ...], told: str) -> Ended:
        return await self._run(spec, argv, what=f"the command that tells {told}", within=self._description.lever_timeout)

    async def _run(
        self, spec: MemberSpec, argv: tuple[str, ...], *, what: str, within: Duration, ledger: Ledger | None = None
    ) -> Ended:
        """Run one allowed command, secrets filled in; neither its words nor what went wrong with it tell them."""
        if argv not in self._may_run:
            raise CannotRun(f"{what} was not allowed: {list(argv)}", hint="allow it with --allow-commands")
        hide = self.secrets.redactor.text
        try:
            ended = await run_command(
                tuple(self.secrets.reveal(render(text, spec.values)) for text in argv),
                what=what,
                env={name: self.secrets.reveal(text) for name, text in spec.env.items()},
                folder=_folder_of(self._description),
                within=within,
                ledger=ledger,
            )
        except EnvironmentProblem as error:
            raise EnvironmentProblem(hide(error.message), hint=hide(error.hint)) from None
        return replace(ended, first_line=hide(ended.first_line), tail=hide(ended.tail))

    def _spec(self, member: str) -> MemberSpec:
        spec = self._specs.get(member)
        if spec is None:
            raise EnvironmentProblem(f"there is no member {member!r} in environment {self._description.name}")
        return spec


def _as_wanted(lever: LeverName, now: MemberState) -> bool:
    """Whether a member is already as a lever would leave it."""
    match lever:
        case "kill" | "stop":
            return not now.up
        case "start":
            return now.up and not now.paused
        case "pause":
            return now.paused
        case "resume":
            return now.up and not now.paused
        case "shape" | "unshape" | "leave" | "join":
            return False
