"""``gate check`` over a history of 1,000,000 verdicts: how long asking and deciding take, beyond start-up. Asserts nothing.

``python bench/gate_million.py [RESULTS] [FOLDER]`` fills FOLDER as ``history_million.py`` does, or takes it as it is.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from history_million import SCENARIOS, START, fill

from meshkit_chaos.gate.decide import decide
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.load import load_policy
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.database import open_sqlite
from meshkit_chaos.history.reading import IndexReader

POLICIES = {
    "by commit": "match: commit\nrequirements:\n  - {id: all, scenarios: ['*']}\n",
    "by digest": "requirements:\n  - {id: all, scenarios: ['*']}\n",
    "by commit, compared with three releases": "match: commit\nruns: 1\nrequirements:\n"
    "  - {id: all, tags: [nightly], regression: on}\n"
    "regression: {false_alarms: 20%, baseline: {subject: {branch: main}, releases_by: version, lag: 1h}}\n",
    "by commit, with a schedule and expiry": "match: commit\nrequirements:\n  - {id: all, modules: [leadership]}\n"
    'nightly: {cron: "0 2 * * *"}\nexercised_within: {leadership: 40d}\n',
}


def main(results: int, folder: Path) -> None:
    """Fill, then ask each policy about the newest build."""
    path = folder / "index.sqlite"
    if not path.exists():
        open_sqlite(path).close()
        fill(path, results)
    last = results // len(SCENARIOS) - 1
    now = START + last * 600 * 10**9 + 3600 * 10**9
    subject = Subject(pairs={"commit": f"{last:040x}"}, digests=("b" * 64,))
    reader = IndexReader(open_sqlite(path))
    for name, text in POLICIES.items():
        policy = load_policy(f"version: 1\n{text}".encode(), path="chaos-gate.yaml").value
        assert policy is not None
        took: list[float] = []
        used: list[float] = []
        for _ in range(5):
            begun, begun_cpu = time.perf_counter(), time.process_time()
            decision = decide(policy, gather(reader, policy, subject, now=now), subject=subject, now=now)
            took.append(time.perf_counter() - begun)
            used.append(time.process_time() - begun_cpu)
        wall, cpu = statistics.median(took) * 1000, statistics.median(used) * 1000
        sys.stdout.write(f"{name:<42} {wall:6.0f} ms, processor {cpu:4.0f} ms  {decision.sentence[:60]}\n")


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as temporary:
        main(asked, Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary))
