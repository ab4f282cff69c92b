"""The last line of defence for secrets: events on their way into a journal, and files that a run has written.

What passes here was to be hidden at its source already. An event still loses the value here; a file that holds one is told by
name, so that the run is judged invalid.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from meshkit_chaos.environments.secrets import Redactor
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.blocks import LARGEST
from meshkit_chaos.journal.store import SAMPLES, Hide
from meshkit_chaos.slo.codec import builtins, convert, encode

_PIECE: Final = 8 * 1024 * 1024
_STRUCTURE: Final = frozenset({"kind", "node", "lever", "check"})


def hiding(redactor: Redactor) -> Hide:
    """A journal's ``Hide``. An event that could not be read any more without a value is kept: the scan then tells."""

    def hide(event: ev.AnyEvent) -> ev.AnyEvent:
        if not redactor or not redactor.found_in(encode(event)):
            return event
        try:
            hidden: ev.AnyEvent = convert(_without(builtins(event), redactor), ev.AnyEvent)
        except (msgspec.ValidationError, ValueError):
            return event
        return hidden

    return hide


def _without(value: Any, redactor: Redactor) -> Any:
    match value:
        case str():
            return redactor.text(value)
        case dict():
            return {
                key if key in _STRUCTURE else redactor.text(key): found if key in _STRUCTURE else _without(found, redactor)
                for key, found in value.items()
            }
        case list() | tuple():
            return [_without(found, redactor) for found in value]
    return value


def find_leaks(folder: Path, redactor: Redactor) -> list[ev.SecretLeaked]:
    """Every file below a run's folder that holds a secret's value, also compressed as sample blocks are."""
    if not redactor:
        return []
    return [
        ev.SecretLeaked(secret=name, file=redactor.text(str(path.relative_to(folder))))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
        for name in _in_file(path, redactor)
    ]


def _in_file(path: Path, redactor: Redactor) -> tuple[str, ...]:
    found: set[str] = set()
    for piece in _unpacked(path) if path.parent.name == SAMPLES else _pieces(path, redactor.longest):
        found.update(redactor.found_in(piece))
    return tuple(sorted(found))


def _pieces(path: Path, overlap: int) -> Iterator[bytes]:
    """The file in pieces that overlap by the longest secret, so that none is cut."""
    kept = b""
    with path.open("rb") as file:
        while data := file.read(_PIECE):
            yield kept + data
            kept = (kept + data)[-overlap:]


def _unpacked(path: Path) -> Iterator[bytes]:
    try:
        yield zlib.decompressobj().decompress(path.read_bytes(), LARGEST)
    except zlib.error:
        yield path.read_bytes()
