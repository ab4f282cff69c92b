"""Log lines: their stamps and levels in every form that is known, on the clock of the run; and any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.dashboard.loglines import RunClock, member_log
from meshkit_chaos.dashboard.stamps import read_line

SECOND = 10**9
HOUR = 3600 * SECOND
WALL = 1_795_627_206 * SECOND
"""2026-11-25T17:20:06Z."""
CLOCK = RunClock(started=500 * SECOND, ended=560 * SECOND, wall=WALL - 6 * SECOND)

LINES = {
    "zap with a text": ('{"level":"warn","ts":"2026-11-25T17:20:06.436Z","n":1,"msg":"hello"}', "warning", "hello n=1"),
    "zap with a number": ('{"level":"info","ts":1795627206.436,"msg":"hello"}', "info", "hello"),
    "JSON in ms": ('{"severity":"ERROR","timestamp":1795627206436,"message":"hello","n":[1]}', "error", "hello n=[1]"),
    "Serilog": ('{"@t":"2026-11-25T17:20:06.4360000Z","@mt":"hello","@l":"Warning"}', "warning", "hello"),
    "klog": ("E1125 17:20:06.436000       1 main.go:10] hello", "error", "main.go:10] hello"),
    "Redis": ("20596:M 25 Nov 2026 17:20:06.436 # hello", "warning", "hello"),
    "NATS": ("[123] 2026/11/25 17:20:06.436000 [ERR] hello", "error", "[ERR] hello"),
    "ISO with an offset": ("2026-11-25T18:20:06.436+01:00 hello", "", "hello"),
    "ISO west of Greenwich": ("2026-11-25T12:20:06.436-0500 hello", "", "hello"),
    "Python": ("2026-11-25 17:20:06,436 ERROR hello", "error", "ERROR hello"),
    ".NET console": ("2026-11-25T17:20:06.436Z warn: Category[0] hello", "warning", "warn: Category[0] hello"),
    ".NET, critical": ("[2026-11-25T17:20:06.436Z] crit: Category[0]", "error", "crit: Category[0]"),
    "logfmt": ('time="2026-11-25T17:20:06.436Z" level=warning msg="hello"', "warning", 'level=warning msg="hello"'),
    "an epoch in s": ("1795627206.436 hello", "", "hello"),
    "an epoch in ms": ("1795627206436 hello", "", "hello"),
    "an epoch in µs": ("[1795627206436000] hello", "", "hello"),
    "an epoch in ns": ("1795627206436000000 hello", "", "hello"),
    "in colours": ("\x1b[31m2026-11-25T17:20:06.436Z ERROR\x1b[0m hello", "error", "ERROR hello"),
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_a_known_form_is_read(case: str) -> None:
    """Its instant, its level, and what it says without them."""
    line, level, text = LINES[case]
    told = read_line(line, near=WALL)
    assert told.wall_ns is not None
    assert abs(told.wall_ns - (WALL + 436_000_000)) < 1000
    assert (told.level, told.text) == (level, text)


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "2026-13-45T99:99:99Z hello",
        "0000-00-00 00:00:00 hello",
        "0001-01-01T00:00:00+14:00 x",
        "X9999 17:20:06.436000 1 x",
        "1:M 32 Foo 2026 17:20:06.436 # x",
        "1234567890123456789012 x",
        "12345 members are up",
        '{"ts":true}',
        '{"ts":"soon"}',
        '{"ts":1e308}',
        "[1,2]",
        '{"ts":',
        '{"a":' * 5000,
    ],
)
def test_what_is_no_stamp_is_none(line: str) -> None:
    """A number, a wrong date or half a JSON line is no time."""
    assert read_line(line, near=WALL).wall_ns is None


def test_new_year_lies_between_a_stamp_without_a_year_and_its_run() -> None:
    """A line of December in a run that ended in January is of the year before, and the other way round."""
    january = 1_798_761_610 * SECOND  # 2027-01-01T00:00:10Z
    december = read_line("I1231 23:59:50.000000 1 a.go:1] x", near=january).wall_ns
    assert december == january - 20 * SECOND
    later = read_line("I0101 00:00:10.000000 1 a.go:1] x", near=january - 20 * SECOND).wall_ns
    assert later == january


@given(st.text(max_size=300), st.integers(-(2**62), 2**62))
def test_any_line_is_read(line: str, near: int) -> None:
    """Whatever a member writes, reading it ends, and gives a line."""
    told = read_line(line, near=near)
    assert told.wall_ns is None or isinstance(told.wall_ns, int)


@given(st.integers(1_000_000_000, 4_000_000_000), st.integers(0, 999), st.sampled_from([-12, -3, 0, 1, 5, 14]))
def test_an_instant_comes_back_in_any_zone(second: int, ms: int, zone: int) -> None:
    """What was written with its zone is read as the instant that it was."""
    from datetime import UTC, datetime, timedelta, timezone  # noqa: PLC0415  # only here

    at = datetime.fromtimestamp(second, tz=UTC) + timedelta(milliseconds=ms)
    text = at.astimezone(timezone(timedelta(hours=zone))).isoformat(timespec="milliseconds")
    assert read_line(f"{text} x", near=0).wall_ns == second * SECOND + ms * 10**6


@given(st.binary(max_size=600))
def test_any_bytes_are_a_log(data: bytes) -> None:
    """Every line has a text, and its time or none."""
    log = member_log(data, CLOCK)
    assert log.binary or all(len(line.text) <= 320 for line in log.lines)


def test_lines_are_placed_on_the_clock_of_the_run() -> None:
    """Six seconds of wall time after the run began is six seconds after its first event."""
    log = member_log(b"2026-11-25T17:20:06Z up\n", CLOCK)
    assert [line.at for line in log.lines] == [506 * SECOND]


def test_a_line_without_a_stamp_belongs_to_the_one_before() -> None:
    """A trace of several lines stays together; what comes before any stamp is not placed."""
    log = member_log(b"banner\n2026-11-25T17:20:06Z ERROR broke\n  at a.go:1\n  at b.go:2\n", CLOCK)
    assert [(line.at, line.text) for line in log.lines] == [
        (None, "banner"),
        (506 * SECOND, "ERROR broke\n  at a.go:1\n  at b.go:2"),
    ]


@pytest.mark.parametrize("hours", [-11, -5, 0, 1, 5.75, 14])
def test_stamps_without_a_zone_are_put_where_the_run_was(hours: float) -> None:
    """Local time of whatever zone; how far it was moved is told."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415  # only here

    at = datetime.fromtimestamp(WALL // SECOND, tz=UTC) + timedelta(hours=hours)
    log = member_log(f"7:M {at.day} {at:%b} {at.year} {at:%H:%M:%S}.000 * up\n".encode(), CLOCK)
    assert [line.at for line in log.lines] == [506 * SECOND]
    assert log.moved == hours * HOUR


def test_stamps_of_another_day_are_not_moved() -> None:
    """Where no zone brings them into the run, they are told as they stand."""
    log = member_log(b"7:M 01 Nov 2026 17:20:06.000 * up\n", CLOCK)
    assert log.moved == 0


def test_what_is_no_text_is_not_shown() -> None:
    """A core dump in place of a log is not read as lines."""
    assert member_log(b"\x7fELF" + b"\0" * 5000, CLOCK).binary
