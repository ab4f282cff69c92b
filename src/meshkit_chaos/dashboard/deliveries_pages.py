"""The pages of deliveries: the first, with what needs somebody, and the parts behind it.

Each takes what there is and its own path, and gives its text; None: no such part. The same for the server and for the export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.deliveries import deliveries
from meshkit_chaos.dashboard.sources import Sources

KEPT: Final = 1500
"""So many of the newest stand on pages, and behind them what is not settled, however old."""


def deliveries_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    text = _text(sources, here, 1)
    assert text is not None, "there is always a first part"
    return text


def deliveries_part_text(sources: Sources, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
    """A page of the folder ``deliveries``; the first part is not there."""
    del parameters
    part = paths.part_of_deliveries(name)
    return None if part is None else _text(sources, here, part)


def every_other(sources: Sources) -> Iterator[tuple[str, str]]:
    """The path and the text of every part but the first."""
    part = 2
    while (text := _text(sources, path := paths.deliveries(part), part)) is not None:
        yield path, text
        part += 1


def _text(sources: Sources, here: str, part: int) -> str | None:
    told = sources.told(KEPT)
    made = deliveries(told, part=part)
    if part > made.parts:
        return None
    several = range(1, made.parts + 1) if made.parts > 1 else ()
    return sources.page(
        "deliveries.html.j2",
        here=here,
        title="Deliveries" if part == 1 else f"Deliveries, part {part}",
        deliveries=made,
        part=part,
        served=sources.settings.served,
        search=paths.relative(paths.SEARCH, here=here),
        numbered=[(number, paths.relative(paths.deliveries(number), here=here)) for number in several],
        kept=KEPT if len(told) >= KEPT and part == made.parts else None,
    )
