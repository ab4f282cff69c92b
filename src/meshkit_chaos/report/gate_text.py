"""A decision for a terminal: open or blocked, why, since when, and what would open it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshkit_chaos.gate.decision import GOOD, Decision, Item
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.gate_words import headline, log_line, name, ordered, released, sign, story

_COLOUR: Final = {True: "\x1b[32;1m", False: "\x1b[31;1m"}
_RESET: Final = "\x1b[0m"


def decision_text(decision: Decision, *, colour: bool = False) -> str:
    """Write it: the answer first, then what blocks, then the rest. Whole lines."""
    head = headline(decision)
    lines = [f"{_COLOUR[decision.open]}{head}{_RESET}" if colour else head]
    lines.append(f"  subject    {released(decision)}")
    lines.append(f"  policy     {one_line(decision.policy)} ({decision.policy_digest[:12]})")
    for item in ordered(decision):
        lines += _item(item)
    lines += _overrides(decision)
    if decision.untested:
        names = ", ".join(map(one_line, decision.untested))
        lines.append(f"  untested   {names}: never seen to fail, so whether this gate would block on it is not known")
    lines += [f"  note       {one_line(note)}" for note in decision.notes]
    lines.append(f"  log head   {log_line(decision)}")
    return "\n".join(lines) + "\n"


def _item(item: Item) -> Iterator[str]:
    shadow = ", shadow" if item.mode == "shadow" else ""
    yield f"  {sign(item)} {name(item)} ({item.code}{shadow}): {one_line(item.sentence)}"
    if item.code not in GOOD or item.notes:
        for label, text in story(item):
            yield f"      {label:<9} {text}"


def _overrides(decision: Decision) -> Iterator[str]:
    if decision.overrides:
        yield f"  overrides  {one_line(decision.overrides_source)}"
    for use in decision.overrides:
        told = f"used: {use.sentence}; {use.identity}" if not use.refusal else f"refused ({use.refusal}): {use.sentence}"
        yield f"      {one_line(use.id)} {one_line(told)}"
