"""What the members of a run said, on its time line: a lane a member, and the lines worth a place on the page. Pure.

Takes the record of a run and its kept logs. A page holds so many lines and bytes: those of faults and of bad news first, and
what is left out is counted in words. A line says nothing of its own: every text here is a member's, and is escaped where it
is placed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.dashboard.loglanes import Lane, lanes
from meshkit_chaos.dashboard.loglines import LogLine, MemberLog, RunClock, member_log
from meshkit_chaos.history.logs import KeptFile, Logs
from meshkit_chaos.journal.record import Record, fault_windows, phase_spans
from meshkit_chaos.judge.phrases import counted, listed
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.course import axis_of
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.narrative import clock as since_zero
from meshkit_chaos.report.narrative import members_text

MOST_LINES: Final = 2_000
MOST_BYTES: Final = 140_000
_ROW: Final = 110  # bytes of markup round the text of a line
_UNPLACED: Final = 50
_NEAR: Final = (-(10**9), 5 * 10**9)  # of a fault: a little before it, and what follows
_WORTH: Final = {"error": 3, "warning": 2, "info": 1, "": 1, "debug": 0}


class LogRow(Struct, frozen=True, kw_only=True):
    """``at``: seconds from the first injection. ``mark``: no line of a member, but a phase or a fault that begins or ends."""

    at: str
    when: str
    member: str
    level: str
    text: str
    mark: bool = False


class RunLogs(Struct, frozen=True, kw_only=True):
    """``unplaced``: lines without a time. ``notes``: what is not shown, and what was assumed, in words."""

    lanes: Markup
    members: tuple[str, ...]
    rows: tuple[LogRow, ...]
    unplaced: tuple[LogRow, ...]
    shown: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    at: int
    member: str
    line: LogLine


def run_logs(record: Record, logs: Logs, *, folder: str) -> RunLogs | None:
    """``folder``: of the run, inside the results. None where nothing is kept of its members' logs."""
    files = [one for one in logs.files if one.name.startswith(f"{folder}/logs/")]
    started = record.started
    if not files or started is None:
        return None
    axis = axis_of(record)
    clock = RunClock(started=record.entries[0].t, ended=record.entries[-1].t, wall=started.wall_ns)
    read = {one.name: member_log(logs.data[one.name], clock) for one in files if one.name in logs.data}
    of_file = {one.name: one for one in files}
    said = [
        _Said(at=line.at, member=of_file[name].member, line=line)
        for name, log in read.items()
        for line in log.lines
        if line.at is not None
    ]
    unplaced = [(of_file[name].member, line) for name, log in read.items() for line in log.lines if line.at is None]
    chosen = _chosen(said, _instants(record))
    members = tuple(dict.fromkeys(one.member for one in files))
    windows = fault_windows(record)
    return RunLogs(
        lanes=lanes(
            [
                Lane(member=name, lines=tuple((one.at, one.line.level) for one in said if one.member == name))
                for name in members
            ],
            axis=axis,
            windows=[(one.intended, axis.end if one.reverted is None else one.reverted) for one in windows],
        ),
        members=tuple(one_line(name) for name in members),
        rows=tuple(row for _, row in sorted([*_rows(chosen, axis), *_marks(record, axis)], key=lambda pair: pair[0])),
        unplaced=tuple(_row(None, member, line, axis) for member, line in unplaced[:_UNPLACED]),
        shown=_shown(len(chosen), len(said)),
        notes=(*_notes(files, read, of_file), *_unplaced_note(len(unplaced))),
    )


def _instants(record: Record) -> tuple[int, ...]:
    """When something was done to the mesh, in order."""
    return tuple(
        sorted(
            at
            for window in fault_windows(record)
            for at in (window.intended, window.injected, window.revert_intended, window.reverted)
            if at is not None
        )
    )


def _chosen(said: Sequence[_Said], instants: Sequence[int]) -> list[_Said]:
    """As many as the page holds: bad news first, and what was said while something was done to the mesh."""

    def worth(one: _Said) -> tuple[int, int]:
        distance, near = _from_nearest(one.at, instants)
        return -(_WORTH[one.line.level] + 2 * near), distance

    chosen: list[_Said] = []
    left = MOST_BYTES
    for one in sorted(said, key=worth):
        left -= _ROW + len(one.line.text.encode("utf-8", "replace"))
        if left < 0 or len(chosen) == MOST_LINES:
            break
        chosen.append(one)
    return chosen


def _from_nearest(at: int, instants: Sequence[int]) -> tuple[int, bool]:
    """How far it is to the nearest instant, and whether one is near. ``instants``: in order; there may be as many as lines."""
    place = bisect_left(instants, at)
    distance = min((abs(at - one) for one in instants[max(0, place - 1) : place + 1]), default=0)
    before = bisect_right(instants, at - _NEAR[0]) - 1
    return distance, before >= 0 and at - instants[before] <= _NEAR[1]


def _rows(chosen: Iterable[_Said], axis: TimeAxis) -> list[tuple[tuple[int, int], LogRow]]:
    return [((one.at, 1), _row(one.at, one.member, one.line, axis)) for one in chosen]


def _row(at: int | None, member: str, line: LogLine, axis: TimeAxis) -> LogRow:
    return LogRow(
        at="" if at is None else _seconds(at, axis),
        when="" if at is None else since_zero(at, axis.zero),
        member=one_line(member),
        level=line.level,
        text=line.text,
    )


def _marks(record: Record, axis: TimeAxis) -> list[tuple[tuple[int, int], LogRow]]:
    """Phases and faults, between the lines. At one instant what the run did stands before what members said."""
    told = [(span.start, f"phase {span.phase}") for span in phase_spans(record)]
    for window in fault_windows(record):
        name = f"{window.fault} {members_text(window.members)}"
        told.append((window.intended, f"{name} begins"))
        told += [(window.reverted, f"{name} is undone")] if window.reverted is not None else []
    return [
        (
            (at, 0),
            LogRow(at=_seconds(at, axis), when=since_zero(at, axis.zero), member="", level="", text=one_line(text), mark=True),
        )
        for at, text in told
    ]


def _seconds(at: int, axis: TimeAxis) -> str:
    return f"{(at - axis.zero) / 1e9:.3f}"


def _shown(shown: int, of: int) -> str:
    if shown == of:
        return f"{counted(of, 'line')}, all of them"
    return f"{counted(shown, 'line')} of {of}: bad news, and what was said round faults, first"


def _unplaced_note(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    rest = f"; the first {_UNPLACED} are shown" if count > _UNPLACED else ""
    return (f"{counted(count, 'line')} without a time stamp that is understood, so without a place on the time line{rest}",)


def _notes(files: Sequence[KeptFile], read: Mapping[str, MemberLog], of_file: Mapping[str, KeptFile]) -> list[str]:
    notes = [
        f"{listed(_name(one) for one in files if one.why == why)}: not here, because {why}"
        for why in dict.fromkeys(one.why for one in files if one.why)
    ]
    cut = [one for one in files if not one.why and one.kept < one.bytes]
    if cut:
        kept, of = sum(one.kept for one in cut), sum(one.bytes for one in cut)
        notes.append(f"of {listed(map(_name, cut))} the last {kept} of {of} bytes are kept")
    truncated = [_name(one) for one in files if one.truncated]
    notes += [f"the run itself kept only the end of {listed(truncated)}"] if truncated else []
    binary = [_name(of_file[name]) for name, log in read.items() if log.binary]
    notes += [f"{listed(binary)}: no text, not shown"] if binary else []
    for moved in sorted({log.moved for log in read.values() if log.moved}):
        hours, minutes = divmod(abs(moved) // (60 * 10**9), 60)
        which = listed([_name(of_file[name]) for name, log in read.items() if log.moved == moved])
        notes.append(
            f"stamps in {which} have no zone; taken as UTC{'+' if moved > 0 else '−'}{hours:02}:{minutes:02}, where the run was"
        )
    return notes


def _name(one: KeptFile) -> str:
    return one_line(one.name.partition("/logs/")[2])
