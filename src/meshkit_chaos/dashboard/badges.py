"""A small picture that says how something stands: a sign, words and a colour, readable without the others. Pure.

The letters' widths are rounded up, so that no text runs out of its field in whatever font is there.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

from meshkit_chaos.dashboard.latest import Latest, Shown
from meshkit_chaos.dashboard.readiness import Readiness, ReadinessCell
from meshkit_chaos.dashboard.standing import ACCEPTED, TONES, WORDS
from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.gate.evidence import SLACK
from meshkit_chaos.judge.phrases import at_least, at_most, counted
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.escape import clipped, one_line
from meshkit_chaos.report.wording import SYMBOL, WORD
from meshkit_chaos.slo import Duration

CONTENT_TYPE: Final = "image/svg+xml"
UNKNOWN: Final = "unknown"
_COLOURS: Final[dict[VerdictName, str]] = {
    "pass": "#1a6b34",
    "fail": "#b3261e",
    "inconclusive": "#8a5300",
    "invalid": "#6b3fa0",
    "not-run": "#565c66",
}
"""Each has a contrast of at least 5.5 with white."""
_LETTER: Final = 7.2
_LONGEST: Final = 60


def scenario_badge(one: Latest | None, *, name: str, now: int, fresh: Duration) -> str:
    """The newest result; a pass that is too old, or of an instant still to come, is said to be stale, and is not green."""
    if one is None:
        return badge(name, UNKNOWN, "not-run")
    if one.verdict == "missing":
        return badge(one.scenario, "missing", "not-run")
    if one.verdict == "pass" and (one.at is None or not -SLACK.ns <= now - one.at <= fresh.ns):
        return badge(one.scenario, f"stale, passed {day(one.at or 0)}", "inconclusive")
    return badge(one.scenario, WORD[one.verdict].lower() + _time(one), one.verdict)


def _time(one: Latest) -> str:
    if not one.took:
        return ""
    slowest = max(one.took, key=lambda took: (took.hi is None, (took.hi or took.lo) / (took.limit or 1)))
    return f" in >{at_least(slowest.lo)}" if slowest.hi is None else f" in ≤{at_most(slowest.hi)}"


def module_badge(readiness: Readiness, module: str) -> str:
    """How a module stands in the newest release."""
    cell = next((row.cells[0] for row in readiness.rows if row.module == module and row.cells), None)
    return badge(module, UNKNOWN, "not-run") if cell is None else badge(module, _standing(cell), TONES[cell.standing])


def _standing(cell: ReadinessCell) -> str:
    return WORDS[cell.standing].lower()


def release_badge(readiness: Readiness, release: str = "", *, closed: bool = False) -> str:
    """Whether a release is ready: the newest where none is named. ``closed``: the gate does not let the newest one through."""
    names = [name for name, _ in readiness.releases]
    wanted = release or (names[0] if names else "")
    if wanted not in names or not readiness.rows:
        return badge(wanted or "release", UNKNOWN, "not-run")
    column = names.index(wanted)
    told = {one.scenario: one.standing for row in readiness.rows for one in row.cells[column].scenarios}
    bad = sum(standing not in ACCEPTED for standing in told.values())
    if bad:
        return badge(wanted, f"{counted(bad, 'scenario')} not good", "fail")
    if readiness.untested:
        return badge(wanted, f"{counted(len(readiness.untested), 'module')} untested", "not-run")
    if closed and wanted == names[0]:
        return badge(wanted, "the gate is not open", "inconclusive")
    waived = sum(standing == "waived" for standing in told.values())
    return badge(wanted, f"ready, {waived} waived", "inconclusive") if waived else badge(wanted, "ready", "pass")


def badge(label: str, said: str, tone: Shown) -> str:
    """Two fields beside each other; a screen reader hears both."""
    verdict: VerdictName = "not-run" if tone == "missing" else tone
    left, right = clipped(one_line(label), _LONGEST), clipped(f"{SYMBOL[verdict]} {one_line(said)}", _LONGEST)
    first, second = _width(left), _width(right)
    whole = first + second
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" viewBox="0 0 {whole} 20" role="img" '
            'aria-label="{label}"><title>{label}</title>'
            '<rect width="{first}" height="20" fill="#30343b"/><rect x="{first}" width="{second}" height="20" fill="{colour}"/>'
            '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle">'
            '<text x="{left_at}" y="14">{left}</text><text x="{right_at}" y="14">{right}</text></g></svg>\n'
        ).format(
            whole=whole,
            label=escape(f"{left}: {right}"),
            first=first,
            second=second,
            colour=_COLOURS[verdict],
            left=left,
            right=right,
            left_at=first / 2,
            right_at=first + second / 2,
        )
    )


def _width(text: str) -> int:
    wide = sum(2 if ord(one) > 0x2E7F else 1 for one in text)
    return round(wide * _LETTER) + 12
