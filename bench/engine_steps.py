"""What a step costs beside what it does: the engine, and the journal with and without sync, on disk and in memory.

Runs the simulated mesh in virtual time, so that all the wall time there is is ours. Asserts nothing.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

from meshkit_chaos.campaign.campaign import RunOf
from meshkit_chaos.cli.demo import as_simulated
from meshkit_chaos.cli.places import SimulatedPlace, Talk
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.store import Journal
from meshkit_chaos.plan import make_plan
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment, load_scenarios

DEMO = files("meshkit_chaos") / "demo"
MEMORY = Path("/dev/shm")
EVENTS = 500


def lab() -> EnvironmentDescription:
    loaded = load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml").value
    assert loaded is not None
    return as_simulated(loaded)


def run(steps: str, folder: Path) -> tuple[float, int, int]:
    """Wall seconds, entries and rounds of one run with these steps."""
    text = (DEMO / "chaos-scenarios.yaml").read_text(encoding="utf-8").split("scenarios:\n")[0]
    scenario = f"""scenarios:
  - id: steps
    title: Steps that do as little as a step can
    timeout: 2h
    steps: [{steps}]
    objectives: [{{converge: one-leader, within: 5s}}]
"""
    file = load_scenarios((text + scenario).encode(), path="steps.yaml", environment=lab())
    assert file.value is not None, file.problems
    place = SimulatedPlace(lab(), {}, Talk())
    plan = make_plan(file.value.scenarios[0], place.description, place.capabilities, seed=1)
    start = time.perf_counter()
    place.execute(plan, RunOf(run="01JZZZZZZZZZZZZZZZZZZZZZZZ", folder=folder, repeat=1, subject={}))
    took = time.perf_counter() - start
    record = read_record(folder)
    return took, len(record.entries), sum(len(rounds) for rounds in record.samples.rounds.values())


def faults(count: int) -> str:
    """Faults that are over as soon as they are there: four synced entries each."""
    return ", ".join(f"{{fault: pause, id: f{number}, target: {{names: [etcd-1]}}, hold: 1ms}}" for number in range(count))


def appends() -> None:
    print(f"\n{'journal on':<12} {'sync':<5} {'µs an entry':>12} {'x memory':>9}")
    plain = 0.0
    for place, name in ((MEMORY, "memory"), (Path(tempfile.gettempdir()), "disk")):
        for sync in (False, True):
            with tempfile.TemporaryDirectory(dir=place) as folder, Journal.create(Path(folder) / "r", SystemClock()) as journal:
                start = time.perf_counter()
                for number in range(EVENTS):
                    journal.append(ev.HoldDone(node=f"n{number}"), sync=sync)
                each = (time.perf_counter() - start) / EVENTS * 1e6
            plain = plain or each
            print(f"{name:<12} {'yes' if sync else 'no':<5} {each:>12.1f} {each / plain:>9.1f}")


def steps() -> None:
    print(f"{'journal on':<12} {'faults':>7} {'wall ms':>8} {'entries':>8} {'ms a fault':>11}")
    for place, name in ((MEMORY, "memory"), (Path(tempfile.gettempdir()), "disk")):
        before = 0.0
        for count in (5, 105):
            with tempfile.TemporaryDirectory(dir=place) as folder:
                took, entries, _ = run(faults(count), Path(folder) / "run")
            each = f"{(took - before) / 100 * 1000:>11.2f}" if before else f"{'':>11}"
            print(f"{name:<12} {count:>7} {took * 1000:>8.0f} {entries:>8} {each}")
            before = took


def memory() -> None:
    print(f"\n{'virtual time':<12} {'rounds':>7} {'wall s':>7} {'peak MB':>8}")
    for seconds in (10, 600, 3600):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            took, _, rounds = run(
                f"{{fault: pause, id: f, target: {{names: [etcd-1]}}, hold: {seconds}s}}", Path(folder) / "run"
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds:>10} s {rounds:>7} {took:>7.2f} {peak:>8.0f}")


if __name__ == "__main__":
    steps()
    appends()
    sys.exit(memory())
