"""Time stamps and levels at the start of log lines, in the forms that members write. Pure.

Takes one line; gives the instant in ns of wall time, whether its zone was written, its level, and what the line says besides.
Knows RFC 3339 and its like (also behind a process id, in brackets, as ``time=`` or ``ts=``), JSON lines (zap, zerolog, Serilog,
logrus), klog, Redis, NATS, epochs in s, ms, µs and ns, and the .NET console's levels. What it does not know is None, never a
guess. A line comes from a member, so it may be anything: no input takes long or breaks it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

Level = Literal["error", "warning", "info", "debug", ""]

_LONGEST: Final = 16_384
_SECOND: Final = 10**9
_MONTHS: Final = {
    name: number
    for number, name in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1)
}
_CLOCK: Final = r"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)(?:[.,](?P<f>\d{1,9})\d*)?"
_ZONE: Final = r"(?: ?(?P<z>Z|UTC|[+-]\d\d:?\d\d)\b)?"
_ISO: Final = re.compile(
    rf"(?:\[\d{{1,10}}\] )?(?:(?:time|ts|t|timestamp)=)?[\"\[]?"
    rf"(?P<Y>\d{{4}})([-/])(?P<M>\d\d)\2(?P<D>\d\d)[T ]{_CLOCK}{_ZONE}[\"\]]?",
    re.ASCII,
)
_REDIS: Final = re.compile(
    rf"\d{{1,10}}:[A-Z] (?P<D>\d\d?) (?P<M>[A-Z][a-z]{{2}}) (?P<Y>\d{{4}}) {_CLOCK} (?P<l>[.*#-]) ", re.ASCII
)
_KLOG: Final = re.compile(rf"(?P<l>[IWEF])(?P<M>\d\d)(?P<D>\d\d) {_CLOCK}\s+\d+ ", re.ASCII)
_EPOCH: Final = re.compile(r"\[?(?P<e>\d{19}|\d{16}|\d{13}|\d{10}(?:\.\d{1,9})?)(?:\]|\s)", re.ASCII)
_WORD: Final = re.compile(
    r"(?:^|[\s\[<(=\"|])(?P<w>trace|debug|info|notice|warn|warning|error|err|fatal|panic|critical|crit|fail|trce|dbug|wrn|inf|dbg"
    r"|ftl|severe|emerg|alert)(?:[\s\]>):\"|,]|$)",
    re.IGNORECASE,
)
_LEVELS: Final[Mapping[str, Level]] = {
    **dict.fromkeys(
        ("error", "err", "fatal", "panic", "dpanic", "critical", "crit", "fail", "ftl", "severe", "emerg", "alert", "e", "f"),
        "error",
    ),
    **dict.fromkeys(("warn", "warning", "wrn", "w", "#"), "warning"),
    **dict.fromkeys(("info", "information", "notice", "inf", "i", "*"), "info"),
    **dict.fromkeys(("debug", "trace", "verbose", "trce", "dbug", "dbg", ".", "-"), "debug"),
}
_STAMP_KEYS: Final = ("ts", "time", "timestamp", "@timestamp", "@t", "Timestamp", "t", "date")
_LEVEL_KEYS: Final = ("level", "lvl", "severity", "LogLevel", "@l", "Level", "loglevel")
_TEXT_KEYS: Final = ("msg", "message", "Message", "@m", "@mt", "event")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]{0,20}m")
_NEAR_START: Final = 60  # a level stands within so many characters behind the stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """``wall_ns``: None where the line has no stamp. ``zoned``: its zone was written; without one it is told as if in UTC."""

    wall_ns: int | None
    zoned: bool
    level: Level
    text: str


def read_line(line: str, *, near: int) -> Stamped:
    """``near``: wall time in ns at which it was about written, for stamps without a year."""
    plain = _ANSI.sub("", line[:_LONGEST])
    if plain.startswith("{"):
        told = _json(plain)
        if told is not None:
            return told
    return _text(plain, near=near)


def _text(line: str, *, near: int) -> Stamped:
    for form in (_ISO, _REDIS, _KLOG):
        found = form.match(line)
        wall = _wall(found.groupdict(), near=near) if found is not None else None
        if found is not None and wall is not None:
            rest = line[found.end() :].strip()
            said = found.groupdict().get("l")
            return Stamped(
                wall_ns=wall,
                zoned=bool(found.groupdict().get("z")),
                level=_LEVELS[said.lower()] if said else _level(rest),
                text=rest,
            )
    epoch = _EPOCH.match(line)
    wall = _of_epoch(epoch["e"]) if epoch is not None else None
    if epoch is not None and wall is not None:
        rest = line[epoch.end() :].strip()
        return Stamped(wall_ns=wall, zoned=True, level=_level(rest), text=rest)
    return Stamped(wall_ns=None, zoned=False, level=_level(line), text=line.rstrip())


def _level(rest: str) -> Level:
    found = _WORD.search(rest[:_NEAR_START])
    return _LEVELS.get(found["w"].lower(), "") if found is not None else ""


def _wall(parts: Mapping[str, str | None], *, near: int) -> int | None:
    year = parts.get("Y")
    month = parts["M"] or ""
    try:
        at = datetime(
            int(year) if year else _year(near),
            _MONTHS[month] if month.isalpha() else int(month),
            int(parts["D"] or 0),
            int(parts["h"] or 0),
            int(parts["m"] or 0),
            min(int(parts["s"] or 0), 59),  # a leap second
            tzinfo=UTC,
        )
        whole = (at - _zone(parts.get("z")) - _EPOCH_START) // timedelta(seconds=1)
    except (ValueError, KeyError, OverflowError):
        return None
    wall = whole * _SECOND + int((parts.get("f") or "0").ljust(9, "0"))
    return wall if year else _right_year(wall, near=near)


_EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR: Final = 366 * 86_400 * _SECOND


def _year(near: int) -> int:
    return (_EPOCH_START + timedelta(seconds=min(max(near // _SECOND, 0), 10**11))).year


def _right_year(wall: int, *, near: int) -> int:
    """A stamp without a year that was written on the other side of New Year."""
    if abs(wall - near) <= _YEAR // 2:
        return wall
    return wall + (365 * 86_400 * _SECOND if wall < near else -365 * 86_400 * _SECOND)


def _zone(text: str | None) -> timedelta:
    if not text or text in ("Z", "UTC"):
        return timedelta()
    size = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return -size if text[0] == "-" else size


def _of_epoch(digits: str) -> int | None:
    """Seconds, ms, µs or ns by their number of digits; None before 2001 and after 2100: that is another number."""
    whole, _, part = digits.partition(".")
    wall = int(whole) * 10 ** (19 - len(whole)) + int(part.ljust(9, "0") if part else 0)
    return wall if _SECOND * 10**9 <= wall < 4_102_444_800 * _SECOND else None


def _json(line: str) -> Stamped | None:
    try:
        told = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if not isinstance(told, dict):
        return None
    stamp = next((told[key] for key in _STAMP_KEYS if key in told), None)
    level = next((str(told[key]) for key in _LEVEL_KEYS if key in told), "")
    said = next((key for key in _TEXT_KEYS if isinstance(told.get(key), str)), "")
    besides = {key: value for key, value in told.items() if key not in (*_STAMP_KEYS, *_LEVEL_KEYS, said)}
    text = " ".join([*([told[said]] if said else []), *(f"{key}={_short(value)}" for key, value in besides.items())])
    return replace(_of_value(stamp), level=_LEVELS.get(level.lower(), ""), text=text)


def _of_value(stamp: object) -> Stamped:
    wall: int | None = None
    zoned = True
    if isinstance(stamp, int | float) and not isinstance(stamp, bool) and 10**9 <= stamp < 10**19:
        digits = f"{stamp:.9f}" if isinstance(stamp, float) else str(stamp)
        wall = _of_epoch(digits if len(digits.partition(".")[0]) == 10 else digits.partition(".")[0])
    elif isinstance(stamp, str):
        found = _text(stamp[:64] + " ", near=0)
        wall, zoned = found.wall_ns, found.zoned
    return Stamped(wall_ns=wall, zoned=zoned, level="", text="")


def _short(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
