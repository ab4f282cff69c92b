"""Reads the Prometheus text format, of which only the wanted metrics.

Takes a page as bytes and the wanted metric names; gives their samples, and problems in plain sentences. Tolerates what
OpenMetrics adds (``# EOF``, exemplars, ``_created``). Timestamps are read and ignored: a sample's instant is its round's
tick. Never raises; a page with a problem is not evidence, and it is the caller who says so. Lines of other metrics are not
looked at, so garbage among them is not seen: that is what makes a page of 1,250 lines cost a fraction of a millisecond.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from meshkit_chaos.journal.recorder import Sample
from meshkit_chaos.promql.series import Labels

LARGEST_PAGE: Final = 20 * 2**20
MOST_SAMPLES: Final = 200_000
_MOST_PROBLEMS: Final = 20
_NAME: Final = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(rb'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,?)')
_CLOSE: Final = re.compile(rb"[ \t]*\}")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = {"n": "\n", "\\": "\\", '"': '"'}
_EOF: Final = b"# EOF"


class Wanted:
    """Which metric names are kept; ``None`` keeps all of them."""

    __slots__ = ("_names", "_prefixes")

    def __init__(self, names: frozenset[str] | None) -> None:
        self._names = None if names is None else frozenset(name.encode() for name in names)
        self._prefixes = tuple(sorted(self._names or ()))

    def candidates(self, lines: list[bytes]) -> list[bytes]:
        """The lines that may be of wanted metrics: a cheap look at how each begins."""
        if self._names is None:
            return [line for line in lines if line.strip() and not line.startswith(b"#")]
        prefixes = self._prefixes
        return [line for line in lines if line.startswith(prefixes)]

    def has(self, name: bytes) -> bool:
        return self._names is None or name in self._names


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """``samples`` are complete only where there are no ``problems``."""

    samples: list[Sample]
    problems: tuple[str, ...] = ()


def parse(data: bytes, wanted: Wanted, *, openmetrics: bool = False) -> Parsed:
    """Read a page. ``openmetrics``: the target said so, hence the page must end with ``# EOF``."""
    if refused := _refused(data, openmetrics=openmetrics):
        return Parsed(samples=[], problems=(refused,))
    found: dict[Labels, float] = {}
    problems: list[str] = []
    for line in wanted.candidates(data.split(b"\n")):
        try:
            sample = _read(line, wanted)
        except _Garbage as wrong:
            problems.append(f"{wrong}: {_quoted(line)}")
        else:
            if sample is None:
                continue
            if sample[0] in found:
                problems.append(f"the series is there twice: {_quoted(line)}")
            found.setdefault(*sample)
        if len(found) > MOST_SAMPLES:
            return Parsed(samples=[], problems=(f"the page has more than {MOST_SAMPLES} wanted samples",))
        if len(problems) >= _MOST_PROBLEMS:
            break
    return Parsed(samples=list(found.items()), problems=tuple(problems))


class _Garbage(Exception):
    """A line that is not in the format; the text says how."""


def _refused(data: bytes, *, openmetrics: bool) -> str | None:
    """What makes the page as a whole unusable."""
    if len(data) > LARGEST_PAGE:
        return f"the page has {len(data)} bytes; at most {LARGEST_PAGE} are read"
    if data[:256].lstrip().startswith(b"<"):
        return f"the page is HTML or XML, not Prometheus text: {_quoted(data)}"
    whole = data.rstrip().endswith(_EOF)
    if openmetrics and not whole:
        return "the page says it is OpenMetrics and does not end with '# EOF': it was cut short"
    if data and not whole and not data.endswith(b"\n"):
        # The format demands it, and without it a value cut in the middle ("12" of "123") would pass for a value.
        return f"the page does not end with a line feed, so it may be cut short: …{_quoted(data[-60:])}"
    return None


def _read(line: bytes, wanted: Wanted) -> Sample | None:
    """One sample line; None where its metric is not wanted."""
    name = _NAME.match(line)
    if name is None:
        raise _Garbage("the line does not begin with a metric name")
    if not wanted.has(name[0]):
        return None
    if b"#" in line:
        end = _head_end(line, name.end())
        rest = line[end:].split(b"#", 1)[0]
    else:
        # Without a '#' there is no exemplar, so the last brace closes the labels, whatever their values hold.
        end = line.rfind(b"}") + 1 or name.end()
        rest = line[end:]
    if end == name.end() and rest[:1] not in (b" ", b"\t"):
        raise _Garbage("expected a blank between name and value")
    return _labels(line[:end]), _value(rest)


def _head_end(line: bytes, position: int) -> int:
    """Where name and labels end, by reading the labels."""
    while position < len(line) and line[position : position + 1] in (b" ", b"\t"):
        position += 1
    if line[position : position + 1] != b"{":
        return position
    position += 1
    while pair := _LABEL.match(line, position):
        position = pair.end()
    if not (close := _CLOSE.match(line, position)):
        raise _Garbage("the labels are not in the format")
    return close.end()


@lru_cache(maxsize=65_536)
def _labels(head: bytes) -> Labels:
    """Name and labels. Remembered, because a target repeats them word for word in every round."""
    name = _NAME.match(head)
    assert name is not None
    if _head_end(head, name.end()) != len(head):
        raise _Garbage("the labels are not in the format")
    labels = {"__name__": name[0].decode("ascii")}
    comma = True
    for pair in _LABEL.finditer(head, head.find(b"{") + 1) if b"{" in head else ():
        key = pair[1].decode("ascii")
        if key in labels:
            raise _Garbage(f"the label {key!r} is there twice")
        if not comma:
            raise _Garbage("a comma is missing between labels")
        comma = bool(pair[3])
        labels[key] = _text(pair[2])
    # To PromQL an empty label is an absent one.
    return tuple(sorted((key, value) for key, value in labels.items() if value))


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _Garbage("a label value is not UTF-8") from None
    return _ESCAPE.sub(lambda found: _PLAIN.get(found[1], found[0]), text) if "\\" in text else text


def _value(rest: bytes) -> float:
    """The value, and a timestamp behind it that only has to be a number."""
    parts = rest.split()
    if len(parts) not in (1, 2):
        raise _Garbage("expected a value and perhaps a timestamp behind the labels")
    value, *_ = [_number(part) for part in parts]
    return value


def _number(text: bytes) -> float:
    """As Go reads it. Python's float would also take '1_000'."""
    try:
        return float(text.replace(b"_", b"?"))
    except ValueError:
        raise _Garbage(f"{_quoted(text)} is not a number") from None


def _quoted(raw: bytes) -> str:
    """What was there, short and printable."""
    return repr(raw[:80].decode("utf-8", errors="replace")) + ("…" if len(raw) > 80 else "")
