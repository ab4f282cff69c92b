"""What was deployed, night after night: digest, kind and size of each executable, and how its size grew. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.wording import minute, short_subject
from meshkit_chaos.history.model import Built


class BuiltRow(Struct, frozen=True, kw_only=True):
    """``change``: against the one before it, in words."""

    when: str
    href: str
    subject: str
    digest: str
    kind: str
    size: str
    change: str


class BinaryBlock(Struct, frozen=True, kw_only=True):
    name: str
    rows: tuple[BuiltRow, ...]


def binaries(built: Sequence[Built], *, here: str) -> tuple[BinaryBlock, ...]:
    """``built``: newest first. Of invocations that deployed the same bytes one after the other, the first is shown."""
    names = dict.fromkeys(one.name for one in built)
    return tuple(BinaryBlock(name=name, rows=_rows([one for one in built if one.name == name], here=here)) for name in names)


def _rows(built: Sequence[Built], *, here: str) -> tuple[BuiltRow, ...]:
    changed = [one for one, older in zip(built, (*built[1:], None), strict=True) if older is None or older.digest != one.digest]
    return tuple(_row(one, older, here=here) for one, older in zip(changed, (*changed[1:], None), strict=True))


def _row(one: Built, older: Built | None, *, here: str) -> BuiltRow:
    return BuiltRow(
        when=minute(one.at),
        href=paths.relative(paths.invocation(one.invocation), here=here),
        subject=short_subject(one.subject),
        digest=one.digest[:16],
        kind=one.kind,
        size=f"{one.size:,} bytes".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        change="" if older is None or not older.size else f"{100 * (one.size - older.size) / older.size:+.1f} %",
    )
