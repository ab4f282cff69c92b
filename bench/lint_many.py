"""CPU time of lint for a file of many scenarios, beside what the YAML library alone takes. Asserts nothing."""

from __future__ import annotations

import sys
import time
from importlib.resources import files

import yaml

from meshkit_chaos.cli import collect_rarely
from meshkit_chaos.scenario.load import load_environment, load_scenarios

DEMO = files("meshkit_chaos") / "demo"


def document(count: int) -> bytes:
    """The demo's document with its smallest scenario as often as asked for."""
    text = (DEMO / "chaos-scenarios.yaml").read_text(encoding="utf-8")
    head, _, scenarios = text.partition("scenarios:\n")
    small = next(text for text in scenarios.split("  - id: ") if text.startswith("majority-killed"))
    many = "".join(f"  - id: number-{number}-{small}" for number in range(count))
    return f"{head}scenarios:\n{many}".encode()


def main() -> None:
    collect_rarely()  # as the command does it
    environment = load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml").value
    print(f"{'scenarios':>9} {'kB':>7} {'lint s':>8} {'ms each':>8} {'yaml s':>8} {'x yaml':>7}  problems")
    for count in (100, 1_000, 5_000):
        data = document(count)
        start = time.process_time()
        yaml.load(data, Loader=yaml.CSafeLoader)
        plain = time.process_time() - start
        start = time.process_time()
        loaded = load_scenarios(data, path="many.yaml", environment=environment)
        took = time.process_time() - start
        each = took / count * 1000
        numbers = f"{count:>9} {len(data) / 1000:>7.0f} {took:>8.2f} {each:>8.2f} {plain:>8.2f} {took / plain:>7.1f}"
        print(f"{numbers}  {len(loaded.problems)}")
        for problem in loaded.problems[:1]:
            print(f"          first: {problem}")


if __name__ == "__main__":
    sys.exit(main())
