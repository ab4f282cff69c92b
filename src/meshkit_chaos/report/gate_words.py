"""The words that all reports of a decision share. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshkit_chaos.clock import minute
from meshkit_chaos.gate.decision import EVIDENCE, GOOD, Comparison, Decision, Item, Sighting
from meshkit_chaos.report.escape import clipped, one_line

SIGN: Final = {"good": "✓", "bad": "✗", "unknown": "?"}


def headline(decision: Decision) -> str:
    return f"{'OPEN' if decision.open else 'BLOCKED'}: {one_line(decision.sentence)}"


def sign(item: Item) -> str:
    """Good, bad or not known."""
    return SIGN["good"] if item.code in GOOD else SIGN["bad"] if item.code in EVIDENCE else SIGN["unknown"]


def name(item: Item) -> str:
    """What an item is about."""
    return one_line(item.scenario or (f"requirement {item.requirement}" if item.requirement else "the policy"))


def build(subject: Mapping[str, str]) -> str:
    """The shortest name of what was tested: its commit, or else all that was stated."""
    commit = subject.get("commit")
    return clipped(one_line(f"commit {commit}" if commit else pairs(subject)), 80)


def pairs(subject: Mapping[str, str]) -> str:
    return ", ".join(f"{one_line(key)}={one_line(value)}" for key, value in subject.items()) or "not stated"


def seen(sighting: Sighting) -> str:
    return f"{minute(sighting.at)}, {build(sighting.subject)} ({sighting.verdict})"


def story(item: Item) -> tuple[tuple[str, str], ...]:
    """What a reader needs of an item, as labelled lines."""
    lines: list[tuple[str, str]] = []
    if item.first_bad is not None:
        lines.append(("since", seen(item.first_bad)))
    if item.code not in GOOD and item.last_good is not None:
        lines.append(("last good", seen(item.last_good)))
    if item.code not in GOOD and item.remedy:
        lines.append(("to open", one_line(item.remedy)))
    lines += [("note", one_line(note)) for note in item.notes]
    lines += [("compared", comparison(one)) for one in item.comparisons]
    return tuple(lines)


def comparison(one: Comparison) -> str:
    """A comparison with its numbers, and what it could have seen."""
    worse = "worse" if one.worse else "cannot tell" if one.blind else "not worse"
    numbers = f"p = {one.p:.2g}, needs {one.level:.2g}, least {one.least:.2g}; power {one.power * 100:.0f} %"
    return one_line(f"{one.objective}, {one.kind}: {worse}: {one.sentence} ({numbers})")


def released(decision: Decision) -> str:
    """The subject, and how its results are known to be its own."""
    digests = ", ".join(f"{key} {value[:12]}" for key, value in decision.digests.items())
    stated = pairs(decision.subject) + (f"; {one_line(digests)}" if digests else "")
    return f"{stated} (matched by {decision.match})"


def ordered(decision: Decision) -> list[Item]:
    """What blocks first, evidence before its absence; then what is good; then what only reports."""
    return sorted(decision.items, key=lambda item: (item.mode == "shadow", not item.blocks, item.code not in EVIDENCE))


def log_line(decision: Decision) -> str:
    return decision.log_head or "this decision was not logged"
