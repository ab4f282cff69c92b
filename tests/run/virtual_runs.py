"""Whole runs in virtual time: scenario and environment documents → plan → simulated mesh → record → verdict.

Takes YAML texts, a seed, levers that are to misbehave, and a reader that may interfere; gives everything a test wants to look
at. ``run_virtual`` is one run, ``invoke`` a whole invocation with its documents and exit code. Moments each.
"""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from meshkit_chaos.campaign.campaign import Campaign, RunOf, run_campaign
from meshkit_chaos.cli.places import sampler_for
from meshkit_chaos.cli.run import conclude
from meshkit_chaos.clock import ManualClock
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.simulated import Misbehaviour, SimulatedEnvironment
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.faults import LeverName
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.plan import Plan, make_plan
from meshkit_chaos.run.runner import Order, run_once
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.scenario.model import Scenario, ScenarioFile

SECOND = 10**9
RUN = "01JZZZZZZZZZZZZZZZZZZZZZZZ"

ENVIRONMENT = """
version: 1
name: simulated-lab
kind: simulated
members: {count: 3, name: "node-${index}"}
ports: [client]
roles:
  leader:
    http:
      method: POST
      url: http://${member.host}:${member.port.client}/v3/maintenance/status
      body: "{}"
      path: leader
      equals_path: header.member_id
metrics:
  url: http://${member.host}:${member.port.client}/metrics
  every: 200ms
simulated: {election: 1500ms, rejoin: 200ms}
"""

INDICATORS = """
version: 1
environment: lab.yaml
indicators:
  one-leader: {promql: sum(etcd_server_is_leader), good: "== 1"}
"""

SCENARIO = """
id: leader-killed
title: A killed leader is replaced
steady_state: {for: 1s, indicators: [one-leader]}
rollback: {within: 5s, verify: [one-leader]}
timeout: 60s
"""
STEPS = "[{fault: kill, id: leader-dies, target: {role: leader}, hold: 3s}]"
OBJECTIVES = "[{converge: one-leader, within: 5s}]"


def scenario_text(*, steps: str = STEPS, objectives: str = OBJECTIVES, head: str = SCENARIO, more: str = "") -> str:
    """One scenario as an item of ``scenarios``; ``more`` are further keys, ``head`` those that every scenario here has."""
    body = f"{head.strip()}\nsteps: {steps}\nobjectives: {objectives}\n{textwrap.dedent(more).strip()}"
    return "  - " + textwrap.indent(body, "    ").lstrip() + "\n"


def document(*scenarios: str, indicators: str = INDICATORS) -> str:
    """A whole scenario document."""
    return f"{indicators.strip()}\nscenarios:\n{''.join(scenarios or (scenario_text(),))}"


def described(text: str = ENVIRONMENT) -> EnvironmentDescription:
    loaded = load_environment(text.encode(), path="lab.yaml")
    assert loaded.value is not None, loaded.problems
    return loaded.value


def read_file(text: str, environment: EnvironmentDescription | None = None) -> ScenarioFile:
    loaded = load_scenarios(text.encode(), path="chaos-scenarios.yaml", environment=environment or described())
    assert loaded.value is not None, loaded.problems
    return loaded.value


def plan_of(text: str | None = None, *, environment: str = ENVIRONMENT, seed: int = 1) -> Plan:
    """The plan of the first scenario of a document (default: a leader is killed for three seconds)."""
    lab = described(environment)
    return plan_for(read_file(text or document(), lab).scenarios[0], lab, seed=seed)


def plan_for(scenario: Scenario, lab: EnvironmentDescription, *, seed: int = 1) -> Plan:
    return make_plan(scenario, lab, capabilities_of(lab), seed=seed)


Interfere = Callable[["Staged", ev.Entry], None]
"""Is shown every entry as it is written, with the run it belongs to, and may do anything to it."""


@dataclass(kw_only=True)
class Staged:
    """What happens to a virtual run besides its plan. ``pages`` rewrites answers: (member, path, answer, seconds)."""

    misbehaviour: Mapping[LeverName, Misbehaviour] = field(default_factory=dict)
    interfere: Interfere = lambda run, entry: None
    pages: Callable[[str, str, httpx2.Response, float], httpx2.Response] | None = None
    deployed: bool = True
    before: Callable[[SimulatedEnvironment], None] = lambda environment: None
    environment: SimulatedEnvironment | None = None
    loop: VirtualTimeLoop | None = None

    @property
    def mesh(self) -> SimulatedEnvironment:
        assert self.environment is not None
        return self.environment

    @property
    def mesh_time(self) -> float:
        """Seconds on the run's own clock."""
        assert self.loop is not None
        return self.loop.time()

    def execute(self, plan: Plan, run: RunOf) -> None:
        """Run a plan in virtual time, in place of whatever a command would have run it on."""
        self.loop = VirtualTimeLoop()
        clock = VirtualClock(self.loop)
        self.environment = _Rewritten(
            plan.environment, clock, marker=run.run, misbehaviour=self.misbehaviour, pages=self.pages, now=self.loop.time
        )
        order = Order(
            run=run.run,
            plan=plan,
            folder=run.folder,
            environment=self.environment,
            deployed=self.deployed,
            environment_id=plan.environment.name,
            environment_folder="environment",
            environment_class="simulated",
            subject=run.subject,
            repeat=run.repeat,
            make_sampler=lambda: sampler_for(plan, self.mesh, clock),
            collect_logs=list,
            readers=(lambda entry: self.interfere(self, entry),),
            watched=False,
        )
        run_virtually(self.loop, self._work(order, clock))

    async def _work(self, order: Order, clock: VirtualClock) -> ev.Outcome:
        self.before(self.mesh)
        if not self.deployed:
            await self.mesh.deploy()
        try:
            return await run_once(order, clock)
        finally:
            await self.mesh.close()


class _Rewritten(SimulatedEnvironment):
    """The simulated mesh, with answers that a test may rewrite."""

    def __init__(self, *given: object, pages: object, now: Callable[[], float], **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]  # handed through as they came
        self._pages, self._began, self._seconds = pages, now(), now

    async def answer(self, name: str, path: str) -> httpx2.Response:
        answered = await super().answer(name, path)
        if self._pages is None:
            return answered
        assert callable(self._pages)
        changed = self._pages(name, path, answered, self._seconds() - self._began)
        assert isinstance(changed, httpx2.Response)
        return changed


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One finished run."""

    folder: Path
    plan: Plan
    record: Record
    verdict: Verdict
    staged: Staged

    @property
    def kinds(self) -> list[str]:
        """The kinds of its events in order, without those that only tell how the time passes."""
        quiet = (ev.SamplesFlushed, ev.PhaseEntered)
        return [kind_of(entry) for entry in self.record.entries if not isinstance(entry.event, quiet)]

    @property
    def phases(self) -> list[str]:
        return [event.phase for _, event in self.record.of(ev.PhaseEntered)]

    def said(self, name: str) -> str:
        """The sentence of a finding."""
        return next(finding.sentence for finding in self.verdict.findings if finding.id == name)


def kind_of(entry: ev.Entry) -> str:
    event = entry.event
    return event.kind if isinstance(event, ev.Unknown) else str(type(event).__struct_config__.tag)


def run_virtual(
    folder: Path,
    text: str | None = None,
    *,
    environment: str = ENVIRONMENT,
    seed: int = 1,
    staged: Staged | None = None,
) -> Ran:
    """Run the first scenario of a document once, and judge it."""
    plan = plan_of(text, environment=environment, seed=seed)
    staged = staged or Staged()
    staged.execute(plan, RunOf(run=RUN, folder=folder, repeat=1, subject={"version": "1"}))
    record = read_record(folder)
    return Ran(folder=folder, plan=plan, record=record, verdict=judge(record), staged=staged)


class Silent:
    """Listens to a campaign and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def began(self, scenario: Scenario, number: int) -> None:
        self.told.append(f"began {scenario.id} {number}")

    def judged(self, verdict: Verdict) -> None:
        self.told.append(f"judged {verdict.scenario} {verdict.verdict}")

    def refused(self, scenario: Scenario, reason: str) -> None:
        self.told.append(f"refused {scenario.id}: {reason}")


@dataclass(frozen=True, kw_only=True)
class Invoked:
    """One finished invocation: its folder with all documents, and what the command would have ended with."""

    out: Path
    code: int
    printed: str
    told: list[str]


def invoke(
    out: Path, text: str | None = None, *, environment: str = ENVIRONMENT, seed: int = 1, staged: Staged | None = None
) -> Invoked:
    """What ``run`` does with a document, on a mesh that a test has in its hands."""
    lab = described(environment)
    file = read_file(text or document(), lab)
    listener, staged = Silent(), staged or Staged()
    campaign = Campaign(
        out=out,
        scenarios=file.scenarios,
        environment=lab,
        capabilities=capabilities_of(lab),
        seed=seed,
        subject={"version": "1"},
        selection=(),
        file="chaos-scenarios.yaml",
        file_digest=file.digest,
        execute=staged.execute,
        listener=listener,
    )
    run_campaign(campaign, ManualClock())
    return concluded(out, told=listener.told)


def concluded(out: Path, *, told: list[str] | None = None) -> Invoked:
    """Derive all documents of an invocation, as every command that judges does."""
    with captured() as (printed, _):
        code = conclude(out, form="json")
    return Invoked(out=out, code=code, printed=printed(), told=told or [])


@contextlib.contextmanager
def captured() -> Iterator[tuple[Callable[[], str], Callable[[], str]]]:
    """What is written to standard output and standard error, as text or as bytes."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]

    def text(stream: io.TextIOWrapper) -> str:
        assert isinstance(stream.buffer, io.BytesIO)
        return stream.buffer.getvalue().decode()

    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        yield lambda: text(streams[0]), lambda: text(streams[1])


def at(kind: type, act: Callable[[Staged], None], *, number: int = 1) -> Interfere:
    """Act once, when the ``number``-th event of a kind is written."""
    seen: list[int] = []

    def interfere(run: Staged, entry: ev.Entry) -> None:
        if isinstance(entry.event, kind):
            seen.append(entry.seq)
            if len(seen) == number:
                act(run)

    return interfere
