"""The pages as files that need no server: they work from a file system, from GitHub Pages and as an artifact.

Writes into a folder that is new, empty or an earlier export of ours; what is not in the history any more is taken away.
Refuses, as UsageError, a folder that holds anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Final

from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.errors import UsageError

MARK: Final = ".meshkit-chaos-dashboard"


def export(
    site: Site,
    folder: Path,
    *,
    progress: Callable[[int], None],
    drawn: int | None = None,
    more: Iterable[tuple[str, str | bytes]] = (),
) -> int:
    """Write every page, and ``more`` files by their paths; how many there are.

    ``progress`` is told how many are written; ``drawn``: as for ``Site.every``.
    """
    _refuse_others(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("made by meshkit-chaos dashboard export\n", encoding="utf-8")
    written = {folder / MARK}
    for count, (path, text) in enumerate(chain(site.every(drawn=drawn), more), start=1):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        written.add(file)
        progress(count)
    _remove_others(folder, written)
    return len(written) - 1


def _refuse_others(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UsageError(
            f"{folder} holds something else than an exported dashboard", hint="name a new folder, or an earlier export"
        )


def _remove_others(folder: Path, written: set[Path]) -> None:
    for old in chain(folder.rglob("*.html"), folder.rglob("*.svg"), folder.glob("evidence/**/*.tar.gz")):
        if old not in written:
            old.unlink()
