"""Small worlds for deciding: nights with results, an outbox that delivers at once or never, and routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from meshkit_chaos.deliver.action import Action, Receipt, State, Told
from meshkit_chaos.deliver.deciding import decide
from meshkit_chaos.deliver.load import load_routing
from meshkit_chaos.deliver.settings import Routing
from meshkit_chaos.gate.grammar import instant_ns
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.verdict import EnvironmentName, OutcomeName, VerdictName

DAY = 24 * 3600 * 10**9
SECOND = 10**9
START = instant_ns("2026-10-01T02:00:00Z")
CHANNELS = """
  - {id: chat, slack: {channel: C1, token: {env: A}}}
  - {id: issues, github: {repository: mesh/meshkit, token: {env: B}}}
"""


def routes(
    rules: str = "{}",
    *,
    routes: str = "[{id: all, to: [chat, issues]}]",
    channels: str = CHANNELS,
    more: str = "",
) -> Routing:
    """Routes without an error: by default everything goes to a chat and a tracker."""
    text = f"version: 1\nproject: MeshKit\nchannels:{channels}\nroutes: {routes}\nrules: {rules}\n{more}"
    loaded = load_routing(text.encode(), path="chaos-notify.yaml")
    assert loaded.value is not None, loaded.problems
    return loaded.value


@dataclass(frozen=True)
class Shown:
    """One scenario as one night shows it: a verdict, and which of its objectives missed."""

    scenario: str
    verdict: VerdictName = "pass"
    missed: tuple[str, ...] = ("converge",)
    module: str = "leadership"
    environment: EnvironmentName = "clean"
    environment_class: str = "lab-1"
    severity: str = "high"
    owner: str = "mesh-team"
    runs: int = 1
    outcome: OutcomeName = "completed"
    indicator: str = "one-leader"
    invalidated: str = ""


def result(shown: Shown, *, invocation: str, at: int, subject: dict[str, str]) -> PastScenario:
    """What history holds of it. Each scenario has the objectives ``converge`` and ``stay``."""
    names = ("converge", "stay")
    verdicts: dict[str, VerdictName] = {
        name: ("fail" if name in shown.missed else "pass") if shown.verdict == "fail" else shown.verdict for name in names
    }
    runs = tuple(_run(shown, number, verdicts, invocation=invocation, at=at) for number in range(1, shown.runs + 1))
    return PastScenario(
        invocation=invocation,
        scenario=shown.scenario,
        title=f"About {shown.scenario}",
        verdict=shown.verdict,
        sentence=f"the run is {shown.verdict}",
        at=at,
        subject=subject,
        environment=shown.environment,
        environment_class=shown.environment_class,
        severity=shown.severity,
        owner=shown.owner,
        modules=(shown.module,) if shown.module else (),
        objectives=verdicts if runs else {},
        runs=runs,
    )


def _run(shown: Shown, number: int, verdicts: dict[str, VerdictName], *, invocation: str, at: int) -> PastRun:
    times = {"pass": (SECOND, 2 * SECOND), "fail": (8 * SECOND, 9 * SECOND)}
    objectives = tuple(
        PastObjective(
            name=name,
            verdict=verdict,
            sentence=f"{name} took {'8 s' if verdict == 'fail' else '1 s'}, the limit is 5 s",
            indicator=shown.indicator,
            lo=times.get(verdict, (None, None))[0],
            hi=times.get(verdict, (None, None))[1],
            limit=5 * SECOND,
        )
        for name, verdict in verdicts.items()
    )
    return PastRun(
        run=f"{invocation}-{shown.scenario}-{number}",
        number=number,
        verdict=shown.verdict,
        outcome=shown.outcome,
        environment=shown.environment,
        started=at,
        ended=at + 60 * SECOND,
        environment_class=shown.environment_class,
        plan_digest="p",
        journal_digest="j",
        seed=4711,
        tool="0",
        objectives=objectives,
        invalidated=shown.invalidated,
    )


@dataclass
class World:
    """Nights that come one after the other, decided as they come; ``told`` is the outbox. Deliveries succeed at once."""

    routing: Routing = field(default_factory=routes)
    history: MemoryHistory = field(default_factory=MemoryHistory)
    told: list[Told] = field(default_factory=list)
    count: int = 0

    def night(self, day: float, *shown: Shown, **changes: Any) -> tuple[Action, ...]:
        """One invocation on a day, decided and delivered."""
        return self.decided(*self.came(day, *shown, **changes))

    def came(
        self, day: float, *shown: Shown, branch: str = "main", name: str = "", **subject: str
    ) -> tuple[PastInvocation, tuple[PastScenario, ...]]:
        """One invocation on a day, as history takes it in. Not decided."""
        self.count += 1
        at = START + int(day * DAY)
        named = name or f"I{self.count:05}"
        pairs = {"branch": branch, "commit": f"{int(day):012x}{self.count:04x}", **subject}
        results = tuple(result(one, invocation=named, at=at, subject=pairs) for one in shown)
        verdicts = {one.verdict for one in results if one.counts}
        verdict: VerdictName = "fail" if "fail" in verdicts else "pass" if verdicts == {"pass"} else "inconclusive"
        invocation = PastInvocation(
            invocation=named,
            at=at,
            subject=pairs,
            verdict=verdict,
            environment="dirty" if any(one.environment == "dirty" for one in results) else "clean",
            sentence=f"{len(results)} scenarios",
            tool="0",
            file_digest="f",
            announced=tuple(one.scenario for one in results),
        )
        self.history.add(invocation, results)
        return invocation, results

    def decided(
        self, invocation: PastInvocation, results: Sequence[PastScenario], *, later: int = 1800 * SECOND
    ) -> tuple[Action, ...]:
        """Decide it and take what comes of it into the outbox."""
        now = invocation.at + later
        self.deliver(now)
        actions = decide(invocation, results, history=self.history, told=self.told, routing=self.routing, now=now)
        self.take(actions)
        self.deliver(now)
        return actions

    def take(self, actions: Iterable[Action]) -> None:
        """As the outbox does: a key is written once, and what is replaced is superseded unless it was tried."""
        for action in actions:
            if any(one.action.key == action.key for one in self.told):
                continue
            gone = set(action.replaces)
            self.told = [
                structs.replace(one, state="superseded") if one.action.key in gone and one.state == "pending" else one
                for one in self.told
            ]
            self.told.append(Told(action=action, state="pending"))

    def deliver(self, now: int, *, state: State = "delivered", only: Callable[[Action], bool] = lambda action: True) -> None:
        """Send what is due."""
        self.told = [
            structs.replace(one, state=state, attempts=1, tried_at=now, settled_at=now, receipt=Receipt(did="sent"))
            if one.state == "pending" and one.action.not_before <= now and only(one.action)
            else one
            for one in self.told
        ]

    def sent(self, channel: str = "", occasion: str = "") -> list[Action]:
        """What was delivered."""
        return [
            one.action
            for one in self.told
            if one.state == "delivered" and channel in ("", one.action.channel) and occasion in ("", one.action.occasion)
        ]


def occasions(actions: Iterable[Action], channel: str = "chat") -> list[str]:
    return [one.occasion for one in actions if one.channel == channel]
