"""Where runs happen: the composition root that turns an environment description into something a plan can run on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict, Unpack

from meshkit_chaos.campaign.campaign import RunOf
from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.sources import annotator_for, connection_for
from meshkit_chaos.clock import Clock, SystemClock, ulid
from meshkit_chaos.environments import state as env_state
from meshkit_chaos.environments.attached import register
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.logs import collect_logs
from meshkit_chaos.environments.opening import StandingEnvironment, open_environment
from meshkit_chaos.environments.permission import NOTHING, Allowed, CommandUse, allowed, commands_in, commands_of, refuse
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.environments.resolving import merged_vars, platform_name
from meshkit_chaos.environments.secrets import HIDES_NOTHING, Redactor, Secrets
from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.environments.state import EnvironmentState, OpenRun, Quarantine
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.errors import CannotRun, ChaosError, EnvironmentBusy, EnvironmentDirty, JournalDamaged, JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import Reader
from meshkit_chaos.measure.annotations import Annotator
from meshkit_chaos.measure.sampler import Sampler
from meshkit_chaos.network.needs import refuse_where_impossible
from meshkit_chaos.plan import Capabilities, Plan
from meshkit_chaos.run.engine import CollectLogs
from meshkit_chaos.run.recovery import close_books, read_facts, settled
from meshkit_chaos.run.runner import Order, run_once
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo import Duration

_USUAL_ROUND = Duration(200 * 10**6)


class Place(Protocol):
    """Somewhere a campaign can run. ``execute`` is what the campaign calls for each run."""

    @property
    def description(self) -> EnvironmentDescription: ...
    @property
    def capabilities(self) -> Capabilities: ...
    @property
    def redactor(self) -> Redactor: ...
    def permit(self, scenarios: Sequence[Scenario], *, allow: bool) -> None:
        """Raises CannotRun for commands of the environment or the scenarios that the operator did not allow."""
        ...

    def execute(self, plan: Plan, run: RunOf) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Talk:
    """Who reads the journals of the runs as they are written, and what is said at a second signal."""

    readers: tuple[Reader, ...] = ()
    on_second_signal: Callable[[], None] = field(default=lambda: None)


def _only_it_reaches(description: EnvironmentDescription) -> bool:
    """Whether members have addresses that mean nothing, or something else, to this machine."""
    return description.kind == "simulated" or description.network is not None


def environment_class(description: EnvironmentDescription) -> str:
    """An explicit name plus a digest of kind, member count and platform: runs of one class can be compared."""
    facts = f"{description.kind}/{len(description.members)}/{platform_name()}"
    return f"{description.class_name}-{hashlib.sha256(facts.encode()).hexdigest()[:8]}"


def sampler_for(plan: Plan, environment: Environment, clock: Clock, annotator: Annotator | None = None) -> Sampler:
    metrics = plan.environment.metrics
    return Sampler(
        indicators=plan.scenario.indicators,
        members=plan.capabilities.members,
        targets=environment.scrape_targets(),
        every=plan.round_every,
        timeout=metrics.timeout if metrics else _USUAL_ROUND,
        check=environment.check,
        clock=clock,
        client=environment.client() if _only_it_reaches(plan.environment) else None,
        external=connection_for(plan.environment, environment, clock),
        annotator=annotator,
    )


def _order(plan: Plan, environment: Environment, clock: Clock, talk: Talk, run: RunOf, **rest: Unpack[_Rest]) -> Order:
    annotator = annotator_for(plan.environment, environment, clock)
    return Order(
        run=run.run,
        plan=plan,
        folder=run.folder,
        environment=environment,
        environment_class=environment_class(plan.environment),
        subject=run.subject,
        repeat=run.repeat,
        make_sampler=lambda: sampler_for(plan, environment, clock, annotator),
        readers=(*talk.readers, annotator.read) if annotator is not None else talk.readers,
        on_second_signal=talk.on_second_signal,
        **rest,
    )


class _Rest(TypedDict):
    """What differs between the places."""

    deployed: bool
    environment_id: str
    environment_folder: str
    collect_logs: CollectLogs
    redactor: NotRequired[Redactor]
    leases: NotRequired[tuple[int, ...]]
    watched: NotRequired[bool]


class DeployedPlace:
    """Each run deploys its own processes, and nothing of them is left afterwards.

    ``refusal``: why nothing can be deployed; every run is then announced, not begun, and recorded with that reason.
    """

    def __init__(
        self, description: EnvironmentDescription, given: dict[str, str], talk: Talk, *, refusal: CannotRun | None = None
    ) -> None:
        self.description = description
        self.capabilities = capabilities_of(description)
        self._given = given
        self._talk = talk
        self._refusal = refusal
        self._has_network = False
        self._may_run: Allowed = NOTHING
        merged_vars(description, given)  # a wrong --var is an error before anything starts
        secrets = Secrets.of(description)
        secrets.refuse_missing()
        self.redactor = secrets.redactor

    def permit(self, scenarios: Sequence[Scenario], *, allow: bool) -> None:
        self._may_run = permitted((*commands_of(self.description), *commands_in(scenarios)), allow=allow)

    def execute(self, plan: Plan, run: RunOf) -> None:
        if self._refusal is not None:
            raise self._refusal
        if self.description.network is not None and not self._has_network:
            refuse_where_impossible(self.description.network)
            self._has_network = True
        clock = SystemClock()
        environment = ProcessEnvironment.planned(
            run.folder / "environment",
            self.description,
            environment_id=self.description.name,
            marker=run.run,
            given=self._given,
            may_run=self._may_run,
        )
        order = _order(
            plan,
            environment,
            clock,
            self._talk,
            run,
            deployed=True,
            environment_id=self.description.name,
            environment_folder="environment",
            collect_logs=lambda: collect_logs(environment.state, run.folder / "logs", redactor=self.redactor),
            redactor=self.redactor,
        )
        asyncio.run(_run_and_close(order, clock))

    def close(self) -> None:
        """Nothing is held between runs."""


async def _run_and_close(order: Order, clock: Clock) -> None:
    try:
        await run_once(order, clock)
    finally:
        await order.environment.close()


class SimulatedPlace:
    """Runs in virtual time; nothing outside this process exists."""

    def __init__(self, description: EnvironmentDescription, given: dict[str, str], talk: Talk) -> None:
        self.description = description
        self.capabilities = capabilities_of(description)
        self._given = given
        self._talk = talk
        self.redactor = HIDES_NOTHING  # a simulated mesh is given no secret
        merged_vars(description, given)

    def permit(self, scenarios: Sequence[Scenario], *, allow: bool) -> None:
        """A simulated mesh runs no command: a probe that needs one could only ever be bad there."""
        del allow
        if uses := commands_in(scenarios):
            raise CannotRun(f"a simulated mesh runs no commands, and {uses[0]} is one", hint="choose a real mesh with --env")

    def execute(self, plan: Plan, run: RunOf) -> None:
        loop = VirtualTimeLoop()
        clock = VirtualClock(loop)
        environment = SimulatedEnvironment(self.description, clock, marker=run.run, given=self._given)
        order = _order(
            plan,
            environment,
            clock,
            self._talk,
            run,
            deployed=True,
            environment_id=self.description.name,
            environment_folder="environment",
            collect_logs=list,
            watched=False,
        )
        run_virtually(loop, _run_and_close(order, clock))

    def close(self) -> None:
        """Nothing is held between runs."""


class StandingPlace:
    """An environment that is already up and outlives the run: each fault is undone, nothing is torn down."""

    def __init__(self, environment_id: str, talk: Talk, *, wait: Duration) -> None:
        self._id = environment_id
        self._folder = environment_folder(environment_id)
        self._talk = talk
        self._scenarios_may_run: Allowed = NOTHING
        self._lease = _lease(self._folder, wait)  # first of all: until then somebody else may end it or deploy it anew
        try:
            loaded = self._open()
            _refuse_dirty(self._folder, environment_id)
        except ChaosError:
            self.close()
            raise
        self.description = loaded.state.description
        self.capabilities = loaded.capabilities()
        self.redactor = loaded.secrets.redactor

    def _open(self) -> StandingEnvironment:
        """The environment as it is now, with nothing held open. Raises CannotRun, EnvironmentProblem."""
        loaded = open_environment(self._folder)
        if loaded is None:
            raise CannotRun(f"environment {self._id} is not up", hint=f"`meshkit-chaos env up FILE --name {self._id}`")
        asyncio.run(loaded.close())
        if not loaded.same_boot:
            raise CannotRun(f"environment {self._id} was up in another boot", hint="`meshkit-chaos env down` forgets it")
        loaded.secrets.refuse_missing()
        return loaded

    def permit(self, scenarios: Sequence[Scenario], *, allow: bool) -> None:
        """Its own commands were allowed when it was registered."""
        self._scenarios_may_run = permitted(commands_in(scenarios), allow=allow)

    def execute(self, plan: Plan, run: RunOf) -> None:
        _refuse_dirty(self._folder, self._id)
        clock = SystemClock()
        environment = open_environment(self._folder)
        assert environment is not None
        environment.allow(self._scenarios_may_run)
        noted = OpenRun(run=str(run.folder.absolute()), id=run.run)
        env_state.note_open_run(self._folder, noted)
        order = _order(
            plan,
            environment,
            clock,
            self._talk,
            run,
            deployed=False,
            environment_id=self._id,
            environment_folder=str(self._folder),
            collect_logs=list,
            redactor=self.redactor,
            leases=(self._lease,),
        )
        try:
            asyncio.run(_run_and_close(order, clock))
        except (JournalUnwritable, CannotRun):  # the run was not begun: there is nothing to settle
            close_books(self._folder)
            raise
        except BaseException:
            self._settle(run.folder, noted)
            raise
        self._settle(run.folder, noted)

    def _settle(self, folder: Path, noted: OpenRun) -> None:
        """Close the books on a run: nothing open if its record says that all is undone, quarantine otherwise."""
        try:
            record = read_facts(folder)
        except JournalDamaged as error:
            self._quarantine(noted, (error.message,))
            return
        if settled(record):
            env_state.forget_open_run(self._folder)
            return
        verified = record.last(ev.EnvironmentVerified)
        self._quarantine(noted, verified[1].differences if verified else ("the run ended without looking",))

    def _quarantine(self, noted: OpenRun, different: tuple[str, ...]) -> None:
        """Where the disk does not even take that, the note that the run is open keeps the next one out."""
        with contextlib.suppress(OSError):
            env_state.quarantine(self._folder, Quarantine(run=noted.run, id=noted.id, differences=different))

    def close(self) -> None:
        os.close(self._lease)


def permitted(uses: tuple[CommandUse, ...], *, allow: bool) -> Allowed:
    """Exactly these commands, if they are allowed. Raises CannotRun that shows them all."""
    if not allow:
        refuse(uses)
    return allowed(uses)


def attach(
    description: EnvironmentDescription, given: dict[str, str], *, environment_id: str, allow: bool, wait: Duration
) -> EnvironmentState:
    """Register a mesh that already runs, so that faults on it can be undone by whoever comes later. Touches no member.

    Raises CannotRun for commands that were not allowed: the same document with the same values need not be allowed again.
    """
    folder = environment_folder(environment_id)
    lease = _lease(folder, wait)
    try:
        _refuse_dirty(folder, environment_id)
        known = env_state.owned_state(folder)
        if known is not None and known.description.kind != "attached":
            hint = f"give the attached one another name, or take that down: meshkit-chaos env down {environment_id}"
            raise CannotRun(f"{environment_id} is the id of an environment that was deployed here", hint=hint)
        uses = commands_of(description)
        was_allowed = known is not None and known.description.digest == description.digest
        return register(
            folder,
            description,
            environment_id=environment_id,
            marker=known.marker if known is not None else ulid(SystemClock()),
            given=given,
            may_run=permitted(uses, allow=allow or was_allowed),
        )
    finally:
        os.close(lease)


def _lease(folder: Path, wait: Duration) -> int:
    """Take the lease now, or try again until ``wait`` is over."""
    clock = SystemClock()
    until = clock.monotonic_ns() + wait.ns
    told = False
    while True:
        try:
            return env_state.take_lease(folder, holder="another run of this user")
        except EnvironmentBusy as error:
            if clock.monotonic_ns() >= until:
                raise
            if not told:
                say(f"{error.message}; waiting for it, at most {wait}")
            told = True
            time.sleep(0.2)


def _refuse_dirty(folder: Path, environment_id: str) -> None:
    why = env_state.quarantined(folder)
    hint = f"meshkit-chaos recover {environment_id}"
    if why is not None:
        raise EnvironmentDirty(f"environment {environment_id} is dirty: {'; '.join(why.differences)}", hint=hint)
    if (left := env_state.open_run(folder)) is not None:
        raise EnvironmentDirty(f"a run on environment {environment_id} crashed and was never undone: {left.run}", hint=hint)
