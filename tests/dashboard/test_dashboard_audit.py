"""The gate's page: its log with every finding, how often overrides were used, and what a changed log looks like."""

from __future__ import annotations

import re
from typing import Any

import pytest
from gate_worlds import HOUR, NOW, decided, history, overrides, policy, result
from msgspec import json, structs

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.audit import MOST_ENTRIES, audit
from meshkit_chaos.dashboard.gate import gate_page
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources
from meshkit_chaos.gate.log import NOTHING, LogEntry, sealed, verify
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.slo.codec import encode

DAY = 24 * HOUR
GRANTED = overrides(
    """version: 1
overrides:
  - {id: slower, subject: {commit: c0ffee}, scenario: leader-killed, objective: converge-one-leader, accept: {within: 9s},
     reason: on purpose, ticket: MESH-1, author: ann, approver: bo, created: 2026-11-20, expires: 2026-12-01}
"""
)


def log_of(*bodies: tuple[int, dict[str, Any]], kind: str = "decision") -> bytes:
    """A whole log of these bodies, each at its instant."""
    lines, before = b"", NOTHING
    for seq, (at, body) in enumerate(bodies):
        entry = sealed(LogEntry(seq=seq, at=at, kind=kind, body=body, before=before))
        lines, before = lines + encode(entry) + b"\n", entry.hash
    return lines


def body(held: MemoryHistory, file: Overrides | None = None) -> dict[str, Any]:
    made: dict[str, Any] = json.decode(json.encode(decided(held, file=file)))
    return made


PASSED, FAILED, WAIVED = (
    body(history(result("pass"))),
    body(history(result("fail"))),
    body(history(result("fail")), GRANTED),
)


def page(log: bytes | None, held: MemoryHistory | None = None) -> str:
    files = GateFiles(overrides=lambda: GRANTED, log=lambda: log)
    settings = Settings(project="mesh", policy=policy())
    made_of = Sources(
        reader=held or history(result("fail")), settings=settings, clock=ManualClock(wall_ns=NOW), gate_files=files
    )
    return Site(made_of).page(paths.GATE) or ""


def test_decisions_are_counted_by_month() -> None:
    """Newest month first, with how often an override was used and what so few decisions can say of that."""
    made = audit(verify(log_of((NOW - 60 * DAY, PASSED), (NOW - 2 * DAY, WAIVED), (NOW - DAY, FAILED), (NOW, PASSED))))
    assert [(one.month, one.decisions, one.opened, one.waived) for one in made.months] == [
        ("2026-11", 3, 2, 1),
        ("2026-09", 1, 1, 0),
    ]
    assert made.months[0].share == "33.3 % (0.84 % to 90.6 %)"
    assert "4 decisions: 3 open; in 1 of the 4 (25 %; 95 % interval 0.631 % to 80.6 %)" in made.rate


def test_an_override_in_a_blocked_decision_opened_nothing() -> None:
    """The bar of a month shows as opened by overrides only what was open."""
    blocked = {**WAIVED, "open": False}
    (month,) = audit(verify(log_of((NOW - DAY, blocked), (NOW, PASSED)))).months
    assert (month.opened, month.waived) == (1, 1)
    assert "invalid" not in re.sub(r'width="0[.0]*%"[^>]*', "", str(month.drawing))


def test_each_decision_opens_to_its_findings() -> None:
    """What was not good stands in its entry, with the overrides and the hashes; the newest stands first."""
    made = audit(verify(log_of((NOW - DAY, WAIVED), (NOW, FAILED))))
    newest, older = made.entries
    assert (newest.what, newest.findings[0][:2]) == ("blocked", ("leader-killed", "failed"))
    assert older.tone == "invalid"
    assert older.findings[0][1] == "waived"
    assert older.overrides[0].startswith("slower used: accepts up to 9s")
    assert newest.before == older.hash
    assert made.head == newest.hash


def test_an_entry_is_found_by_what_failed_and_by_its_build() -> None:
    """A filter looks in scenarios, codes, builds and hashes."""
    [entry] = audit(verify(log_of((NOW, FAILED)))).entries
    for word in ("leader-killed", "failed", "blocked", "c0ffee", entry.hash):
        assert word in entry.search


def test_a_long_log_lists_the_newest_and_counts_the_others() -> None:
    """Nothing is left out in silence."""
    made = audit(verify(log_of(*((NOW + number, {}) for number in range(MOST_ENTRIES + 3)))))
    assert (len(made.entries), made.left) == (MOST_ENTRIES, 3)
    assert "3 older entries" in page(log_of(*((NOW + number, {}) for number in range(MOST_ENTRIES + 3))))


@pytest.mark.parametrize("at", [-1, 10**30, 253_402_300_800 * 10**9])
@pytest.mark.parametrize("odd", [{}, {"items": 3, "overrides": [1]}, {"subject": [], "items": [{}], "open": "yes"}])
def test_whatever_a_changed_log_holds_is_shown_and_nothing_breaks(at: int, odd: dict[str, Any]) -> None:
    """Values that no decision has are text, and never open."""
    [entry] = audit(verify(log_of((at, odd)))).entries
    assert (entry.what, entry.when) == ("blocked", "at no possible time")
    assert page(log_of((at, odd)))


def test_a_changed_line_is_told_with_what_to_do() -> None:
    """The page says which line, and that nothing is waived by such a log."""
    lines = log_of((NOW - DAY, PASSED), (NOW, FAILED)).replace(b'"open":false', b'"open":true ')
    shown = page(lines)
    assert "The log was changed" in shown
    assert "line 2 was changed" in shown
    assert "Nothing is waived by this log" in shown


def test_a_torn_line_is_told() -> None:
    """A writer that died left an unfinished line."""
    assert "unfinished (7 bytes)" in page(log_of((NOW, PASSED)) + b'{"seq":')


def test_without_a_log_the_page_says_how_to_have_one() -> None:
    """The empty state names the option and the command that writes it."""
    shown = page(None)
    assert "No log was given" in shown
    assert "gate check --log" in shown


def test_an_override_says_what_the_gate_made_of_it() -> None:
    """One that has not ended and is not used is not shown as if it held."""
    assert "used for this build" in page(None)
    assert "not used: " in page(None, history(result("fail", commit="beef")))
    here = structs.replace(GRANTED, protected=False)
    shown = gate_page(decided(history(result("fail")), file=here), here, None, now=NOW, here=paths.GATE, known=frozenset())
    assert "this page read it from a file" in shown.overrides[0].use
    assert "give --overrides-ref" not in shown.overrides[0].use


def test_comparisons_are_a_table() -> None:
    """Each objective against each release in a row, not in prose."""
    rules = policy(
        "version: 1\nmatch: commit\nrequirements: [{id: a, scenarios: [leader-killed], regression: on}]\n"
        "regression: {false_alarms: 5%, baseline: {subject: {branch: main}, releases_by: version, lag: 0s, at_least: 5}}\n"
    )
    earlier = [
        result(
            "pass", hours=30 + 24 * number, commit=f"a{number}", subject={"version": "1.4.1", "commit": "a", "branch": "main"}
        )
        for number in range(12)
    ]
    held = history(result("pass"), *earlier)
    made_of = Sources(reader=held, settings=Settings(project="mesh", policy=rules), clock=ManualClock(wall_ns=NOW))
    shown = Site(made_of).page(paths.GATE) or ""
    assert "Against earlier releases: 2 comparisons" in shown
    assert "converge-one-leader, time" in shown


def test_no_page_believes_a_changed_log() -> None:
    """A waiver marks its cell, and a decision its scenario's time line; of a changed log neither is shown as if it held."""
    held = history(result("fail", hours=2))
    log = log_of((NOW - DAY, PASSED), (NOW - HOUR, WAIVED))
    for told, believed in ((log, True), (log.replace(b'"seq":0', b'"seq":7', 1), False)):
        files = GateFiles(overrides=lambda: GRANTED, log=lambda told=told: told)  # type: ignore[misc]  # bound at once
        made = Site(Sources(reader=held, settings=Settings(project="mesh"), clock=ManualClock(wall_ns=NOW), gate_files=files))
        grid, line = made.page(paths.GRID) or "", made.page(paths.scenario("leader-killed")) or ""
        assert (">waived<" in grid) is believed
        assert ('<span class="tag">gate</span>' in line) is believed
        for told_page in (line, grid, made.page(paths.READINESS) or ""):
            assert ("log was changed: nothing in it counts" in told_page) is not believed
