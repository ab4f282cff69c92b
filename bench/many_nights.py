"""Rows of a large history as an import would have left them: modules, scenarios, nights on three clusters, versions, commits.

Takes how many runs are wanted; gives rows by table, night by night, so that a database can be filled without holding them all.
Three scenarios in a hundred fail of late, some are flaky, some are marked as invalid, and now and then a result is lost.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Final

SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND
START: Final = 1_660_000_000 * SECOND
CLUSTERS: Final = ("lab-a", "lab-b", "lab-c")
MODULES: Final = tuple(
    f"{name}-{kind}"
    for name in ("leadership", "shards", "gossip", "replication", "membership")
    for kind in ("core", "edge", "mesh", "store")
)
FAULTS: Final = ("kill", "pause", "partition", "latency", "packet-loss", "restart", "stop")
OWNERS: Final = ("team-core", "team-edge", "team-mesh")
SEVERITIES: Final = ("critical", "high", "medium", "low")
MEMBERS: Final = ("node-1", "node-2", "node-3", "node-4", "node-5")
TABLES: Final[dict[str, str]] = {
    "invocations": "invocation at subject verdict environment sentence tool file_digest announced bundle",
    "subjects": "invocation key value",
    "results": "result invocation position scenario title verdict sentence at environment environment_class flaky severity "
    "owner modules tags objectives invalidated",
    "runs": "run result number verdict outcome environment started ended environment_class plan_digest journal_digest seed "
    "tool binaries executables faults invalidated",
    "objectives": "run position name verdict sentence indicator informational lo hi limit resolution",
}
"""The columns that are filled, in the order of the rows."""

Rows = dict[str, list[tuple[Any, ...]]]


class ManyNights:
    """``scenarios`` on every cluster each night, until there are ``runs`` of them."""

    def __init__(self, runs: int, *, scenarios: int = 250, seed: int = 1) -> None:
        self.names = tuple(_name(number) for number in range(scenarios))
        self.nights = max(1, runs // (scenarios * len(CLUSTERS)))
        self._seed, self._result = seed, 0

    @property
    def now(self) -> int:
        """Some hours after the newest night."""
        return START + self.nights * DAY - 18 * 3600 * SECOND

    def __iter__(self) -> Iterator[Rows]:
        """One night after the other, the oldest first."""
        chance = random.Random(self._seed)
        for night in range(self.nights):
            rows: Rows = {table: [] for table in TABLES}
            for cluster, where in enumerate(CLUSTERS):
                self._invocation(rows, night, cluster, where, chance)
            yield rows

    def _invocation(self, rows: Rows, night: int, cluster: int, where: str, chance: random.Random) -> None:
        name, at = f"01J{night:019d}{cluster:04d}", START + night * DAY + cluster * 1800 * SECOND
        subject = {"version": f"1.{night // 30}", "commit": f"{night:040x}", "branch": "main"}
        failing = set()
        for position, scenario in enumerate(self.names):
            if chance.random() < 0.0005:
                continue  # its result was lost
            self._result += 1
            verdict = self._verdict(position, night, chance)
            if verdict != "pass":
                failing.add(scenario)
            aside, run = chance.random() < 0.001, f"01J{night:015d}{position:06d}{cluster:02d}"
            rows["results"].append(_result(self._result, name, position, scenario, verdict, at, where, aside, chance))
            rows["runs"].append(_run(self._result, run, verdict, at, where, night, aside, position))
            rows["objectives"].extend(_objectives(run, verdict, position, chance))
        worst = "fail" if failing else "pass"
        said = f"{len(failing)} of {len(self.names)} scenarios failed" if failing else f"{len(self.names)} scenarios passed"
        announced = json.dumps(self.names, separators=(",", ":"))
        rows["invocations"].append(
            (name, at, json.dumps(subject), worst, "clean", said, "0.1.0", "d" * 64, announced, f"bundles/{name}")
        )
        rows["subjects"].extend((name, key, value) for key, value in subject.items())

    def _verdict(self, position: int, night: int, chance: random.Random) -> str:
        if position % 33 == 7 and night > self.nights - 9:
            return "fail"  # planted: since nine nights
        drawn = chance.random()
        return "fail" if drawn < 0.004 else "inconclusive" if drawn < 0.007 else "invalid" if drawn < 0.008 else "pass"


def _name(number: int) -> str:
    return f"{MODULES[number % len(MODULES)]}-{FAULTS[number % len(FAULTS)]}-{number:04d}"


def _result(
    result: int,
    invocation: str,
    position: int,
    scenario: str,
    verdict: str,
    at: int,
    where: str,
    aside: bool,
    chance: random.Random,
) -> tuple[Any, ...]:
    module, fault = MODULES[position % len(MODULES)], FAULTS[position % len(FAULTS)]
    title = f"{module.capitalize()} holds through {fault} of a member ({position})"
    told = "the run passed" if verdict == "pass" else f"the run is {verdict}: converge-leader took longer than its limit of 5 s"
    return (
        result, invocation, position, scenario, title, verdict, told, at + position * SECOND, "clean", where,
        verdict == "pass" and chance.random() < 0.01, SEVERITIES[position % 4], OWNERS[position % 3], json.dumps([module]),
        '["nightly"]', json.dumps({"converge-leader": verdict, "no-loss": "pass"}), aside,
    )  # fmt: skip


def _run(result: int, run: str, verdict: str, at: int, where: str, night: int, aside: bool, position: int) -> tuple[Any, ...]:
    built = dict.fromkeys(MEMBERS, f"{night:064x}")
    facts = [
        {
            "path": "meshd",
            "name": "meshd",
            "digest": f"{night:064x}",
            "size": 21_000_000 + night * 700,
            "format": "elf",
            "class": "native",
        }
    ]
    return (
        run, result, 1, verdict, "completed", "clean", at, at + 60 * SECOND, where, "a" * 64, "c" * 64, 7, "0.1.0",
        json.dumps(built), json.dumps(facts) if position == 0 else "[]", json.dumps([FAULTS[position % len(FAULTS)]]),
        "its network was down" if aside else "",
    )  # fmt: skip


def _objectives(run: str, verdict: str, position: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    lo = int(abs(chance.gauss(1.5 + position % 7 / 4, 0.1)) * SECOND) + (4 * SECOND if verdict == "fail" else 0)
    hi = None if verdict == "fail" and chance.random() < 0.2 else lo + SECOND // 5
    told = f"one leader was there again after {lo / SECOND:.1f} s"
    yield run, 0, "converge-leader", verdict, told, "one-leader", False, lo, hi, 5 * SECOND, SECOND // 5
    yield run, 1, "no-loss", "pass", "no write was lost", "lost-writes", False, None, None, None, None
