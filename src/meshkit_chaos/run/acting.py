"""The acts of a run, each as intent → act → outcome. Facts go to the journal; nothing is decided here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from meshkit_chaos.clock import Clock
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.errors import ChaosError, EnvironmentProblem
from meshkit_chaos.faults import CATALOGUE, Aim, Effect, Fault, LeverCall, MemberState, Shape, lever_name
from meshkit_chaos.journal import events as ev
from meshkit_chaos.plan import AdjustNode, InjectNode, Plan, candidates_of, draw, wanted
from meshkit_chaos.run import commands as do
from meshkit_chaos.slo import Duration

LEVER_TIME: Final = Duration(5 * 10**9)
_ROLE_WITHIN_NS: Final = 3 * 10**9
_EFFECT_WITHIN_NS: Final = 10**9
_LOOK_EVERY_S: Final = 0.02
_RETRY_EVERY_S: Final = 0.2
_TOLL_WITHIN_S: Final = 1.0
_NEVER_S: Final = 300.0
"""An environment promises to be bounded in time. Of one that is not, a run with nothing in force would have no deadline."""


class Fact(Protocol):
    """Append an event and tell the machine. With ``sync`` it is on disk on return, or JournalUnwritable is raised."""

    def __call__(self, event: ev.AnyEvent, *, sync: bool = False) -> None: ...


class Actor:
    """Acts on one environment by one plan. ``fact`` records; ``tell`` reaches the machine without a record."""

    def __init__(
        self, plan: Plan, environment: Environment, clock: Clock, *, fact: Fact, tell: Callable[[do.Input], None]
    ) -> None:
        self._plan = plan
        self._environment = environment
        self._clock = clock
        self._fact = fact
        self._tell = tell
        self._injections: dict[str, _Injection] = {}

    async def inject(self, command: do.Inject) -> None:
        """Resolve, announce, pull the levers, look whether it bit. Never raises; every ending is a fact."""
        node = next(node for node in self._plan.nodes if node.id == command.node)
        assert isinstance(node, InjectNode)
        limit = self._lever_time(1)
        try:
            members = await self._resolve(node, command)
            before = await self._environment.observe()
            injection = self._intend(node, members, before)
            limit = self._lever_time(len(injection.intent.calls))
            await self._pull(injection.intent.calls, limit)
        except (ChaosError, TimeoutError) as error:
            self._fact(ev.FaultFailed(node=node.id, reason=_say(error, limit)))
            return
        self._fact(ev.FaultInjected(node=node.id))
        reason = await self._look(node.id, injection)
        self._tell(do.InjectionSettled(node.id, reason))

    async def adjust(self, node_id: str) -> None:
        """Change what is injected, as a ramp says: announce, pull the levers, look whether it still bites. Never raises."""
        node = next(node for node in self._plan.nodes if node.id == node_id)
        assert isinstance(node, AdjustNode)
        injection = self._injections[node.injection]
        changed = replace(injection, aim=replace(injection.aim, parameters=node.step.parameters))
        calls = changed.fault.inject(changed.aim)
        limit = self._lever_time(len(calls))
        try:
            self._fact(ev.AdjustIntended(node=node.id, injection=node.injection, calls=calls), sync=True)
            await self._pull(calls, limit)
        except (ChaosError, TimeoutError) as error:
            self._fact(ev.FaultFailed(node=node.id, reason=_say(error, limit)))
            return
        self._fact(ev.AdjustDone(node=node.id))
        reason = await self._look(node.injection, changed)
        self._tell(do.InjectionSettled(node.id, reason))

    async def _pull(self, calls: tuple[LeverCall, ...], limit: Duration) -> None:
        async with asyncio.timeout(limit.seconds):
            for call in calls:
                await self._environment.pull(call)

    async def _resolve(self, node: InjectNode, command: do.Inject) -> tuple[str, ...]:
        """Find who is hit, now. A role that nobody holds is asked for again for a while: it may just be changing hands."""
        target = node.step.target
        asked = [role for role in (target.role, target.not_role) if role]
        until = self._clock.monotonic_ns() + _ROLE_WITHIN_NS
        while True:
            roles = {role: await self._environment.holders(role) for role in asked}
            everyone = self._plan.capabilities.members
            candidates = tuple(
                member for member in candidates_of(target, members=everyone, roles=roles) if member not in command.held
            )
            if candidates and all(roles.values()):
                break
            if self._clock.monotonic_ns() >= until:
                held = f" (already under a fault: {', '.join(sorted(command.held))})" if command.held else ""
                raise EnvironmentProblem(f"no member fits the target {target_words(node)}{held}")
            await asyncio.sleep(_RETRY_EVERY_S)
        count = wanted(target, len(candidates))
        members = draw(candidates, count=count, seed=self._plan.seed, node=node.id)
        self._refuse(node, count, len(candidates), more=len(set(members) - command.under), free=command.free)
        self._fact(ev.TargetResolved(node=node.id, candidates=candidates, members=members, reason=target_words(node)))
        return members

    def _refuse(self, node: InjectNode, count: int, available: int, *, more: int, free: int) -> None:
        """The blast radius once more, now that it is known who is hit. ``more``: how many of them no fault holds yet."""
        if count < 1 or count > available:
            raise EnvironmentProblem(f"{count} members are wanted and {available} fit {target_words(node)}")
        if more > free:
            raise EnvironmentProblem(
                f"{more} more members would exceed the blast radius of {self._plan.blast_radius} ({free} left)"
            )

    def _intend(self, node: InjectNode, members: tuple[str, ...], before: dict[str, MemberState]) -> _Injection:
        fault = CATALOGUE[node.step.fault]
        aim = Aim(
            node=node.id,
            targets=members,
            members=self._plan.capabilities.members,
            clients=tuple(client.name for client in self._plan.environment.clients),
            parameters=fault.completed(node.step.parameters),
            seed=self._plan.seed,
            lasting=node.deadline,
        )
        try:
            calls, undo_calls = fault.inject(aim), fault.revert(aim)
        except ValueError as error:
            raise EnvironmentProblem(f"{fault.kind} cannot be aimed at {', '.join(members)}: {error}") from None
        refuse_strays(fault, aim, calls)
        intent = ev.FaultIntended(
            node=node.id,
            fault=fault.kind,
            members=members,
            calls=calls,
            undo=undo_calls,
            deadline=self._clock.monotonic_ns() + node.deadline.ns,
        )
        injection = self._injections[node.id] = _Injection(fault=fault, aim=aim, intent=intent, before=before)
        self._fact(intent, sync=True)
        return injection

    async def _look(self, node: str, injection: _Injection) -> str:
        """Observe each member until the effect is seen; say why not, where it is not."""
        within = self._plan.environment.lever_timeout.ns if self._by_commands else _EFFECT_WITHIN_NS
        until = self._clock.monotonic_ns() + within
        while True:
            missing = await self._missing(injection, injection.fault.effect)
            if not any(missing.values()) or self._clock.monotonic_ns() >= until:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        return self._tell_effect(node, injection, missing, injection.fault.effect_doc)

    def _tell_effect(self, node: str, injection: _Injection, missing: dict[str, str | None], seen: str) -> str:
        for member, wrong in missing.items():
            self._fact(ev.EffectObserved(node=node, member=member, bit=not wrong, detail=wrong or seen))
        failed = [f"{member}: {wrong}" for member, wrong in missing.items() if wrong]
        return f"the fault {injection.fault.kind} did not bite ({'; '.join(failed)})" if failed else ""

    async def _missing(self, injection: _Injection, effect: Effect) -> dict[str, str | None]:
        """What is missing of the effect on each member; an effect that could not be seen is missing."""
        aim, before = injection.aim, injection.before
        try:
            after = await self._environment.observe()
        except EnvironmentProblem as error:
            return dict.fromkeys(aim.targets, f"it could not be observed: {error.message}")
        return {member: effect(aim, member, before, after) for member in aim.targets}

    async def _look_at_toll(self, node: str) -> None:
        """What can only be told of the whole time that a fault was held, looked at before it is undone; never for long."""
        injection = self._injections[node]
        if injection.fault.toll is None:
            return
        try:
            async with asyncio.timeout(_TOLL_WITHIN_S):
                missing = await self._missing(injection, injection.fault.toll)
        except TimeoutError:
            missing = dict.fromkeys(injection.aim.targets, f"it could not be observed within {_TOLL_WITHIN_S:g} s")
        self._tell_effect(node, injection, missing, injection.fault.toll_doc)

    async def revert(self, command: do.Revert) -> None:
        """Undo an injection, again and again until the rollback's time is up. Never raises."""
        injection = command.injection
        if not command.at_once:
            await self._look_at_toll(injection)
        intent = self._injections[injection].intent
        within = self._plan.scenario.rollback.within
        until = self._clock.monotonic_ns() + within.ns
        self._fact(ev.RevertIntended(node=injection, members=intent.members, calls=intent.undo, deadline=until), sync=True)
        while True:
            problem = await undo(self._environment, intent.undo, until - self._clock.monotonic_ns())
            if not problem:
                self._fact(ev.RevertDone(node=injection), sync=True)
                return
            if self._clock.monotonic_ns() + _RETRY_EVERY_S * 10**9 >= until:
                self._fact(ev.RevertFailed(node=injection, reason=problem), sync=True)
                return
            await asyncio.sleep(_RETRY_EVERY_S)

    def _lever_time(self, calls: int) -> Duration:
        """A command has a time-out of its own, and says what it was that hung: only then is this one over."""
        ready = self._plan.environment.ready
        by_commands = self._plan.environment.lever_timeout * 3 * calls if self._by_commands else Duration(0)
        return LEVER_TIME + by_commands + self._plan.environment.stop_within + (ready.within if ready else Duration(0))

    @property
    def _by_commands(self) -> bool:
        return self._plan.environment.kind == "attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Injection:
    """One injection as it was announced, with what its members were before."""

    fault: Fault
    aim: Aim
    intent: ev.FaultIntended
    before: dict[str, MemberState]


def refuse_strays(fault: Fault, aim: Aim, calls: tuple[LeverCall, ...]) -> None:
    """Raises EnvironmentProblem for a lever that would touch what the blast radius does not know of.

    Levers act on targets only; but a link has two ends, so what others send to a target may be shaped.
    """
    for call in calls:
        if lever_name(call) not in fault.pulls:
            raise EnvironmentProblem(f"the fault {fault.kind} pulls the lever {lever_name(call)}, which it does not declare")
        towards_targets = isinstance(call, Shape) and set(call.towards) <= set(aim.targets)
        if call.member not in aim.targets and not towards_targets:
            raise EnvironmentProblem(
                f"the fault {fault.kind} would pull {lever_name(call)} on {call.member}, which is not among its targets"
            )


async def undo(environment: Environment, calls: tuple[LeverCall, ...], within_ns: int) -> str:
    """Pull undo levers, members side by side; what went wrong in words, empty when nothing did."""
    by_member: dict[str, list[LeverCall]] = {}
    for call in calls:
        by_member.setdefault(call.member, []).append(call)

    async def member(several: list[LeverCall]) -> None:
        for call in several:
            await environment.pull(call)

    try:
        async with asyncio.timeout(max(within_ns, 0) / 1e9):
            results = await asyncio.gather(*map(member, by_member.values()), return_exceptions=True)
    except TimeoutError:
        return "it was not done in time"
    return "; ".join(str(result) or type(result).__name__ for result in results if isinstance(result, BaseException))


def differences(before: dict[str, MemberState], after: dict[str, MemberState]) -> tuple[str, ...]:
    """Where two fingerprints differ, in words. Identities (pids) are not compared: a restarted member is as good as before."""
    out = [f"{name} is missing" for name in before if name not in after]
    out += [f"{name} was not there before" for name in after if name not in before]
    for name in before.keys() & after.keys():
        was, now = before[name], after[name]
        if was.up != now.up:
            out.append(f"{name} is {'up' if now.up else 'down'}")
        elif was.paused != now.paused:
            out.append(f"{name} is {'paused' if now.paused else 'not paused'}")
        if was.up and now.up and was.binary_digest != now.binary_digest:
            out.append(f"{name} runs another binary")
        if was.up and now.up and was.configuration_digest != now.configuration_digest:
            out.append(f"{name} was started with other arguments")
        if now.membership == "unknown":
            out.append(f"nobody could say whether {name} is still a member")
        elif was.membership != now.membership:
            out.append(f"{name} is {'a member' if now.membership == 'in' else 'no member'}")
        out += [f"the links of {name} are still under {layer}" for layer in now.layers if layer not in was.layers]
        out += [f"the links of {name} are no longer under {layer}" for layer in was.layers if layer not in now.layers]
    return tuple(sorted(out))


async def compared(
    environment: Environment, before: dict[str, MemberState] | None
) -> tuple[dict[str, MemberState] | None, tuple[str, ...]]:
    """The environment now, and how it differs from before; that it cannot be seen, or never answers, is a difference too."""
    try:
        async with asyncio.timeout(_NEVER_S):
            after = await environment.observe()
    except EnvironmentProblem as error:
        return None, (f"it could not be observed: {error.message}",)
    except TimeoutError:
        return None, (f"it could not be observed within {_NEVER_S:g} s",)
    return after, differences(before, after) if before is not None else ("there is no fingerprint from before",)


def target_words(node: InjectNode) -> str:
    """The target as people say it: ``role leader``, ``2 of etcd-1, etcd-2``."""
    target = node.step.target
    words = []
    if target.count is not None:
        words.append(f"{target.count} of")
    if target.share is not None:
        words.append(f"{target.share} of")
    words.append(", ".join(target.names) if target.names else f"role {target.role}" if target.role else "all members")
    if target.not_role:
        words.append(f"without role {target.not_role}")
    return " ".join(words)


def _say(error: BaseException, limit: Duration) -> str:
    return f"the levers did not answer within {limit}" if isinstance(error, TimeoutError) else str(error)
