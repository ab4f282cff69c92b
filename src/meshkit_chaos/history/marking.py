"""Marks: what people say of a run afterwards: it does not count, because …, or it does after all. The newest one holds.

A mark is a small file beside the bundles (``marks/2026/11/<ulid>-<digest>.json``), so it travels with them and survives the
index. Reading refuses, as HistoryProblem, one whose bytes are not those that its name says.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

from meshkit_chaos.clock import iso
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.evidence import digest
from meshkit_chaos.slo.codec import decode, encode

_NAME: Final = re.compile(r"marks/\d{4}/\d{2}/([0-9A-HJKMNP-TV-Z]{26})-([0-9a-f]{16})\.json")
_LARGEST: Final = 64 * 2**10


class Mark(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``mark`` is its own ULID. ``counts``: whether the run counts from now on."""

    mark: str
    run: str
    at: int
    reason: str
    by: str
    counts: bool


def is_mark(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def mark_file(mark: Mark) -> tuple[str, bytes]:
    """Its name and its bytes."""
    data = encode(mark)
    year, month = iso(mark.at)[:7].split("-")
    return f"marks/{year}/{month}/{mark.mark}-{digest(data)[:16]}.json", data


def read_mark(name: str, data: bytes) -> Mark:
    """Raises HistoryProblem."""
    found = _NAME.fullmatch(name)
    if found is None or len(data) > _LARGEST or digest(data)[:16] != found[2]:
        raise HistoryProblem(f"the mark {name[:200]!r} was altered: its digest differs", hint="remove it from where it came")
    try:
        mark = decode(data, Mark)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HistoryProblem(f"the mark {name} cannot be read: {error}", hint="a newer version may have written it") from error
    if mark.mark != found[1] or not mark.reason.strip():
        raise HistoryProblem(f"the mark {name} does not say what its name says, or gives no reason")
    return mark
