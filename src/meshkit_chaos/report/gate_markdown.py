"""A decision as Markdown, for the summary of a CI step. Pure.

At most ``budget`` bytes, because GitHub drops the whole summary of a step over 1 MiB. What does not fit is left out from the
end, what blocks comes first, and what was left out is counted. Every text from a document is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from meshkit_chaos.gate.decision import GOOD, Decision, Item
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import clipped, markdown, markdown_code, one_line
from meshkit_chaos.report.gate_words import log_line, name, ordered, released, sign, story

BUDGET: Final = 1_000_000
SMALLEST_BUDGET: Final = 8_000
_NOTE: Final = 200
_CELL: Final = 600
_TABLE: Final = "| | scenario | why | since | last good | what would open it |\n|---|---|---|---|---|---|"


def decision_markdown(decision: Decision, *, budget: int = BUDGET) -> str:
    """Write the document. Raises ValueError below ``SMALLEST_BUDGET``."""
    if budget < SMALLEST_BUDGET:
        raise ValueError(f"a budget of {budget} bytes is too small; expected {SMALLEST_BUDGET} or more")
    head = "\n".join(_head(decision))
    tail = f"Log head: {markdown_code(decision.log_head) if decision.log_head else log_line(decision)}"
    room = budget - sum(len(part.encode()) + 2 for part in (head, _TABLE, tail)) - _NOTE
    kept = _fit((_row(item) for item in ordered(decision)), room)
    room -= sum(len(row.encode()) + 1 for row in kept)
    left = len(decision.items) - len(kept)
    more = [] if left else list(_more(decision))
    kept_more = _fit(more, room)
    left += len(more) - len(kept_more)
    note = f"*{counted(left, 'line')} left out for length. All of it is in the JSON document.*" if left else ""
    parts = [head, "\n".join((_TABLE, *kept)), "\n".join(kept_more), note, tail]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(decision: Decision) -> Iterator[str]:
    answer = "✓ Open" if decision.open else "✗ Blocked"
    yield f"## {answer}: {_text(decision.sentence)}"
    yield ""
    yield f"Subject: {_text(released(decision))}  "
    yield f"Policy: {markdown_code(clipped(one_line(decision.policy), 200))} {markdown_code(decision.policy_digest[:12])}"


def _text(text: str, width: int = _CELL) -> str:
    return markdown(clipped(one_line(text), width))


def _row(item: Item) -> str:
    told = dict(story(item))
    shadow = " (shadow)" if item.mode == "shadow" else ""
    about = markdown_code(clipped(name(item), 80)) if item.scenario else _text(name(item))
    cells = (
        sign(item),
        f"{about}{shadow}",
        f"**{item.code}**: {_text(item.sentence)}",
        _text(told.get("since", "–")),
        _text(told.get("last good", "–")),
        _text(told.get("to open", "–")),
    )
    return "| " + " | ".join(cells) + " |"


def _more(decision: Decision) -> Iterator[str]:
    """Overrides, comparisons and notes: after what decides."""
    for use in decision.overrides:
        word = f"refused ({use.refusal})" if use.refusal else "used"
        identity = f"; {_text(use.identity)}" if use.identity else ""
        yield f"- Override {markdown_code(clipped(use.id, 80))} {word}: {_text(use.sentence)}{identity}"
    for item in ordered(decision):
        for label, text in story(item):
            if label == "compared" or (label == "note" and item.code in GOOD):
                yield f"- {markdown_code(clipped(name(item), 80))} {_text(text)}"
    if decision.untested:
        yield f"- Untested, as they were never seen to fail: {_text(', '.join(decision.untested))}"
    for note in decision.notes:
        yield f"- {_text(note)}"


def _fit(pieces: Iterable[str], room: int) -> list[str]:
    """The first pieces that fit whole; no more of them are made than that takes."""
    kept: list[str] = []
    for piece in pieces:
        room -= len(piece.encode()) + 1
        if room < 0:
            break
        kept.append(piece)
    return kept
