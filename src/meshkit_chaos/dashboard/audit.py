"""The gate's log as people read it: every decision with its findings, how often overrides were used, and whether it is whole.

Takes the log as it was verified; trusts no value in it, because a log that was changed is shown, too. Gives lines, newest
first, and a month's counts with the interval that so few decisions allow. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.campaign.sequential import interval
from meshkit_chaos.dashboard.wording import minute, short_build
from meshkit_chaos.gate.decision import GOOD
from meshkit_chaos.gate.log import Chain, LogEntry
from meshkit_chaos.judge.phrases import counted, say_share
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report import svg
from meshkit_chaos.report.escape import clipped, one_line

MOST_ENTRIES: Final = 100
MOST_MONTHS: Final = 12
_MOST_FINDINGS: Final = 20
_YEAR_10000: Final = 253_402_300_800 * 10**9


class EntryLine(Struct, frozen=True, kw_only=True):
    """``findings``: what was not good, as a name, a code and a sentence; ``overrides``: what became of each."""

    seq: int
    when: str
    what: str
    tone: VerdictName
    build: str
    sentence: str
    findings: tuple[tuple[str, str, str], ...]
    overrides: tuple[str, ...]
    subject: str
    hash: str
    before: str

    @property
    def search(self) -> str:
        """What a filter looks in."""
        told = (name for finding in self.findings for name in finding[:2])
        return " ".join((self.when, self.what, self.build, self.sentence, self.subject, self.hash, *told)).lower()


class Month(Struct, frozen=True, kw_only=True):
    """Decisions of one month. ``share``: of those in which an override was used, with what so few can say."""

    month: str
    decisions: int
    opened: int
    waived: int
    share: str
    drawing: Markup


class Audit(Struct, frozen=True, kw_only=True):
    """``chain``: whether the log is whole, in words; empty: there is none. ``left``: how many older entries are not listed."""

    chain: str = ""
    head: str = ""
    problems: tuple[str, ...] = ()
    torn: int = 0
    rate: str = ""
    months: tuple[Month, ...] = ()
    entries: tuple[EntryLine, ...] = ()
    left: int = 0


def audit(chain: Chain | None) -> Audit:
    """``chain``: the log as it was read and verified; None where there is none."""
    if chain is None:
        return Audit()
    shown = chain.entries[-MOST_ENTRIES:]
    return Audit(
        chain=_chain(chain),
        head=one_line(chain.head),
        problems=tuple(one_line(problem) for problem in chain.problems),
        torn=chain.torn,
        rate=override_rate(chain.entries),
        months=months(chain.entries),
        entries=tuple(entry_line(entry) for entry in reversed(shown)),
        left=len(chain.entries) - len(shown),
    )


def override_rate(entries: Sequence[LogEntry]) -> str:
    """In how many decisions an override was used, in words; empty where nothing was decided."""
    decisions = [entry for entry in entries if entry.kind == "decision"]
    if not decisions:
        return ""
    used, opened = sum(map(_waived, decisions)), sum(map(_open, decisions))
    low, high = interval(used, len(decisions))
    share = say_share(used / len(decisions))
    return (
        f"{counted(len(decisions), 'decision')}: {opened} open; in {used} of the {len(decisions)} ({share}; "
        f"95 % interval {say_share(low)} to {say_share(high)}) an override was used"
    )


def months(entries: Iterable[LogEntry]) -> tuple[Month, ...]:
    """The newest months in which anything was decided, newest first."""
    held: dict[str, list[LogEntry]] = {}
    for entry in entries:
        if entry.kind == "decision" and _possible(entry.at):
            held.setdefault(minute(entry.at)[:7], []).append(entry)
    most = max(map(len, held.values()), default=1)
    return tuple(_month(name, held[name], most) for name in sorted(held, reverse=True)[:MOST_MONTHS])


def _month(name: str, entries: Sequence[LogEntry], most: int) -> Month:
    opened, waived = sum(map(_open, entries)), sum(map(_waived, entries))
    low, high = interval(waived, len(entries))
    by_override = sum(_open(entry) and _waived(entry) for entry in entries)
    parts = ((opened - by_override, "pass"), (by_override, "invalid"), (len(entries) - opened, "fail"))
    bars, start = [], 0.0
    for count, tone in parts:
        bars.append(svg.rect(start, 100 * count / most, y=3, height=12, class_=f"mark {tone} block"))
        start += 100 * count / most
    label = f"{name}: {opened} open, {len(entries) - opened} blocked, {waived} with an override"
    return Month(
        month=name,
        decisions=len(entries),
        opened=opened,
        waived=waived,
        share=f"{say_share(waived / len(entries))} ({say_share(low)} to {say_share(high)})",
        drawing=svg.drawing(*bars, height=18, label=label, class_="plot"),
    )


def _chain(chain: Chain) -> str:
    if chain.problems:
        return "The log was changed: " + counted(len(chain.problems), "problem")
    return f"{counted(len(chain.entries), 'line')}, each follows on the one before"


def entry_line(entry: LogEntry) -> EntryLine:
    """A line of the log as pages show it. Whatever stands in its body, it becomes words and never an error."""
    body = entry.body
    decision = entry.kind == "decision"
    opened = _open(entry)
    subject = {str(key): str(value) for key, value in _mapping(body.get("subject")).items()}
    return EntryLine(
        seq=entry.seq,
        when=minute(entry.at) if _possible(entry.at) else "at no possible time",
        what=("open" if opened else "blocked") if decision else _text(entry.kind),
        tone="not-run" if not decision else "fail" if not opened else "invalid" if _waived(entry) else "pass",
        build=_text(short_build(subject)),
        sentence=_text(body.get("sentence") or body.get("reason") or ""),
        findings=tuple(map(_finding, [item for item in entry.mappings("items") if not _plain(item)][:_MOST_FINDINGS])),
        overrides=tuple(map(_use, entry.mappings("overrides")[:_MOST_FINDINGS])),
        subject=_text(", ".join(f"{key}={value}" for key, value in subject.items())),
        hash=one_line(entry.hash),
        before=one_line(entry.before),
    )


def _plain(item: Mapping[str, Any]) -> bool:
    code = item.get("code")
    return isinstance(code, str) and code in GOOD and code != "waived"


def _finding(item: Mapping[str, Any]) -> tuple[str, str, str]:
    name = item.get("scenario") or f"requirement {item.get('requirement')}"
    return _text(name), _text(item.get("code")), _text(item.get("sentence"))


def _use(one: Mapping[str, Any]) -> str:
    became = f"not used ({_text(one.get('refusal'))})" if one.get("refusal") != "" else "used"
    return f"{_text(one.get('id'))} {became}: {_text(one.get('sentence'))}"


def _open(entry: LogEntry) -> bool:
    return entry.body.get("open") is True


def _waived(entry: LogEntry) -> bool:
    """Whether an override was used, whatever the decision was."""
    return any(one.get("refusal") == "" for one in entry.mappings("overrides"))


def _possible(at: int) -> bool:
    return 0 <= at < _YEAR_10000


def _text(value: object) -> str:
    return clipped(one_line("" if value is None else str(value)), 300)


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
