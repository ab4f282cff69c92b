"""What was deployed, night after night: digest, kind and size of each executable, and how its size went. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.sizes import JUMP, change, readable, said, sizes
from meshkit_chaos.dashboard.wording import day, minute, short_build, short_subject
from meshkit_chaos.history.model import Built
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import one_line


class BuiltRow(Struct, frozen=True, kw_only=True):
    """``change``: against the one before it, in words; ``jump``: it is a large one."""

    when: str
    href: str
    subject: str
    digest: str
    kind: str
    size: str
    change: str
    jump: bool = False

    @property
    def search(self) -> str:
        """What a filter looks in."""
        jump = "jump" if self.jump else ""
        return " ".join((self.when, self.subject, self.digest, self.kind, self.change, jump)).lower()


class BinaryBlock(Struct, frozen=True, kw_only=True):
    """``number``: where it stands on the page, for what must have a name of its own there."""

    number: int
    name: str
    sentence: str
    drawing: Markup
    rows: tuple[BuiltRow, ...]


def binaries(built: Sequence[Built], *, here: str) -> tuple[BinaryBlock, ...]:
    """``built``: newest first. Of invocations that deployed the same bytes one after the other, the first is shown."""
    names = dict.fromkeys(one.name for one in built)
    return tuple(
        _block(number, name, [one for one in built if one.name == name], here=here) for number, name in enumerate(names, 1)
    )


def _block(number: int, name: str, built: Sequence[Built], *, here: str) -> BinaryBlock:
    changed = [one for one, older in zip(built, (*built[1:], None), strict=True) if older is None or older.digest != one.digest]
    href = {one.invocation: paths.relative(paths.invocation(one.invocation), here=here) for one in built}
    shown = one_line(name) or "(unnamed)"
    return BinaryBlock(
        number=number,
        name=shown,
        sentence=_sentence(changed),
        drawing=sizes(built[::-1], name=shown, href=href),
        rows=tuple(_row(one, older, href[one.invocation]) for one, older in zip(changed, (*changed[1:], None), strict=True)),
    )


def _sentence(changed: Sequence[Built]) -> str:
    told = f"{readable(changed[0].size)} now, {counted(len(changed), 'digest')} since {day(changed[-1].at)}"
    share, one = max(
        ((change(one, older), one) for one, older in zip(changed, (*changed[1:], None), strict=True)),
        key=lambda pair: abs(pair[0]),
    )
    if abs(share) < JUMP:
        return f"{told}; no build changed its size by {100 * JUMP:.0f} % or more"
    return f"{told}; the largest jump is {said(share)}, in {one_line(short_build(one.subject))} on {day(one.at)}"


def _row(one: Built, older: Built | None, href: str) -> BuiltRow:
    share = change(one, older)
    return BuiltRow(
        when=minute(one.at),
        href=href,
        subject=" ".join(dict.fromkeys((short_subject(one.subject), short_build(one.subject)))),
        digest=one.digest[:16],
        kind=one.kind,
        size=f"{one.size:,} bytes".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        change="" if older is None or not older.size else said(share),
        jump=abs(share) >= JUMP,
    )
