"""Journal events as short plain sentences, for the console, the live view and the event lists. Pure.

Takes one event, gives its word, its text and its weight; unknown kinds are told as they are, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from msgspec import structs

from meshkit_chaos.faults import LeverCall, LinkPolicy, Shape, lever_name
from meshkit_chaos.journal import events as ev
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.plan.model import InjectNode, Plan
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.wording import seconds

Weight = Literal["main", "detail", "noise", "alarm"]


@dataclass(frozen=True, slots=True)
class Told:
    """``main`` is worth a progress line, ``detail`` belongs in the full list, ``noise`` is counted, ``alarm`` is bad news."""

    word: str
    text: str
    weight: Weight = "main"


_PHASES: Final[dict[str, Told]] = {
    "deploy": Told("deploy", "starting the environment"),
    "prerequisites": Told("check", "what the scenario needs first"),
    "baseline": Told("baseline", "the steady state must hold before any fault"),
    "inject": Told("phase", "inject", "detail"),
    "hold": Told("phase", "hold", "detail"),
    "revert": Told("phase", "revert", "detail"),
    "settle": Told("settle", "watching the indicators come back and stay"),
    "verify": Told("verify", "is everything as it was before the fault"),
    "teardown": Told("teardown", "removing what was deployed"),
}


def roles(plan: Plan) -> dict[str, str]:
    """The role that each injection aims at, by node; those that aim at names are not there."""
    return {node.id: node.step.target.role for node in plan.nodes if isinstance(node, InjectNode) and node.step.target.role}


def calls_text(calls: tuple[LeverCall, ...]) -> str:
    """``start etcd-2, start etcd-3``."""
    return ", ".join(f"{lever_name(call)} {call.member}" for call in calls)


def members_text(members: tuple[str, ...]) -> str:
    return ", ".join(members) or "no member"


def fault_text(event: ev.FaultIntended, roles_by_node: Mapping[str, str]) -> str:
    role = roles_by_node.get(event.node)
    return f"{event.fault} {members_text(event.members)}" + (f" ({role})" if role else "") + policy_text(event.calls)


def policy_text(calls: tuple[LeverCall, ...]) -> str:
    """`` with delay=100ms, jitter=20ms``: what links suffer, apart from a plain cut; empty where none is shaped."""
    policy = next((call.policy for call in calls if isinstance(call, Shape)), None)
    usual = LinkPolicy()
    said = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in (structs.asdict(policy).items() if policy is not None else ())
        if name not in {"cut", "seed"} and value != getattr(usual, name)
    ]
    return f" with {', '.join(said)}" if said else ""


def _effect(event: ev.EffectObserved) -> Told:
    if event.bit:
        return Told("effect", f"{event.member}: {event.detail or 'the fault bit'}", "detail")
    return Told("no effect", f"{event.member}: {event.detail}", "alarm")


def _prerequisite(event: ev.PrerequisiteChecked) -> Told:
    tail = f": {event.detail}" if event.detail else ""
    return (
        Told("check", f"{event.name} holds{tail}", "detail")
        if event.held
        else Told("check", f"{event.name} does not hold{tail}", "alarm")
    )


def _steady(event: ev.SteadyStateChecked) -> Told:
    tail = f": {event.detail}" if event.detail else ""
    if event.held:
        return Told("steady", f"{event.indicator} held for the whole baseline{tail}", "detail")
    return Told("not steady", f"{event.indicator} did not hold before any fault{tail}", "alarm")


def _verified(event: ev.EnvironmentVerified) -> Told:
    if event.clean:
        return Told("verify", "the environment is as it was before the fault")
    return Told("dirty", "; ".join(event.differences) or "the environment is not as it was", "alarm")


def _rolled_back(event: ev.RollbackFinished) -> Told:
    if event.left:
        return Told("rollback", f"not undone: {', '.join(event.left)}", "alarm")
    return Told("rollback", "everything is undone")


def _torn_down(event: ev.TeardownDone) -> Told:
    if event.left:
        return Told("teardown", f"still there: {', '.join(event.left)}", "alarm")
    return Told("teardown", "nothing is left", "detail")


def _started(event: ev.RunStarted) -> Told:
    again = f", repeat {event.repeat}" if event.repeat else ""
    return Told("start", f"{event.plan.scenario.title} [{event.plan.scenario.id}] (seed {event.plan.seed}{again})")


def _condition(event: ev.ConditionDone) -> Told:
    return Told("until", f"{event.node}: {'met' if event.met else 'not met in time'}. {event.detail}".strip())


_Teller = Callable[[Any], Told]
_COURSE: Final[dict[type, _Teller]] = {
    ev.RunStarted: _started,
    ev.PhaseEntered: lambda e: _PHASES[e.phase],
    ev.DeployIntended: lambda e: Told("deploy", f"members will run under the marker {e.marker}", "detail"),
    ev.DeployDone: lambda e: Told("deployed", f"{counted(len(e.members), 'member')} up: {members_text(_names(e.members))}"),
    ev.DeployFailed: lambda e: Told("deploy", f"failed: {e.reason}", "alarm"),
    ev.PrerequisiteChecked: _prerequisite,
    ev.SecretLeaked: lambda e: Told("secret", f"the value of {e.secret} stands in {e.file}", "alarm"),
    ev.SteadyStateChecked: _steady,
    ev.IndicatorChanged: lambda e: Told("seen", f"{e.indicator} is {e.state}: {e.detail}"),
    ev.TargetResolved: lambda e: Told(
        "target", f"{members_text(e.members)} of {members_text(e.candidates)}" + (f": {e.reason}" if e.reason else ""), "detail"
    ),
    ev.FaultIntended: lambda e: Told("inject", fault_text(e, {})),
    ev.FaultInjected: lambda e: Told("injected", f"{e.node} was acknowledged", "detail"),
    ev.AdjustIntended: lambda e: Told("ramp", f"{e.injection}{policy_text(e.calls) or ': ' + calls_text(e.calls)}"),
    ev.AdjustDone: lambda e: Told("ramp", f"{e.node} was acknowledged", "detail"),
    ev.FaultFailed: lambda e: Told("inject", f"{e.node} failed: {e.reason}", "alarm"),
    ev.EffectObserved: _effect,
    ev.RevertIntended: lambda e: Told("revert", calls_text(e.calls) or members_text(e.members)),
    ev.RevertDone: lambda e: Told("reverted", f"{e.node} was acknowledged", "detail"),
    ev.RevertFailed: lambda e: Told("revert", f"{e.node} failed: {e.reason}", "alarm"),
    ev.HoldDone: lambda e: Told("hold", f"{e.node} is over", "detail"),
    ev.ConditionDone: _condition,
}
_SAFETY: Final[dict[type, _Teller]] = {
    ev.WriterChanged: lambda e: Told(
        "writer",
        f"the {e.writer} took over: {e.reason}" + (f" ({e.cut} bytes of a torn line cut off)" if e.cut else ""),
        "alarm",
    ),
    ev.WatchdogStarted: lambda e: Told("watchdog", f"stands by as process {e.pid}", "detail"),
    ev.WatchdogDied: lambda e: Told("watchdog", f"process {e.pid} died", "alarm"),
    ev.FingerprintTaken: lambda e: Told(
        "fingerprint", f"{e.when} the fault: {sum(s.up for s in e.members.values())} of {len(e.members)} members up", "detail"
    ),
    ev.GuardTripped: lambda e: Told("guard rail", f"{e.indicator}: {e.detail}", "alarm"),
    ev.SignalReceived: lambda e: Told("signal", e.signal, "alarm"),
    ev.AbortDecided: lambda e: Told("abort", e.reason, "alarm"),
    ev.MemberDied: lambda e: Told("died", f"{e.member}, which no fault held: {e.detail}", "alarm"),
    ev.RollbackStarted: lambda e: Told("rollback", e.reason),
    ev.RollbackFinished: _rolled_back,
    ev.EnvironmentVerified: _verified,
    ev.TeardownIntended: lambda e: Told("teardown", f"whatever bears the marker {e.marker}", "detail"),
    ev.TeardownDone: _torn_down,
    ev.SamplesFlushed: lambda e: Told(
        "samples", f"{counted(e.samples, 'sample')} of {counted(e.rounds, 'round')}, {e.bytes} bytes", "noise"
    ),
    ev.SourceDescribed: lambda e: Told(
        "source",
        f"{e.flavour} {e.version} at {e.server}, every {seconds(e.every)}; its clock minus ours: {seconds(e.offset)}",
        "detail",
    ),
    ev.MetricMissing: lambda e: Told(
        "source", f"there is no metric {e.metric}" + (f"; near names: {', '.join(e.near)}" if e.near else ""), "alarm"
    ),
    ev.LogCollected: lambda e: Told(
        "log", f"{e.member}: {e.path}, {e.bytes} bytes" + (", cut" if e.truncated else ""), "detail"
    ),
    ev.ProblemNoted: lambda e: Told("problem", f"{e.where}: {e.message}", "alarm"),
    ev.RunFinished: lambda e: Told("end", e.outcome),
}
_TELLERS: Final[dict[type, _Teller]] = {**_COURSE, **_SAFETY}


def _names(members: tuple[ev.MemberUp, ...]) -> tuple[str, ...]:
    return tuple(member.name for member in members)


def tell(event: ev.AnyEvent | ev.Unknown, *, roles_by_node: Mapping[str, str] | None = None) -> Told:
    """Say what happened, on one line and without unprintable characters."""
    if isinstance(event, ev.Unknown):
        told = Told(event.kind, "an event of a newer version, kept as it was", "detail")
    elif isinstance(event, ev.FaultIntended):
        told = Told("inject", fault_text(event, roles_by_node or {}))
    else:
        teller = _TELLERS.get(type(event))
        told = teller(event) if teller else Told(type(event).__name__, "happened", "detail")
    return Told(one_line(told.word), one_line(told.text), told.weight)


def clock(t: int, zero: int) -> str:
    """An instant with as many digits as every other, for columns: ``+1.620 s``."""
    return f"{(t - zero) / 1e9:+.3f} s".replace("-", "−")


def since(t: int, zero: int) -> str:
    """An instant as a span from zero: ``+1.62 s``, ``−5 s``."""
    return ("+" if t > zero else "") + seconds(t - zero)
