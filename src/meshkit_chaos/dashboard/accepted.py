"""What people accepted, as things that a search finds: by ticket, scenario, person or reason. Pure.

Takes overrides, and the log of decisions as far as it can be trusted; gives entries that lead to the page of the gate, and for
each scenario the tickets by which something of it was accepted. An override that left its file is still found in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.audit import MOST_ENTRIES, EntryLine, entry_line
from meshkit_chaos.dashboard.found import Entry, joined, shortened
from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.gate.log import LogEntry
from meshkit_chaos.gate.overrides import Override


def overrides_found(overrides: Iterable[Override], *, here: str) -> Iterator[Entry]:
    gate = paths.relative(paths.GATE, here=here)
    for one in overrides:
        about = f"accepted {one.accept}, until {day(one.expires)}"
        who = f"{one.author}, granted by {one.approver}"
        yield Entry(
            title=shortened(f"{one.ticket}: {one.scenario}, {one.objective}"),
            href=f"{gate}#{paths.override_anchor(one.digest)}",
            detail=joined((about, one.reason, who, one.id, *one.subject.values())),
        )


def decisions_found(log: Sequence[LogEntry], *, here: str) -> Iterator[Entry]:
    """Those in which an override was used or written, newest first. The page of the gate has a place for the newest lines."""
    gate = paths.relative(paths.GATE, here=here)
    listed = {entry.seq for entry in log[-MOST_ENTRIES:]}
    for entry in reversed(log):
        about = _about(entry)
        if about:
            line = entry_line(entry)
            href = f"{gate}#{paths.entry_anchor(entry.seq)}" if entry.seq in listed else gate
            yield Entry(title=_title(line), href=href, detail=joined((*about, line.build, line.sentence)))


def tickets(overrides: Iterable[Override], log: Iterable[LogEntry]) -> tuple[tuple[str, str], ...]:
    """Each with the name or pattern of the scenarios of which it accepted something. A long log is looked through once."""
    written = ((str(one.get("ticket", "")), one.get("scenario")) for one in map(_written, log))
    held = ((one.ticket, one.scenario) for one in overrides)
    return tuple(
        dict.fromkeys((ticket, scenarios) for ticket, scenarios in (*held, *written) if ticket and isinstance(scenarios, str))
    )


def tickets_of(scenario: str, held: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """By which something of a scenario was accepted; each once. ``held``: what ``tickets`` gives."""
    return tuple(dict.fromkeys(ticket for ticket, scenarios in held if fnmatchcase(scenario, scenarios)))


def _title(line: EntryLine) -> str:
    return f"{line.when}: {line.what}"


def _about(entry: LogEntry) -> list[str]:
    """The overrides of an entry in words; none where none was used."""
    used = [one for one in entry.mappings("overrides") if one.get("refusal") == ""]
    told = [f"{one.get('id')} {one.get('sentence')}" for one in used] if entry.kind == "decision" else []
    written = _written(entry)
    return [*told, *([" ".join(str(written.get(key, "")) for key in ("ticket", "scenario", "id"))] if written else [])]


def _written(entry: LogEntry) -> dict[str, object]:
    """The override that an entry says was written; empty for any other entry."""
    one = entry.body.get("override") if entry.kind == "override" else None
    return one if isinstance(one, dict) else {}
