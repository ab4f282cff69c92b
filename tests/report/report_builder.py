"""A realistic record of a killed etcd leader, and verdicts about it, for the tests of the reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from msgspec import structs

from meshkit_chaos.faults import Kill, MemberState, Start
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.verdict import Finding, InvocationVerdict, Measurement, Repetition, Share, Verdict
from meshkit_chaos.plan.model import Capabilities, HoldNode, InjectNode, Plan, RevertNode
from meshkit_chaos.report.model import InvocationReport, Plot, RunReport
from meshkit_chaos.scenario.environment import EnvironmentDescription, MemberDescription
from meshkit_chaos.scenario.model import BlastRadius, FaultStep, Rollback, Scenario, SteadyState, Target
from meshkit_chaos.slo import Band, Duration, Goodness, Indicator, Objective

TITLES = {
    "leader-killed": "A new leader after the old one is killed",
    "leader-killed-under-load": "A new leader while the mesh is under load",
    "leader-paused": "A frozen leader is replaced and rejoins",
}
T0 = 7_000_000_000_000
MEMBERS = ("etcd-1", "etcd-2", "etcd-3")
INJECTED = 8.21
SUBJECT = {"version": "3.5.1", "commit": "9f2c1e7a", "branch": "release-3.5"}


def at(seconds: float) -> int:
    return T0 + round(seconds * 1e9)


def s(seconds: float) -> int:
    return round(seconds * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    tick: int
    start: int
    end: int
    value: float | None
    state: Goodness
    reason: str = ""


def scenario(identity: str = "leader-killed") -> Scenario:
    leaders = Indicator(name="leaders", query="sum(etcd_server_is_leader)", band=Band("==", 1.0))
    writes = Indicator(
        name="failed-proposals",
        query="sum(rate(etcd_server_proposals_failed_total[1s]))",
        band=Band("<=", 0.5),
        description="proposals that failed, per second",
    )
    latency = Indicator(
        name="probe-latency", query='max(probe_duration_seconds{probe="health"})', band=Band("<=", 0.25), source="health"
    )
    return Scenario(
        id=identity,
        title=TITLES[identity],
        owner="mesh-team",
        severity="high",
        modules=("leadership", "gossip"),
        tags=("nightly",),
        steady_state=SteadyState(indicators=("leaders",), lasting=Duration.parse("5s")),
        indicators=(leaders, writes, latency),
        steps=(FaultStep(id="kill-leader", fault="kill", target=Target(role="leader"), hold=Duration.parse("6s")),),
        objectives=(
            Objective(id="leader-returns", form="converge", indicator="leaders", within=Duration.parse("5s")),
            Objective(id="latency-recovers", form="recover", indicator="probe-latency", within=Duration.parse("3s")),
        ),
        rollback=Rollback(within=Duration.parse("20s"), verify=("leaders",)),
        blast_radius=BlastRadius(members=1),
        timeout=Duration.parse("2m"),
    )


def plan(of: Scenario | None = None) -> Plan:
    chosen = of or scenario()
    step = chosen.steps[0]
    assert isinstance(step, FaultStep)
    members = tuple(MemberDescription(name=name, command=("etcd", "--name", name)) for name in MEMBERS)
    return Plan(
        scenario=chosen,
        environment=EnvironmentDescription(
            path="environments/etcd.yaml",
            digest="sha256:77aa",
            name="etcd",
            kind="process",
            class_name="etcd-3",
            members=members,
        ),
        capabilities=Capabilities(members=MEMBERS, levers=("kill", "start", "pause", "resume"), roles=("leader",)),
        seed=4711,
        nodes=(
            InjectNode(id="kill-leader", after=(), step=step, deadline=Duration.parse("30s")),
            HoldNode(id="kill-leader.hold", after=("kill-leader",), lasting=Duration.parse("6s")),
            RevertNode(id="kill-leader.revert", after=("kill-leader.hold",), injection="kill-leader"),
        ),
        round_every=Duration.parse("200ms"),
        limit=Duration.parse("2m"),
        blast_radius=1,
    )


def _state(*, up: bool = True) -> MemberState:
    return MemberState(up=up, paused=False, binary_digest="9b1e" * 16, configuration_digest="c0de" * 16)


def _started(of: Plan, run: str) -> ev.RunStarted:
    return ev.RunStarted(
        schema=1,
        run=run,
        plan=of,
        tool="0.1.0",
        python="3.11.7",
        platform="Linux-6.1-x86_64",
        environment_class="etcd-3",
        subject=SUBJECT,
        repeat=0,
        wall_ns=1_795_454_593_000_000_000,
        boot="boot-1",
        owner=1000,
        pid=3999,
        deployed=True,
        environment_id="env-1",
        environment_folder="environment",
    )


def happenings(of: Plan, *, run: str) -> list[tuple[float, ev.AnyEvent]]:
    """The events of a whole run, in seconds since its start."""
    up = tuple(
        ev.MemberUp(
            name=name,
            pid=4000 + n,
            binary="etcd",
            binary_digest="9b1e" * 16,
            configuration_digest="c0de" * 16,
            metrics="127.0.0.1",
        )
        for n, name in enumerate(MEMBERS)
    )
    fingerprint = {name: _state() for name in MEMBERS}
    kill, start = (Kill(member="etcd-2"),), (Start(member="etcd-2"),)
    flushed = [(t, ev.SamplesFlushed(block=f"{int(t):032x}", bytes=2048, rounds=5, samples=630)) for t in range(3, 22)]
    told: list[tuple[float, ev.AnyEvent]] = [
        (0.0, _started(of, run)),
        (0.02, ev.WatchdogStarted(pid=4100)),
        (0.03, ev.PhaseEntered(phase="deploy")),
        (0.04, ev.DeployIntended(marker=f"meshkit-chaos-{run[-6:]}", data="environment/data", deadline=at(120))),
        (2.1, ev.DeployDone(members=up)),
        (2.11, ev.PhaseEntered(phase="prerequisites")),
        (2.4, ev.PrerequisiteChecked(name="members up == 3", held=True, detail="3 of 3 members are up")),
        (3.0, ev.PhaseEntered(phase="baseline")),
        (8.14, ev.SteadyStateChecked(indicator="leaders", held=True, detail="good in 26 of 26 rounds")),
        (8.15, ev.FingerprintTaken(when="before", members=fingerprint)),
        (8.16, ev.PhaseEntered(phase="inject")),
        (
            8.2,
            ev.TargetResolved(
                node="kill-leader", candidates=("etcd-2",), members=("etcd-2",), reason="etcd-2 has the role leader"
            ),
        ),
        (
            INJECTED,
            ev.FaultIntended(node="kill-leader", fault="kill", members=("etcd-2",), calls=kill, undo=start, deadline=at(38)),
        ),
        (8.27, ev.FaultInjected(node="kill-leader")),
        (8.31, ev.EffectObserved(node="kill-leader", member="etcd-2", bit=True, detail="the member's process is gone")),
        (8.32, ev.PhaseEntered(phase="hold")),
        (8.4, ev.IndicatorChanged(indicator="leaders", state="bad", detail="its value is 0; good is == 1")),
        (14.32, ev.HoldDone(node="kill-leader.hold")),
        (14.33, ev.PhaseEntered(phase="revert")),
        (14.34, ev.RevertIntended(node="kill-leader", members=("etcd-2",), calls=start, deadline=at(40))),
        (15.12, ev.RevertDone(node="kill-leader")),
        (15.13, ev.PhaseEntered(phase="settle")),
        (20.2, ev.PhaseEntered(phase="verify")),
        (20.3, ev.FingerprintTaken(when="after", members=fingerprint)),
        (20.35, ev.EnvironmentVerified(clean=True, differences=())),
        (20.4, ev.PhaseEntered(phase="teardown")),
        (20.41, ev.TeardownIntended(marker=f"meshkit-chaos-{run[-6:]}", deadline=at(60))),
        (21.3, ev.TeardownDone(left=())),
        (21.4, ev.RunFinished(outcome="completed")),
    ]
    return sorted((*told, *flushed), key=lambda pair: (pair[0], isinstance(pair[1], ev.RunFinished)))


def record_of(events: list[tuple[float, ev.AnyEvent]]) -> Record:
    entries = tuple(ev.Entry(seq=seq, t=at(seconds), event=event) for seq, (seconds, event) in enumerate(events))
    return Record(entries=entries, digest="5e1f" * 16)


def seq_of(record: Record, wanted: type) -> int:
    found = next(((entry, entry.event) for entry in record.entries if isinstance(entry.event, wanted)), None)
    assert found
    return found[0].seq


Shape = Callable[[float], float | None]


def points(shape: Shape, band: Band, *, every: float = 0.2, until: float = 20.2) -> tuple[Point, ...]:
    """Rounds from the end of the deployment; ``shape`` gives the value at seconds since the run's start."""
    out: list[Point] = []
    for n in count():
        tick = 2.6 + n * every
        if tick > until:
            return tuple(out)
        value = shape(tick)
        out.append(
            Point(
                tick=at(tick),
                start=at(tick + 0.002),
                end=at(tick + 0.011),
                value=value,
                state=band.assess(value),
                reason="" if value is not None else "the scrape of etcd-1 timed out",
            )
        )
    raise AssertionError


def leaders(seconds: float, *, back: float = 9.8) -> float | None:
    return 0.0 if INJECTED + 0.2 < seconds < back else 1.0


def failed(seconds: float) -> float | None:
    if 9.0 < seconds < 9.7:
        return None
    if INJECTED + 0.3 < seconds < 10.6:
        return 6.5 - abs(seconds - 9.4) * 3.1
    return 0.04 + 0.03 * ((seconds * 7) % 1)


def latency(seconds: float, *, back: float = 15.8) -> float | None:
    wobble = 0.012 + 0.008 * ((seconds * 13.7) % 1)
    if INJECTED < seconds < 10.1 or 14.4 < seconds < back:
        return 0.5 + wobble
    return wobble


def plots(*, back: float = 9.8, latency_back: float = 15.8) -> tuple[Plot, ...]:
    one, two, three = scenario().indicators
    shapes: tuple[Shape, ...] = (lambda t: leaders(t, back=back), failed, lambda t: latency(t, back=latency_back))
    return tuple(
        Plot(indicator=i.name, query=i.query, band=i.band, points=points(shape, i.band), description=i.description)
        for i, shape in zip((one, two, three), shapes, strict=True)
    )


def measured(lo: float, hi: float | None, *, limit: float, start: float, acked: float | None = None) -> Measurement:
    """``start``: the intent of the act it counts from; the recovery instant follows from the interval."""
    a0, a1 = start, acked if acked is not None else start
    return Measurement(
        lo=s(lo),
        hi=None if hi is None else s(hi),
        limit=s(limit),
        resolution=s(0.2),
        window=(at(a0), at(20.2)),
        onset=at(a0 + 0.19),
        recovered=None if hi is None else (at(a1 + lo), at(a0 + hi)),
        flaps=0,
        lost=s(1.4),
    )


def passing(run: str = "01JD0000000000000000000001", identity: str = "leader-killed") -> RunReport:
    """A run whose objectives were met."""
    the_plan = plan(scenario(identity))
    record = record_of(happenings(the_plan, run=run))
    evidence = (seq_of(record, ev.FaultIntended), seq_of(record, ev.FaultInjected))
    back = (seq_of(record, ev.RevertIntended), seq_of(record, ev.RevertDone))
    findings = (
        Finding(
            about="assumption",
            id="steady-state",
            verdict="pass",
            sentence="leaders was in its band (== 1) for the whole of the baseline, 5.16 s.",
            indicator="leaders",
        ),
        Finding(
            about="assumption",
            id="fault-bit",
            verdict="pass",
            sentence="kill bit etcd-2: the member's process is gone.",
            evidence=(seq_of(record, ev.EffectObserved),),
        ),
        Finding(
            about="objective",
            id="leader-returns",
            verdict="pass",
            sentence="leaders was back in its band (== 1) 1.33 s to 1.60 s after the injection; the limit is 5 s.",
            evidence=evidence,
            indicator="leaders",
            measured=measured(1.33, 1.6, limit=5, start=INJECTED, acked=8.27),
        ),
        Finding(
            about="objective",
            id="latency-recovers",
            verdict="pass",
            sentence="probe-latency was back in its band (<= 0.25) 0.48 s to 1.47 s after the revert; the limit is 3 s.",
            evidence=back,
            indicator="probe-latency",
            measured=measured(0.48, 1.47, limit=3, start=14.34, acked=15.12),
        ),
        Finding(
            about="objective",
            id="few-failures",
            verdict="fail",
            sentence="failed-proposals was out of its band (<= 0.5) for 12% of the hold phase.",
            indicator="failed-proposals",
            informational=True,
            share=Share(observed=s(6), bad=s(0.7), unknown=s(0.6), longest=s(0.7), allowed=0.05),
        ),
    )
    return RunReport(verdict=_verdict(run, identity, findings), record=record, plots=plots())


def _verdict(run: str, identity: str, findings: tuple[Finding, ...]) -> Verdict:
    return Verdict(
        run=run,
        scenario=identity,
        title=TITLES[identity],
        verdict="pass",
        outcome="completed",
        environment="clean",
        findings=findings,
        severity="high",
        owner="mesh-team",
        modules=("leadership", "gossip"),
        tags=("nightly",),
        subject=SUBJECT,
        environment_class="etcd-3",
        binaries=dict.fromkeys(MEMBERS, "9b1e" * 16),
        seed=4711,
        tool="0.1.0",
        journal_digest="5e1f" * 16,
    )


def failing(run: str = "01JD0000000000000000000002", identity: str = "leader-killed-under-load") -> RunReport:
    """A run whose convergence came too late."""
    good = passing(run, identity)
    missed = Finding(
        about="objective",
        id="leader-returns",
        verdict="fail",
        sentence="leaders was back in its band (== 1) only 6.93 s to 7.19 s after the injection; the limit is 5 s.",
        hint="look at the election timeout: the first vote began 4.9 s after the kill",
        evidence=good.verdict.findings[2].evidence,
        indicator="leaders",
        measured=measured(6.93, 7.19, limit=5, start=INJECTED, acked=8.27),
    )
    findings = tuple(missed if f.id == "leader-returns" else f for f in good.verdict.findings)
    verdict = structs.replace(good.verdict, verdict="fail", findings=findings)
    return replace(good, verdict=verdict, plots=plots(back=15.4))


def inconclusive(run: str = "01JD0000000000000000000003", identity: str = "leader-paused") -> RunReport:
    """A run whose interval straddles its limit and whose environment was left dirty."""
    good = passing(run, identity)
    straddling = Finding(
        about="objective",
        id="latency-recovers",
        verdict="inconclusive",
        sentence="probe-latency was back in its band (<= 0.25) 2.66 s to 3.65 s after the revert; the limit is 3 s.",
        hint="a sampling interval of 100 ms or less would have decided it",
        evidence=good.verdict.findings[3].evidence,
        indicator="probe-latency",
        measured=measured(2.66, 3.65, limit=3, start=14.34, acked=15.12),
    )
    dirty = Finding(
        about="environment",
        id="fingerprint",
        verdict="inconclusive",
        sentence="etcd-2 is down, and it was up before the fault.",
    )
    findings = (*(straddling if f.id == "latency-recovers" else f for f in good.verdict.findings), dirty)
    verdict = structs.replace(good.verdict, verdict="inconclusive", environment="dirty", findings=findings)
    return replace(good, verdict=verdict, plots=plots(latency_back=17.9))


def repetition(run: RunReport, sentence: str, **changes: object) -> Repetition:
    verdict = run.verdict
    made = Repetition(
        scenario=verdict.scenario,
        title=verdict.title,
        verdict=verdict.verdict,
        sentence=sentence,
        runs=(verdict.run,),
        objectives={f.id: f.verdict for f in verdict.findings if f.about == "objective" and not f.informational},
        severity=verdict.severity,
        owner=verdict.owner,
    )
    return structs.replace(made, **changes)


def all_passed() -> InvocationReport:
    run = passing()
    invocation = InvocationVerdict(
        invocation="01JD000000000000000000000A",
        verdict="pass",
        environment="clean",
        sentence="the one scenario passed",
        subject=SUBJECT,
        scenarios=(repetition(run, "both objectives were met"),),
        runs=(run.verdict,),
    )
    return InvocationReport(invocation=invocation, runs=(run,))


def mixed() -> InvocationReport:
    """One of everything: pass, fail, inconclusive with a dirty environment, and a scenario that never started."""
    good, bad, unsure = passing(), failing(), inconclusive()
    never = Repetition(
        scenario="shard-split",
        title="Shards rebalance after a split",
        verdict="not-run",
        sentence="the environment has no lever for network partitions",
        runs=(),
    )
    invocation = InvocationVerdict(
        invocation="01JD000000000000000000000B",
        verdict="fail",
        environment="dirty",
        sentence="1 of 4 scenarios failed; one was inconclusive and one never started",
        subject=SUBJECT,
        scenarios=(
            repetition(good, "both objectives were met"),
            repetition(bad, "leader-returns: 6.93 s to 7.19 s, the limit is 5 s"),
            repetition(unsure, "latency-recovers: 2.66 s to 3.65 s, the limit of 3 s lies between"),
            never,
        ),
        runs=(good.verdict, bad.verdict, unsure.verdict),
    )
    return InvocationReport(invocation=invocation, runs=(good, bad, unsure), recover="meshkit-chaos recover out")
