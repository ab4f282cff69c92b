"""A history of 1,000,000 verdicts in SQLite: what a gate's question, a trend and a list cost. Asserts nothing.

``python bench/history_million.py [RESULTS] [FOLDER]`` fills FOLDER (a temporary one, by default) with so many results of 20
scenarios, one run and one objective each, in invocations of 20, straight into the tables; then it asks.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.history.database import open_sqlite
from meshkit_chaos.history.index import History
from meshkit_chaos.history.model import Ask
from meshkit_chaos.history.shelf import FolderStore

SCENARIOS = [f"scenario-{number:02d}" for number in range(20)]
SECOND = 10**9
START = 1_600_000_000 * SECOND


def fill(path: Path, results: int) -> None:
    """Rows as an import writes them, in batches."""
    chance = random.Random(1)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    for first in range(0, results // len(SCENARIOS), 1000):
        count = min(1000, results // len(SCENARIOS) - first)
        connection.execute("BEGIN")
        for number in range(first, first + count):
            _invocation(connection, number, chance)
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _invocation(connection: sqlite3.Connection, number: int, chance: random.Random) -> None:
    name, at = f"{number:026d}", START + number * 600 * SECOND
    version, commit = f"1.{number // 100}", f"{number:040x}"
    subject = f'{{"version":"{version}","commit":"{commit}","branch":"main"}}'
    row = (name, at, subject, "pass", "clean", "20 scenarios passed", "0.1.0", "d" * 64, "[]", "b")
    connection.execute(f"INSERT INTO invocations VALUES ({','.join('?' * len(row))})", row)
    pairs = [(name, key, value) for key, value in (("version", version), ("commit", commit), ("branch", "main"))]
    connection.executemany("INSERT INTO subjects VALUES (?,?,?)", pairs)
    for position, scenario in enumerate(SCENARIOS):
        verdict = "fail" if chance.random() < 0.02 else "pass"
        result = number * len(SCENARIOS) + position + 1
        run, lo = f"{result:026d}", int(chance.gauss(1.5, 0.1) * SECOND)
        row = (
            result, name, position, scenario, "A leader is replaced", verdict, "the run passed", at, "clean", "lab-3", 0,
            "high", "mesh", '["leadership"]', '["nightly"]', '{"converge":"pass"}', 0,
        )  # fmt: skip
        connection.execute(f"INSERT INTO results VALUES ({','.join('?' * len(row))})", row)
        row = (
            run, result, 1, verdict, "completed", "clean", at, at + 9 * SECOND, "lab-3", "p" * 64, "j" * 64, 7, "0.1.0",
            f'{{"a":"{"b" * 64}","b":"{"b" * 64}","c":"{"b" * 64}"}}', "[]", "",
        )  # fmt: skip
        connection.execute(f"INSERT INTO runs VALUES ({','.join('?' * len(row))})", row)
        row = (run, 0, "converge", verdict, "it was good again", "one-leader", 0, lo, lo + SECOND // 5, 5 * SECOND, SECOND // 5)
        connection.execute(f"INSERT INTO objectives VALUES ({','.join('?' * len(row))})", row)


def measured(name: str, ask: Callable[[], object], *, times: int = 20) -> None:
    """How long one question takes: the first time, and after that."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        answer = ask()
        took.append((time.perf_counter() - start) * 1000)
    size = len(answer) if isinstance(answer, tuple) else 1
    print(f"{name:<58} {size:>7} {took[0]:>9.1f} {min(took):>7.1f} {statistics.median(took):>9.1f}")


def questions(newest: int) -> dict[str, Ask]:
    """What a gate and a trend ask of results."""
    names = tuple(SCENARIOS)
    week_ago = START + newest * 600 * SECOND - 7 * 86400 * SECOND
    return {
        "gate: 20 scenarios of one commit, newest 3": Ask(scenarios=names, subject={"commit": f"{newest - 3:040x}"}, newest=3),
        "gate: 20 scenarios, newest 3 on main": Ask(scenarios=names, subject={"branch": "main"}, newest=3),
        "gate: 20 scenarios, last good": Ask(scenarios=names, verdicts=("pass",), newest=1),
        "gate: 20 scenarios, last good before the newest week": Ask(
            scenarios=names, verdicts=("pass",), newest=1, before=week_ago
        ),
        "gate: 20 scenarios of a commit nobody tested": Ask(scenarios=names, subject={"commit": "none"}, newest=3),
        "gate: 20 scenarios, last invalid one (there is none)": Ask(scenarios=names, verdicts=("invalid",), newest=1),
        "baseline: 20 scenarios, newest 30 passes of a class": Ask(
            scenarios=names, environment_class="lab-3", verdicts=("pass",), newest=30
        ),
        "baseline: 20 scenarios of a class that is new": Ask(scenarios=names, environment_class="new", newest=30),
        "trend: one scenario, newest 20": Ask(scenarios=names[:1], newest=20, invalidated=True),
        "trend: one scenario, newest 1000": Ask(scenarios=names[:1], newest=1000, invalidated=True),
    }


def ask_everything(history: History, newest: int) -> None:
    """Ask each question a few times."""
    print(f"{'question':<58} {'answers':>7} {'first ms':>9} {'min ms':>7} {'median ms':>9}")
    for name, ask in questions(newest).items():
        measured(name, partial(history.results, ask))
    measured("known scenarios", history.known)
    week_ago = START + newest * 600 * SECOND - 7 * 86400 * SECOND
    measured("invocations of the newest week", lambda: history.invocations(since=week_ago))


def main(results: int = 1_000_000, folder: str = "") -> None:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(folder or temporary) / "index.sqlite"
        new = not path.exists()
        history = History(open_sqlite(path), FolderStore(path.parent / "artifacts"), SystemClock())
        start = time.perf_counter()
        if new:
            fill(path, results)
        print(f"{results} results, {path.stat().st_size / 2**20:.0f} MB, filled in {time.perf_counter() - start:.0f} s")
        ask_everything(history, results // len(SCENARIOS) - 1)
        history.close()


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, str), sys.argv[1:], strict=False)))
