"""The table of situations: what the gate decides in each, why, and with which exit code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gate_worlds import HOUR, NOW, decided, invocation, one_run, overrides, policy, result
from msgspec import structs

from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.judge.verdict import VerdictName

TABLE = Path(__file__).with_name("situations.txt")
HEAD = "version: 1\nmatch: commit\nrequirements:\n  - {id: leadership, scenarios: [leader-killed]"
POLICIES = {
    "blocking": HEAD + "}\n",
    "shadow": HEAD + ", mode: shadow}\n",
    "runs": HEAD + ", runs: 2}\n",
    "class": HEAD + ", environment_class: lab-1}\n",
    "objective": HEAD + ", objectives: [converge-one-leader]}\n",
}
ENTRY = {
    "id": "a",
    "subject": "{commit: c0ffee}",
    "scenario": "leader-killed",
    "objective": "converge-one-leader",
    "accept": "{within: 9s}",
    "reason": "because",
    "ticket": "M-1",
    "author": "ann",
    "approver": "bo",
    "created": '"2026-11-24"',
    "expires": '"2026-12-01"',
}
OVERRIDES: dict[str, dict[str, str]] = {
    "valid": {},
    "expired": {"expires": '"2026-11-25T08:00:00Z"'},
    "not-yet": {"created": '"2026-11-26"'},
    "other-commit": {"subject": "{commit: abad1dea}"},
    "any-build": {"subject": "{version: 1.4.2}"},
    "any-objective": {"objective": '"*"'},
    "any-scenario": {"scenario": '"leader-*"'},
    "half-a-year": {"expires": '"2027-05-24"'},
    "self-approved": {"approver": '"ANN "'},
    "tested-commit": {},
    "unprotected": {},
    "first-renewal": {},
    "second-renewal": {},
    "second-renewal-by-author": {"second_approver": "Ann"},
    "second-renewal-approved": {"second_approver": "cy"},
    "seven-seconds": {"accept": "{within: 7s}"},
    "other-objective": {"objective": "stay-writes"},
    "other-scenario": {"scenario": "leader-paused"},
    "one-failing-run": {"accept": "{failing_runs: 1}"},
}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    results: str
    policy: str
    override: str
    exit: int
    item: str
    use: str

    def __str__(self) -> str:
        return f"{self.results}, {self.policy}, override {self.override}"


def rows() -> list[Row]:
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines[1:]]
    return [Row(found[0], found[1], found[2], int(found[3]), found[4], found[5]) for found in cells]


def file_of(name: str) -> Overrides | None:
    """The overrides of a row: earlier ones of the same objective, which are for other builds, and the one that it names."""
    if name == "-":
        return None
    earlier = 2 if name.startswith("second-renewal") else 1 if name == "first-renewal" else 0
    entries = [{**ENTRY, "id": f"e{number}", "subject": "{commit: gone}"} for number in range(earlier)]
    entries.append({**ENTRY, **OVERRIDES[name]})
    text = "version: 1\noverrides:\n" + "".join(
        "  - " + "\n    ".join(f"{key}: {value}" for key, value in entry.items()) + "\n" for entry in entries
    )
    return overrides(text, commit="c0ffee" if name == "tested-commit" else "9999999", protected=name != "unprotected")


def history_of(text: str) -> MemoryHistory:
    held = MemoryHistory()
    for part in text.split(" + ") if text != "nothing" else []:
        held.add(*past(part.split()))
    return held


def past(words: list[str]) -> tuple[PastInvocation, list[PastScenario]]:
    """One invocation, from words such as ``fail 2h other``."""
    verdict, age, *more = words
    if verdict in ("gone", "announced"):
        empty = result("inconclusive", hours=hours(age), runs=())
        return invocation([empty]), [empty] if verdict == "announced" else []
    one = changed(verdict, hours(age), more)  # type: ignore[arg-type]  # the table holds only verdicts here
    return invocation([one]), [one]


def hours(age: str) -> float:
    return float(age.removesuffix("h"))


def changed(verdict: VerdictName, age: float, more: list[str]) -> PastScenario:
    run: dict[str, Any] = {}
    if "dirty" in more:
        run["environment"] = "dirty"
    if "crashed" in more:
        run["outcome"] = "crashed"
    if "unmeasured" in more:
        run["time"] = (8 * 10**9, None)
    if "class-2" in more:
        run["environment_class"] = "lab-2"
    if "invalidated" in more:
        run["invalidated"] = "the host was broken"
    count = 2 if "twice" in more else 1
    runs = tuple(one_run(verdict, number, prefix=f"R{age}-", **run) for number in range(1, count + 1))
    one = result(verdict, hours=age, commit="abad1dea" if "other" in more else "c0ffee", runs=runs)
    one = structs.replace(one, environment_class="lab-2" if "class-2" in more else "lab-1")
    one = structs.replace(one, environment="dirty" if "dirty" in more else "clean")
    return structs.replace(one, objectives={}) if "no-objectives" in more else one


@pytest.mark.parametrize("row", rows(), ids=str)
def test_each_situation_is_decided_as_the_table_says(row: Row) -> None:
    """The exit code, the code of the item and what became of the override are those of the table."""
    decision = decided(history_of(row.results), policy(POLICIES[row.policy]), file_of(row.override))
    item = next(item for item in decision.items if item.scenario == "leader-killed")
    use = decision.overrides[-1] if decision.overrides else None
    assert (decision.exit_code, item.code) == (row.exit, row.item), decision
    assert decision.open == (row.exit == 0)
    assert (("used" if not use.refusal else use.refusal) if use else "-") == row.use, use
    assert item.sentence
    assert item.code in ("passed", "waived") or item.remedy, "whoever is blocked is told what would open it"


def test_the_table_is_large_enough() -> None:
    """At least eighty situations, no two alike, with every exit code."""
    found = rows()
    assert len({str(row) for row in found}) == len(found) >= 80
    assert {row.exit for row in found} == {0, 1, 2}
    assert NOW > 50 * HOUR
