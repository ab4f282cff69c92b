"""A staged run: the record of a mesh of three whose leader is killed, with every fact under the control of the test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from msgspec import structs

from meshkit_chaos.faults import Kill, Pause, Resume, Start
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.samples import Round, Samples
from meshkit_chaos.plan.model import Capabilities, HoldNode, InjectNode, Plan, RevertNode
from meshkit_chaos.promql.series import STALE, Labels, Series, labels_of
from meshkit_chaos.scenario.environment import EnvironmentDescription, MemberDescription
from meshkit_chaos.scenario.model import BlastRadius, FaultStep, MembersPrerequisite, Rollback, Scenario, SteadyState, Target
from meshkit_chaos.slo import Band, Duration, Indicator, Objective

MS = 10**6
S = 10**9
T0 = 1_000 * S
MEMBERS = ("m1", "m2", "m3")
ONE_LEADER = Indicator(name="one-leader", query="sum(is_leader)", band=Band.parse("== 1"))
ERRORS = Indicator(name="errors", query="errors_total", band=Band.parse("== 0"), kind="event")
CONVERGE = Objective(id="converges", form="converge", indicator="one-leader", within=Duration(5 * S))

Value = Callable[[str, int], float | None]


def leader_killed(down: int = 1_500 * MS) -> Value:
    """m1 leads until the fault at 3 s; m2 from ``down`` after it. Instants are relative to the run's start."""

    def value(member: str, at: int) -> float | None:
        if at < 3 * S:
            return float(member == "m1")
        return float(member == "m2" and at >= 3 * S + down)

    return value


@dataclass(frozen=True, kw_only=True)
class Staged:
    """How the run went; instants are ns from its start. ``series``: by name, with labels of their own where they have any.

    Baseline 1–3 s, fault at 3 s (acknowledged 10 ms later), hold 4 s, reverted at 7 s (acknowledged at 7.3 s), settle until
    14 s.
    """

    objectives: tuple[Objective, ...] = (CONVERGE,)
    indicators: tuple[Indicator, ...] = (ONE_LEADER,)
    series: Mapping[str, Value] = field(default_factory=lambda: {"is_leader": leader_killed()})
    failed: Callable[[str, int], str] = lambda member, at: ""
    dropped: Callable[[int], bool] = lambda at: False
    verify: tuple[str, ...] = ("one-leader",)
    fault: str = "kill"
    held: bool = True
    settle_end: int = 14 * S
    every: int = 200 * MS

    @property
    def scenario(self) -> Scenario:
        return Scenario(
            id="leader-killed",
            title="A killed leader is replaced",
            prerequisites=(MembersPrerequisite(up=Band.parse(">= 3")),),
            steady_state=SteadyState(indicators=(self.indicators[0].name,), lasting=Duration(2 * S)),
            indicators=self.indicators,
            steps=(self._step,),
            objectives=self.objectives,
            rollback=Rollback(within=Duration(20 * S), verify=self.verify),
            blast_radius=BlastRadius(members=1),
            timeout=Duration(60 * S),
        )

    @property
    def _step(self) -> FaultStep:
        return FaultStep(id="leader-dies", fault=self.fault, target=Target(role="leader"), hold=Duration(4 * S))

    @property
    def plan(self) -> Plan:
        step = self._step
        return Plan(
            scenario=self.scenario,
            environment=EnvironmentDescription(
                path="lab.yaml",
                digest="d",
                name="lab",
                kind="simulated",
                class_name="lab-3",
                members=tuple(MemberDescription(name=name, command=("mesh",)) for name in MEMBERS),
            ),
            capabilities=Capabilities(members=MEMBERS, levers=("kill", "start", "pause", "resume")),
            seed=7,
            nodes=(
                InjectNode(id=step.id, after=(), step=step, deadline=Duration(30 * S)),
                HoldNode(id="leader-dies.hold", after=(step.id,), lasting=Duration(4 * S)),
                RevertNode(id="leader-dies.revert", after=("leader-dies.hold",), injection=step.id),
            ),
            round_every=Duration(self.every),
            limit=Duration(120 * S),
            blast_radius=1,
        )

    def record(self) -> Record:
        return Record(entries=numbered(self.events()), samples=self.samples(), digest="abc")

    def events(self) -> list[tuple[int, ev.AnyEvent]]:
        undo = (Start("m1"),) if self.fault == "kill" else (Resume("m1"),)
        calls = (Kill("m1"),) if self.fault == "kill" else (Pause("m1"),)
        members = tuple(
            ev.MemberUp(name=name, pid=1, binary="mesh", binary_digest="b", configuration_digest="c") for name in MEMBERS
        )
        return [
            (0, self._started()),
            (0, ev.PhaseEntered(phase="deploy")),
            (1, ev.DeployIntended(marker="r", data="d", deadline=9)),
            (S // 2, ev.DeployDone(members=members)),
            (S // 2, ev.PhaseEntered(phase="prerequisites")),
            (S // 2, ev.PrerequisiteChecked(name="members", held=True, detail="3 are up")),
            (1 * S, ev.PhaseEntered(phase="baseline")),
            (3 * S - 5 * MS, ev.SteadyStateChecked(indicator=self.indicators[0].name, held=True, detail="")),
            (3 * S - MS, ev.PhaseEntered(phase="inject")),
            (3 * S - MS, ev.TargetResolved(node="leader-dies", candidates=("m1",), members=("m1",), reason="leads")),
            (
                3 * S,
                ev.FaultIntended(
                    node="leader-dies", fault=self.fault, members=("m1",), calls=calls, undo=undo, deadline=40 * S
                ),
            ),
            (3 * S + 10 * MS, ev.FaultInjected(node="leader-dies")),
            (3 * S + 20 * MS, ev.EffectObserved(node="leader-dies", member="m1", bit=True, detail="")),
            (3 * S + 20 * MS, ev.PhaseEntered(phase="hold")),
            (7 * S - MS, ev.HoldDone(node="leader-dies.hold")),
            (7 * S - MS, ev.PhaseEntered(phase="revert")),
            (7 * S, ev.RevertIntended(node="leader-dies", members=("m1",), calls=undo, deadline=40 * S)),
            (7 * S + 300 * MS, ev.RevertDone(node="leader-dies")),
            (7 * S + 300 * MS, ev.PhaseEntered(phase="settle")),
            (self.settle_end, ev.PhaseEntered(phase="verify")),
            (self.settle_end + 100 * MS, ev.EnvironmentVerified(clean=True, differences=())),
            (self.settle_end + 100 * MS, ev.PhaseEntered(phase="teardown")),
            (self.settle_end + 101 * MS, ev.TeardownIntended(marker="r", deadline=9)),
            (self.settle_end + 500 * MS, ev.TeardownDone(left=())),
            (self.settle_end + 500 * MS, ev.RunFinished(outcome="completed")),
        ]

    def _started(self) -> ev.RunStarted:
        return ev.RunStarted(
            schema=1,
            run="01RUN",
            plan=self.plan,
            tool="0",
            python="3",
            platform="linux",
            environment_class="lab-3",
            subject={"version": "1"},
            repeat=0,
            wall_ns=0,
            boot="b",
            owner=0,
            pid=1,
            deployed=True,
            environment_id="e",
            environment_folder="env",
        )

    def samples(self) -> Samples:
        rounds: list[Round] = []
        kept: dict[Labels, tuple[list[int], list[float]]] = {}
        for at in range(S // 2, self.settle_end, self.every):
            if self.dropped(at):
                continue
            failed = {member: cause for member in MEMBERS if (cause := self._silent(member, at))}
            rounds.append(Round(source="scrape", tick=T0 + at, start=T0 + at + MS, end=T0 + at + 5 * MS, failed=failed))
            for name, value in self.series.items():
                self._sample(kept, name, value, at)
        series: dict[str, tuple[Series, ...]] = {}
        for labels, (times, values) in kept.items():
            name = dict(labels)["__name__"]
            series[name] = (*series.get(name, ()), Series(labels, tuple(times), tuple(values)))
        return Samples(rounds={"scrape": tuple(rounds)}, series=series)

    def _silent(self, member: str, at: int) -> str:
        if member == "m1" and self.held and 3 * S < at < 7 * S + 200 * MS:
            return "connection refused"
        return self.failed(member, at)

    def _sample(self, kept: dict[Labels, tuple[list[int], list[float]]], name: str, value: Value, at: int) -> None:
        metric, _, inside = name.partition("{")
        for member in MEMBERS:
            labels = labels_of(metric, {**dict(re.findall(r'(\w+)="([^"]*)"', inside)), "member": member, "instance": member})
            given = None if self._silent(member, at) else value(member, at)
            if given is None and labels not in kept:
                continue
            times, values = kept.setdefault(labels, ([], []))
            times.append(T0 + at)
            values.append(STALE if given is None else given)


def numbered(events: list[tuple[int, ev.AnyEvent]]) -> tuple[ev.Entry, ...]:
    """Give events their line numbers and their instants on the run's clock."""
    return tuple(ev.Entry(seq=seq, t=T0 + at, event=event) for seq, (at, event) in enumerate(events))


def without(record: Record, *kinds: type[ev.Event]) -> Record:
    """The record without events of some kinds, renumbered."""
    kept = [entry for entry in record.entries if not isinstance(entry.event, kinds)]
    return replace(record, entries=tuple(structs.replace(entry, seq=seq) for seq, entry in enumerate(kept)))


def with_events(record: Record, *events: tuple[int, ev.AnyEvent]) -> Record:
    """The record with further events at their instants, before those that happen at the same one."""
    known = [(entry.t - T0, entry.event) for entry in record.entries]
    joined = sorted([*events, *known], key=lambda pair: pair[0])  # type: ignore[arg-type, list-item]  # no unknown kinds are staged
    return replace(record, entries=numbered(joined))  # type: ignore[arg-type]  # as above
