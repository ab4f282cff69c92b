"""What a lag changes in a run: it waits for samples before it asks, and keeps what it needs for the record."""

from __future__ import annotations

from importlib.resources import files

import pytest
from msgspec import structs

from meshkit_chaos.environments.secrets import Secrets
from meshkit_chaos.errors import CannotRun, JournalDamaged
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.blocks import Block, decode_block, encode_block
from meshkit_chaos.journal.recorder import Recorder
from meshkit_chaos.journal.rows import Timed
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.plan import Capabilities, Plan, UntilNode, make_plan
from meshkit_chaos.promql import labels_of
from meshkit_chaos.promql.series import is_stale
from meshkit_chaos.run import commands as do
from meshkit_chaos.run.machine import State, step
from meshkit_chaos.run.sight import Sight
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import decode, encode

S = 10**9
DEMO = files("meshkit_chaos") / "demo"
SOURCE = """metrics:
  prometheus:
    url: http://prom:9090
    every: 2s
    lag: 3s
    bearer: {env: METRICS_TEST_TOKEN}
"""
SCENARIO = b"""version: 1
indicators: {one-leader: {promql: sum(etcd_server_is_leader), good: "== 1"}}
scenarios:
  - id: a
    title: A
    steady_state: {for: 2s, indicators: [one-leader]}
    steps:
      - {fault: kill, id: dies, target: {count: 1}, hold: 3s}
      - {until: one-leader, timeout: 5s}
    objectives: [{converge: one-leader, within: 9s}]
"""


def described(**changes: object) -> EnvironmentDescription:
    text = (DEMO / "etcd-lab.yaml").read_text(encoding="utf-8")
    text = text[: text.index("metrics:")] + SOURCE + text[text.index("  names:") :]
    found = load_environment(text.encode(), path="lab.yaml")
    assert found.value is not None, found.problems
    return structs.replace(found.value, **changes)


def planned(environment: EnvironmentDescription) -> Plan:
    loaded = load_scenarios(SCENARIO, path="s.yaml", environment=environment)
    assert loaded.value is not None, loaded.problems
    able = Capabilities(members=("etcd-1", "etcd-2", "etcd-3"), levers=("kill", "start", "pause", "resume"), roles=("leader",))
    return make_plan(loaded.value.scenarios[0], environment, able, seed=1)


def test_the_plan_knows_the_lag_and_allows_time_for_it() -> None:
    """Two intervals and the lag; whoever waits for an indicator may take so much longer before a watchdog steps in."""
    plan = planned(described())
    assert plan.sample_lag == Duration(7 * S)
    assert plan.round_every == Duration(2 * S)
    own = planned(
        structs.replace(described(), metrics=load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="l").value.metrics)
    )  # type: ignore[union-attr]  # the demo loads
    assert own.sample_lag == Duration(0)
    assert plan.limit > own.limit
    assert any(isinstance(node, UntilNode) for node in plan.nodes)
    assert decode(encode(plan), Plan) == plan


def test_the_record_of_a_plan_holds_where_secrets_are_and_not_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the reference is written; the value is hidden wherever it would turn up."""
    monkeypatch.setenv("METRICS_TEST_TOKEN", "sesame-open-now")
    written = encode(planned(described()))
    assert b"METRICS_TEST_TOKEN" in written
    assert b"sesame" not in written
    assert "sesame" not in Secrets.of(described()).redactor.text("it said sesame-open-now")


def test_a_missing_token_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that could not ask its metric source is not begun."""
    monkeypatch.delenv("METRICS_TEST_TOKEN", raising=False)
    with pytest.raises(CannotRun, match="METRICS_TEST_TOKEN is not set"):
        Secrets.of(described()).refuse_missing()


def test_a_simulated_mesh_is_scraped_by_nobody() -> None:
    """What nothing real scrapes cannot be read from a server: the plan refuses it."""
    with pytest.raises(CannotRun, match="nothing real scrapes a simulated mesh"):
        planned(described(kind="simulated"))


def timers(commands: tuple[do.Command, ...]) -> dict[str, int]:
    return {command.name: command.at for command in commands if isinstance(command, do.SetTimer)}


def test_the_baseline_lasts_until_its_rounds_are_known() -> None:
    """Two rounds at least, and then the time until they can be seen."""
    state = State(plan=planned(described()), deploys=True, stage="checking")
    _, commands = step(state, do.PrerequisitesSettled(held=True), 100 * S)
    assert timers(commands)["baseline"] == (100 + 4 + 7) * S


def test_what_the_settle_phase_saw_arrives_before_the_run_is_verified() -> None:
    """After the settle phase the run waits for the lag, and only then verifies."""
    state = State(plan=planned(described()), deploys=True, stage="settling")
    waiting, commands = step(state, do.TimerFired("settled"), 200 * S)
    assert timers(commands) == {"arrived": 207 * S}
    assert not [command for command in commands if isinstance(command, do.Verify)]
    assert do.Write(ev.PhaseEntered(phase="verify")) in commands
    _, after = step(waiting, do.TimerFired("arrived"), 207 * S)
    assert after == (do.Verify(),)


def test_an_abort_does_not_wait_for_samples() -> None:
    """Undoing comes first; what was seen in the end matters less than a mesh that is whole."""
    state = State(plan=planned(described()), deploys=True, stage="baseline")
    _, commands = step(state, ev.SignalReceived(signal="SIGTERM"), 5 * S)
    assert not timers(commands)


def test_sight_gives_a_scraped_indicator_more_time() -> None:
    """Only what others scrape is known later; a probe is not waited for any longer."""
    plan = planned(described())
    sight = Sight(plan.scenario, lambda *_: None, held=tuple, tripped=lambda *_: None, lag=plan.sample_lag)  # type: ignore[arg-type, return-value]  # nothing is read here
    assert sight._lag == {"one-leader": Duration(7 * S)}


UP = labels_of("up", {"member": "a"})
LEADS = labels_of("leads", {"member": "a"})


def test_samples_keep_their_own_instants_and_end_when_they_were_seen_to_end() -> None:
    """A series that is gone is marked at the instant of its member's last scrape, not at the round's end."""
    recorder = Recorder()
    recorder.add_timed(
        Round(source="scrape", tick=30, start=5, end=35), {"a": Timed.of([(UP, 10, 1.0), (LEADS, 10, 1.0)], at=10)}
    )
    recorder.add_timed(Round(source="scrape", tick=60, start=35, end=65), {"a": Timed.of([(UP, 40, 0.0)], at=40)})
    (leads,) = recorder.named("leads")
    assert list(leads.times) == [10, 40]
    assert is_stale(leads.values[-1])
    block = recorder.take_block()
    assert block is not None
    assert decode_block(encode_block(block)).rounds == block.rounds


def test_a_doubtful_round_is_stored_and_older_blocks_are_read() -> None:
    """The new field has a default, so that a journal from before it exists reads as it did."""
    round_ = Round(source="scrape", tick=30, start=5, end=35, doubt="the source warns")
    assert decode_block(encode_block(Block(rounds=(round_,), series=()))).rounds == (round_,)
    assert decode(b'{"source":"scrape","tick":1,"start":2,"end":3,"failed":{}}', Round).doubt == ""
    with pytest.raises(JournalDamaged):
        decode_block(encode_block(Block(rounds=(Round(source="scrape", tick=30, start=5, end=20),), series=())))
