"""Sixty nights of a made-up team, told by the real deciding, and the page that counts what each person received.

Takes nothing but its seed; gives what ``noise_page.py`` shows. The nights are values, as history holds them; what is told of
them is decided by ``meshkit_chaos.deliver``, the gate by ``meshkit_chaos.gate``, and tickets live by ``ticket_life``. Only the
channels are not there: what is due is delivered at once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from meshkit_chaos.deliver.action import Action, Receipt, Told
from meshkit_chaos.deliver.deciding import decide
from meshkit_chaos.deliver.deciding_gate import decide_gate, decide_overrides
from meshkit_chaos.deliver.deciding_nightly import decide_nightly
from meshkit_chaos.deliver.load import load_routing
from meshkit_chaos.deliver.settings import Routing
from meshkit_chaos.deliver.ticket_life import Shown, next_step
from meshkit_chaos.gate.decide import decide as gate_decide
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.grammar import instant_ns
from meshkit_chaos.gate.load import load_policy, read_overrides
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.verdict import EnvironmentName, VerdictName

NIGHTS: Final = 60
HOUR: Final = 3600 * 10**9
DAY: Final = 24 * HOUR
SECOND: Final = 10**9
START: Final = instant_ns("2026-09-01T02:00:00Z")
MODULES: Final = {"leadership": ("ann", 8), "gossip": ("ann", 6), "shards": ("bo", 6), "replication": ("bo", 4)}
FLAKE: Final = 0.004
"""How often a scenario fails for no reason that lasts."""
ROUTES: Final = b"""version: 1
project: MeshKit
channels:
  - {id: chat, slack: {channel: C0123456789, token: {env: SLACK_TOKEN}}}
  - {id: cy, email: {sender: chaos@example.com, to: [cy@example.com], server: smtp.example.com}}
  - {id: dee, email: {sender: chaos@example.com, to: [dee@example.com], server: smtp.example.com}}
  - {id: issues, github: {repository: mesh/meshkit, token: {env: GITHUB_TOKEN}}}
owners:
  ann: {slack: U01, github: ann}
  bo: {slack: U02, github: bo}
routes:
  - {id: everything, to: [chat], occasions: [summary, first-failure, still-failing, changed, recovered, nightly-missing,
     environment-dirty]}
  - {id: tickets, to: [issues], occasions: [first-failure]}
  - {id: release, to: [cy], occasions: [gate-blocked, gate-opened, override-used, override-expiring]}
  - {id: lab, to: [dee], occasions: [environment-dirty, nightly-missing, recovered], owners: ["*"]}
  - {id: lab-alone, to: [dee], occasions: [nightly-missing]}
nightly: {trigger: nightly}
"""
POLICY: Final = b"""version: 1
match: commit
requirements: [{id: all, scenarios: ["*"], severity: high}]
nightly: {cron: "0 2 * * *", grace: 4h, subject: {trigger: nightly}}
"""
WAIVER: Final = """version: 1
overrides:
  - {id: slow-shards, subject: {commit: COMMIT}, scenario: shards-2, objective: recover, accept: {within: 12s},
     reason: the new balancer is slower and nobody will change that, ticket: MESH-7, author: bo, approver: cy,
     created: "2026-10-05", expires: "2026-10-12"}
"""


@dataclass
class Team:
    """What there is after so many nights. ``steps``: what became of tickets, with its night."""

    routing: Routing
    policy: Policy
    history: MemoryHistory = field(default_factory=MemoryHistory)
    told: list[Told] = field(default_factory=list)
    tickets: dict[str, list[Shown]] = field(default_factory=dict)
    steps: list[tuple[int, str, str]] = field(default_factory=list)
    happened: list[tuple[int, str]] = field(default_factory=list)
    failures: list[PastScenario] = field(default_factory=list)
    red: Counter[str] = field(default_factory=Counter)
    overrides: Overrides = field(default_factory=Overrides)

    def take(self, actions: Iterable[Action]) -> None:
        for action in actions:
            gone = set(action.replaces)
            self.told = [
                structs.replace(one, state="superseded") if one.action.key in gone and one.state == "pending" else one
                for one in self.told
            ]
            self.told.append(Told(action=action, state="pending"))

    def deliver(self, now: int) -> None:
        """What is due is sent; what goes to the tracker is done there."""
        for place, one in enumerate(self.told):
            if one.state == "pending" and one.action.not_before <= now:
                receipt = Receipt(did=self._ticket(one.action, now) if one.action.channel == "issues" else "sent")
                self.told[place] = structs.replace(
                    one, state="delivered", attempts=1, tried_at=now, settled_at=now, receipt=receipt
                )

    def _ticket(self, action: Action, now: int) -> str:
        assert action.ticket is not None
        shown = self.tickets.setdefault(action.thread, [])
        step = next_step(action.ticket, shown, rules=self.routing.rules)
        if step.do == "open":
            shown.append(Shown(reference=f"#{1 + sum(map(len, self.tickets.values()))}", order=len(shown), open=True))
        elif step.on is not None and step.do in ("reopen", "close"):
            place = shown.index(step.on)
            shown[place] = structs.replace(step.on, open=step.do == "reopen", closed_at=now if step.do == "close" else None)
        self.steps.append((night_number(now), step.do, action.message.title))
        return step.do

    def refuse(self, scenario: str, now: int) -> None:
        """A person closes the ticket of a scenario as not to be fixed."""
        threads = {one.action.thread for one in self.told for cause in one.action.causes if cause.scenario == scenario}
        for thread in threads & self.tickets.keys():
            self.tickets[thread] = [
                structs.replace(one, open=False, refused=True, closed_at=now) if one.open else one
                for one in self.tickets[thread]
            ]

    def sent(self, channel: str) -> list[Action]:
        return [one.action for one in self.told if one.state == "delivered" and one.action.channel == channel]


def night_number(now: int) -> int:
    return (now - START) // DAY + 1


def lived() -> Team:
    """All sixty nights."""
    routing, policy = load_routing(ROUTES, path="chaos-notify.yaml").value, load_policy(POLICY, path="chaos-gate.yaml").value
    assert routing is not None
    assert policy is not None
    team, chance = Team(routing, policy), random.Random(20260901)  # noqa: S311  # a story, not a secret
    for night in range(1, NIGHTS + 1):
        _night(team, night, chance)
        for number in range(4):
            _pull_request(team, night, number, chance)
    return team


def _night(team: Team, night: int, chance: random.Random) -> None:
    at = START + (night - 1) * DAY
    team.deliver(at)
    if night in _EVENTS:
        team.happened.append((night, _EVENTS[night]))
    if night == 36:
        team.refuse("shards-2", at + 8 * HOUR)
    if night != 42:
        shown = [_result(name, night, at, chance, subject=_subject(night)) for name in scenarios()]
        _tell(team, *_invocation(f"N{night:03}", at, shown, subject=_subject(night)), now=at + HOUR)
        team.red["nightly"] += any(one.verdict != "pass" for one in shown)
    _morning(team, night, at + 6 * HOUR)


def _morning(team: Team, night: int, now: int) -> None:
    """The gate is asked, and the watch looks."""
    team.deliver(now)
    team.overrides = _overrides() if night >= 36 else team.overrides
    subject = Subject(pairs=_subject(night))
    evidence = gather(team.history, team.policy, subject, now=now)
    decision = gate_decide(team.policy, evidence, subject=subject, now=now, overrides=team.overrides)
    known = {"history": team.history, "routing": team.routing, "now": now}
    team.red["gate"] += not decision.open
    team.take(decide_gate(decision, told=team.told, **known))  # type: ignore[arg-type]  # three keywords in one
    team.take(decide_overrides(team.overrides, told=team.told, **known))  # type: ignore[arg-type]  # three keywords in one
    assert team.policy.nightly is not None
    team.take(decide_nightly(team.policy.nightly, told=team.told, **known))  # type: ignore[arg-type]  # three keywords in one
    team.deliver(now)


def _overrides() -> Overrides:
    text = WAIVER.replace("COMMIT", _subject(36)["commit"])
    value = read_overrides(text.encode(), path="chaos-overrides.yaml").value
    assert value is not None
    return structs.replace(value, source="chaos-overrides.yaml", commit="f" * 40, protected=True)


def _pull_request(team: Team, night: int, number: int, chance: random.Random) -> None:
    """By day, four pipelines of changes run the scenarios of one module each."""
    at = START + (night - 1) * DAY + (7 + number) * HOUR
    module = list(MODULES)[number]
    subject = {"branch": f"change-{night}-{number}", "commit": f"{night:04x}{number:x}" + "c" * 35}
    names = [name for name in scenarios() if name.rpartition("-")[0] == module]
    shown = [_result(name, night, at, chance, subject=subject) for name in names]
    _tell(team, *_invocation(f"P{night:03}{number}", at, shown, subject=subject), now=at + HOUR // 2)
    team.red["pipeline"] += any(one.verdict != "pass" for one in shown)


def _tell(team: Team, invocation: PastInvocation, shown: tuple[PastScenario, ...], *, now: int) -> None:
    team.deliver(now)
    team.history.add(invocation, shown)
    team.take(decide(invocation, shown, history=team.history, told=team.told, routing=team.routing, now=now))
    team.deliver(now)
    team.failures += [one for one in shown if one.verdict != "pass"]


def scenarios() -> Iterator[str]:
    return (f"{module}-{number}" for module, (_, count) in MODULES.items() for number in range(1, count + 1))


_EVENTS: Final = {
    8: "A change makes `leadership-3` slow; it is taken back in night 13.",
    20: "A bad build: every scenario of leadership fails, three nights long.",
    27: "A crash leaves the lab dirty.",
    30: "`shards-2` becomes slower for good.",
    36: "A person closes the ticket of `shards-2` as not to be fixed; the release of this day is let through by an override.",
    38: "`replication-1` fails every other night, until night 55.",
    42: "The nightly does not come.",
    50: "The lab is broken: no fault bites, four nights long.",
}


def _verdict(name: str, night: int, chance: random.Random) -> VerdictName:
    """What the story says of a scenario in a night."""
    flake = chance.random() < FLAKE
    failing = (
        (name == "leadership-3" and 8 <= night < 13)
        or (name.startswith("leadership") and 20 <= night < 23)
        or (name == "shards-2" and night >= 30)
        or (name == "replication-1" and 38 <= night < 55 and night % 2 == 0)
    )
    if 50 <= night < 54:
        return "invalid"
    return "fail" if failing or flake else "pass"


def _subject(night: int) -> dict[str, str]:
    return {"branch": "main", "commit": f"{night:04x}" + "a" * 36, "trigger": "nightly"}


def _result(name: str, night: int, at: int, chance: random.Random, *, subject: dict[str, str]) -> PastScenario:
    module = name.rpartition("-")[0]
    verdict = _verdict(name, night, chance)
    dirty: EnvironmentName = "dirty" if night == 27 and name == "gossip-1" and "trigger" in subject else "clean"
    took = round((8 if verdict == "fail" else 2) * SECOND * chance.uniform(0.9, 1.1))
    measured = (took, took + SECOND // 5) if verdict in ("pass", "fail") else (None, None)
    sentence = f"it took {took / SECOND:.1f} s, the limit is 5 s" if measured[0] else "the fault did not bite"
    objective = PastObjective(
        name="recover", verdict=verdict, sentence=sentence, indicator=module, lo=measured[0], hi=measured[1], limit=5 * SECOND
    )
    run = PastRun(
        run=f"{at}-{name}",
        number=1,
        verdict=verdict,
        outcome="completed",
        environment=dirty,
        started=at,
        ended=at + 60 * SECOND,
        environment_class="lab-3",
        plan_digest="p",
        journal_digest="j",
        seed=night,
        tool="0",
        objectives=(objective,),
    )
    return PastScenario(
        invocation="",
        scenario=name,
        title=name,
        verdict=verdict,
        sentence=sentence,
        at=at,
        subject=subject,
        environment=dirty,
        environment_class="lab-3",
        severity="high",
        owner=MODULES[module][0],
        modules=(module,),
        objectives={"recover": verdict},
        runs=(run,),
    )


def _invocation(
    name: str, at: int, shown: list[PastScenario], *, subject: dict[str, str]
) -> tuple[PastInvocation, tuple[PastScenario, ...]]:
    verdicts = {one.verdict for one in shown}
    invocation = PastInvocation(
        invocation=name,
        at=at,
        subject=subject,
        verdict="fail" if "fail" in verdicts else "pass" if verdicts == {"pass"} else "inconclusive",
        environment="dirty" if any(one.environment == "dirty" for one in shown) else "clean",
        sentence=f"{len(shown)} scenarios",
        tool="0",
        file_digest="f",
        announced=tuple(one.scenario for one in shown),
    )
    return invocation, tuple(structs.replace(one, invocation=name) for one in shown)
