"""What happened beside the runs of a scenario: overrides, what the gate said of it, tickets and messages. Pure.

Takes what people keep beside a history; gives lines with the instant each belongs to, numbered as they came, so that a drawing
can name them. Every text in them was written by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from msgspec import Struct, structs

from meshkit_chaos.dashboard.deliveries import lines
from meshkit_chaos.dashboard.wording import day, minute
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.gate.decision import EVIDENCE, GOOD
from meshkit_chaos.gate.log import LogEntry
from meshkit_chaos.gate.overrides import Override
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.escape import clipped, one_line

MOST: Final = 30
"""So many are told, the newest."""


class Happening(Struct, frozen=True, kw_only=True):
    """``href`` only where it is http or https."""

    at: int
    when: str
    kind: str
    tone: VerdictName
    title: str
    detail: str
    href: str = ""
    number: int = 0

    @property
    def words(self) -> str:
        return f"{self.number}: {self.when}, {self.kind}: {self.title}"


def happenings(
    scenario: str, *, told: Iterable[Told], overrides: Iterable[Override], entries: Sequence[LogEntry]
) -> tuple[Happening, ...]:
    """Those of one scenario, newest first; numbers ascend with time."""
    every = [*_sent(told, scenario), *_accepted(overrides, scenario), *_decided(entries, scenario)]
    newest = sorted(every, key=lambda one: one.at)[-MOST:]
    return tuple(structs.replace(one, number=number) for number, one in enumerate(newest, start=1))[::-1]


def _sent(told: Iterable[Told], scenario: str) -> Iterator[Happening]:
    for one in told:
        if not any(cause.scenario == scenario for cause in one.action.causes):
            continue
        (line,) = lines([one])
        state = f"{line.state}: {line.did}" if line.did else line.state
        yield Happening(
            at=one.settled_at if one.settled_at is not None else one.action.at,
            when=line.when,
            kind="ticket" if one.action.ticket is not None else "message",
            tone=line.tone,
            title=line.title,
            detail=f"{line.channel}, {line.occasion}; {state}; {line.reason}",
            href=line.href,
        )


def _accepted(overrides: Iterable[Override], scenario: str) -> Iterator[Happening]:
    for one in overrides:
        if fnmatchcase(scenario, one.scenario):
            yield Happening(
                at=one.created,
                when=day(one.created),
                kind="override",
                tone="inconclusive",
                title=one_line(f"{one.objective} accepted {one.accept}, until {day(one.expires)}"),
                detail=clipped(
                    one_line(f"{one.ticket}: {one.reason} ({one.author}, granted by {one.approver}; {one.id})"), 300
                ),
            )


def _decided(entries: Sequence[LogEntry], scenario: str) -> Iterator[Happening]:
    """Where the gate began to say something else of the scenario than the decision before it."""
    before = ""
    for entry in entries:
        item = _item(entry, scenario) if entry.kind == "decision" else None
        code = str(item.get("code", "")) if item is not None else before
        if item is not None and code != before and not (before == "" and code in GOOD):
            yield Happening(
                at=entry.at,
                when=minute(entry.at),
                kind="gate",
                tone="pass" if code in GOOD else "fail" if code in EVIDENCE else "inconclusive",
                title=one_line(f"{code}{'' if item.get('mode') == 'blocking' else ' (shadow)'}"),
                detail=clipped(one_line(str(item.get("sentence", ""))), 300),
            )
        before = code


def _item(entry: LogEntry, scenario: str) -> Mapping[str, Any] | None:
    """What a decision said of a scenario: of several requirements, the first that it does not meet."""
    found = [one for one in entry.mappings("items") if one.get("scenario") == scenario]
    return next((one for one in found if one.get("code") not in GOOD), found[0] if found else None)
