"""Records of outages whose true instants are known, as the product would have made them: rounds, series and a journal.

Takes a seed; gives a ``Known``: a whole ``Record`` with one fault in it, the objective, and the truth. What is drawn: state and
event indicators, scrapes and probes, 50 ms to 5 s between rounds, members asked at different instants of a round, late onsets,
several outages, members that die (the fault's and others), counters that are reset, failed scrapes, NaN, missing rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from meshkit_chaos.faults import Kill, Start
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.recorder import Recorder, Sample
from meshkit_chaos.journal.samples import Round, Samples
from meshkit_chaos.plan.model import Capabilities, InjectNode, Plan
from meshkit_chaos.promql.series import labels_of
from meshkit_chaos.scenario.environment import EnvironmentDescription, MemberDescription
from meshkit_chaos.scenario.model import BlastRadius, FaultStep, Rollback, Scenario, SteadyState, Target
from meshkit_chaos.slo import Band, Duration, Indicator, Objective, Probe, TcpCheck

MS = 10**6
T0 = 10**12
Shape = Literal["leader", "two-leaders", "any", "all", "errors"]
Outage = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Known:
    """``truth``: ns from the true act to the true end of the last outage, 0 if that came before; None: it lasted to the end.

    ``clear``: every round is there and known. ``two_rounds``: the shortest outage that cannot be missed then. ``shortest``: the
    shortest outage that was drawn.
    """

    record: Record
    objective: Objective
    indicator: Indicator
    truth: int | None
    clear: bool
    two_rounds: int
    shortest: int
    every: int
    acting: int
    longest_round: int
    told: str


@dataclass(kw_only=True)
class _Draw:
    """One world while it is made. Instants are absolute ns."""

    rng: Random
    every: int
    members: tuple[str, ...]
    shape: Shape
    outages: tuple[Outage, ...]
    victim: str | None
    hit: int
    restored: int
    ended: int
    unknown: float
    dropped: float
    nan: float
    longest: int
    dies: tuple[str, int, int] | None = None
    events: dict[str, list[int]] = field(default_factory=dict)
    restarts: dict[str, list[int]] = field(default_factory=dict)
    clear: bool = True

    def out(self, at: int) -> bool:
        return any(start <= at < end for start, end in self.outages)

    def down(self, member: str, at: int) -> bool:
        own = self.dies is not None and member == self.dies[0] and self.dies[1] <= at < self.dies[2]
        return own or (member == self.victim and self.hit <= at < self.restored)

    def value(self, member: str, at: int) -> float:
        others = [name for name in self.members if name != self.victim]
        match self.shape:
            case "leader":
                return float(not self.out(at) and member == others[0])
            case "two-leaders":
                return float(member == others[0] or (self.out(at) and member == others[-1]))
            case "any":
                return float(not self.out(at))
            case "all":
                return float(not (self.out(at) and member == others[-1]))
            case "errors":
                began = max((moment for moment in self.restarts.get(member, ()) if moment <= at), default=0)
                return float(sum(began < event <= at for event in self.events.get(member, ())))


QUERIES: dict[Shape, tuple[str, str]] = {
    "leader": ("sum(is_leader)", "is_leader"),
    "two-leaders": ("sum(is_leader)", "is_leader"),
    "any": ("max(ok)", "ok"),
    "all": ("min(ok)", "ok"),
    "errors": ("errors_total", "errors_total"),
}


def known(seed: int, *, least: int = 1) -> Known:
    """Draw. ``least``: outages last at least so many times what cannot be missed; 0: a single one of any length."""
    rng = Random(f"outage/{seed}")
    every = rng.choice([50, 100, 200, 500, 1000, 2000, 5000]) * MS
    longest = rng.choice([0, every // 20, every // 3, every])
    two_rounds = 2 * (every + longest)
    limit, settle = rng.randint(2, 25) * every + rng.randrange(every), rng.choice([0, 1, 5]) * every
    acting = rng.choice([0, every // 10, every, 3 * every])
    begun = T0 + 8 * every + rng.randrange(every)
    hit = begun + rng.randint(0, acting)
    form: Literal["converge", "recover"] = rng.choice(["converge", "converge", "recover"])
    watched = limit + settle
    reverting = begun + acting + 1 + rng.randrange(watched)
    undoing = rng.choice([0, every // 10, every])
    restored = reverting + rng.randint(0, undoing)
    last_act = begun + acting if form == "converge" else reverting + undoing
    ended = max(reverting + undoing, last_act + watched) + 3 * every + longest + rng.randrange(8 * every)
    shape: Shape = rng.choice(["leader", "leader", "two-leaders", "any", "all", "errors", "errors"])
    members = tuple(f"m{number}" for number in range(1, rng.choice([2, 3, 3, 5]) + 1))
    noise = rng.choice([(0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.15, 0.0, 0.0), (0.0, 0.15, 0.0), (0.1, 0.1, 0.05)])
    draw = _Draw(
        rng=rng,
        every=every,
        members=members,
        shape=shape,
        outages=_outages(rng, hit, every=every, least=least * two_rounds, ended=ended - two_rounds),
        victim=rng.choice([None, members[0]]) if len(members) > 2 else None,
        hit=hit,
        restored=restored,
        ended=ended,
        unknown=noise[0],
        dropped=noise[1],
        nan=noise[2],
        longest=longest,
    )
    _trouble(draw)
    truth = _truth(draw, hit if form == "converge" else restored)
    indicator = _indicator(rng, shape, every)
    objective = Objective(
        id="o",
        form=form,
        indicator=indicator.name,
        within=Duration(limit),
        settle=Duration(settle),
        disturbance=rng.choice(["required", "optional"]),
    )
    samples = _sampled(draw, indicator)
    entries = _entries(draw, indicator, objective, acts=(begun, begun + acting, reverting, reverting + undoing))
    return Known(
        record=Record(entries=entries, samples=samples),
        objective=objective,
        indicator=indicator,
        truth=truth,
        clear=draw.clear,
        two_rounds=two_rounds,
        shortest=min((end - start for start, end in draw.outages), default=0),
        every=every,
        acting=acting if form == "converge" else undoing,
        longest_round=max((one.end - one.tick for one in samples.rounds[indicator.source]), default=0),
        told=_told(draw, seed, form),
    )


def _told(draw: _Draw, seed: int, form: str) -> str:
    outages = [((start - draw.hit) / 1e9, (end - draw.hit) / 1e9) for start, end in draw.outages]
    return (
        f"seed {seed}: {draw.shape}, every {draw.every / 1e9:g} s, {form}, outages {outages} s after the hit,"
        f" victim {draw.victim}, dies {draw.dies}, unknown {draw.unknown}, dropped {draw.dropped},"
        f" rounds up to {draw.longest / 1e9:g} s"
    )


def _outages(rng: Random, hit: int, *, every: int, least: int, ended: int) -> tuple[Outage, ...]:
    """What starts so late that it cannot be seen any more is left out."""
    if not least:
        start = hit + rng.choice([0, rng.randrange(8 * every)])
        return ((start, start + rng.randrange(1, 6 * every)),) if start < ended else ()
    out: list[Outage] = []
    at = hit + rng.choice([0, 0, rng.randrange(12 * every)])
    for _ in range(rng.choice([1, 1, 2, 3])):
        end = at + least + rng.choice([rng.randrange(every), rng.randrange(20 * every)])
        if at < ended - least:
            out.append((at, end))
        at = end + rng.randrange(1, 10 * every)
    return tuple(out)


def _trouble(draw: _Draw) -> None:
    """Events of an error counter, restarts, and a member that dies although no fault holds it."""
    rng = draw.rng
    if rng.random() < 0.15 and len(draw.members) > 1:
        died = rng.randint(draw.hit, draw.ended)
        draw.dies = (draw.members[-1], died, died + rng.randint(1, 10 * draw.every))
        draw.restarts[draw.members[-1]] = [draw.dies[2]]
        draw.clear = False
    if draw.victim is not None:
        draw.restarts.setdefault(draw.victim, []).append(draw.restored)
    for start, end in draw.outages:
        for moment in [*range(start, end, max(1, draw.every // 4)), end]:
            member = rng.choice(draw.members)
            if not draw.down(member, moment):
                draw.events.setdefault(member, []).append(moment)
    for member in draw.members:  # a past, so that a reset can be seen as one
        draw.events.setdefault(member, []).extend(T0 - number for number in range(1, 1000))


def _truth(draw: _Draw, act: int) -> int | None:
    if draw.shape == "errors":
        seen = [moment for events in draw.events.values() for moment in events if moment >= draw.hit]
        return max(0, max(seen, default=act) - act) if max(seen, default=0) < draw.ended else None
    if not draw.outages:
        return 0
    return max(0, draw.outages[-1][1] - act) if draw.outages[-1][1] < draw.ended else None


def _indicator(rng: Random, shape: Shape, every: int) -> Indicator:
    query, _ = QUERIES[shape]
    if shape in ("any", "all") and rng.random() < 0.5:
        probe = Probe(name="knock", check=TcpCheck(address="h:1"), every=Duration(every), timeout=Duration(every))
        return Indicator(
            name="i", query=query.replace("ok", "probe_success"), band=Band("==", 1.0), source="knock", probe=probe
        )
    band = Band("==", 0.0 if shape == "errors" else 1.0)
    return Indicator(name="i", query=query, band=band, kind="event" if shape == "errors" else "state")


def _sampled(draw: _Draw, indicator: Indicator) -> Samples:
    """Round after round through the product's own recorder, each member asked at its own instant of the round."""
    rng, recorder = draw.rng, Recorder()
    metric = "probe_success" if indicator.probe else QUERIES[draw.shape][1]
    tick = T0 + rng.randrange(draw.every)
    while tick <= draw.ended:
        start = tick + (rng.randrange(draw.every // 10) if draw.longest < draw.every else 0)
        looks = {member: start + rng.randint(0, draw.longest) for member in draw.members}
        if rng.random() >= draw.dropped:
            _add_round(draw, recorder, indicator, metric=metric, tick=tick, start=start, looks=looks)
        else:
            draw.clear = False
        tick += draw.every
    return recorder.samples()


def _add_round(
    draw: _Draw, recorder: Recorder, indicator: Indicator, *, metric: str, tick: int, start: int, looks: dict[str, int]
) -> None:
    samples: dict[str, list[Sample]] = {}
    failed: dict[str, str] = {}
    for member, look in looks.items():
        value = draw.value(member, look)
        if draw.down(member, look) or draw.rng.random() < draw.unknown / len(looks):
            failed[member] = "no answer"
            draw.clear = draw.clear and member == draw.victim and draw.down(member, look)
            continue
        # min and max leave a NaN out, as Prometheus has it; a sum of it is one, and unknown.
        if draw.shape not in ("any", "all") and draw.rng.random() < draw.nan / len(looks):
            value, draw.clear = math.nan, False
        named = {"member": member, "probe": indicator.source} if indicator.probe else {"member": member, "instance": member}
        samples[member] = [(labels_of(metric, named), value)]
    end = max(start, *looks.values())
    recorder.add(Round(source=indicator.source, tick=tick, start=start, end=end, failed=failed), samples)


def _entries(
    draw: _Draw, indicator: Indicator, objective: Objective, *, acts: tuple[int, int, int, int]
) -> tuple[ev.Entry, ...]:
    members = (draw.victim,) if draw.victim else ("bystander",)
    undo = tuple(Start(member) for member in members)
    events: list[tuple[int, ev.AnyEvent]] = [
        (T0, _started(draw, indicator, objective)),
        (acts[0] - 1, ev.PhaseEntered(phase="inject")),
        (
            acts[0],
            ev.FaultIntended(
                node="hit", fault="kill", members=members, calls=tuple(Kill(name) for name in members), undo=undo, deadline=0
            ),
        ),
        (acts[1], ev.FaultInjected(node="hit")),
        (acts[1], ev.PhaseEntered(phase="hold")),
        (acts[2], ev.RevertIntended(node="hit", members=members, calls=undo, deadline=0)),
        (acts[3], ev.RevertDone(node="hit")),
        (acts[3], ev.PhaseEntered(phase="settle")),
        (draw.ended, ev.PhaseEntered(phase="verify")),
        (draw.ended, ev.PhaseEntered(phase="teardown")),
        (draw.ended, ev.RunFinished(outcome="completed")),
    ]
    return tuple(ev.Entry(seq=seq, t=t, event=event) for seq, (t, event) in enumerate(events))


def _started(draw: _Draw, indicator: Indicator, objective: Objective) -> ev.RunStarted:
    step = FaultStep(id="hit", fault="kill", target=Target())
    scenario = Scenario(
        id="known",
        title="An outage whose instants are known",
        steady_state=SteadyState(indicators=(indicator.name,), lasting=Duration(1)),
        indicators=(indicator,),
        steps=(step,),
        objectives=(objective,),
        rollback=Rollback(within=Duration(1)),
        blast_radius=BlastRadius(members=1),
        timeout=Duration(1),
    )
    described = tuple(MemberDescription(name=name, command=("m",)) for name in draw.members)
    plan = Plan(
        scenario=scenario,
        environment=EnvironmentDescription(path="p", digest="d", name="n", kind="simulated", class_name="c", members=described),
        capabilities=Capabilities(members=draw.members, levers=("kill", "start")),
        seed=0,
        nodes=(InjectNode(id="hit", after=(), step=step, deadline=Duration(1)),),
        round_every=Duration(draw.every),
        limit=Duration(1),
        blast_radius=1,
    )
    return ev.RunStarted(
        schema=1,
        run="r",
        plan=plan,
        tool="t",
        python="p",
        platform="p",
        environment_class="c",
        subject={},
        repeat=1,
        wall_ns=0,
        boot="b",
        owner=0,
        pid=1,
        deployed=True,
        environment_id="e",
        environment_folder="f",
    )
