"""The pages as files that need no server: they work from a file system, from GitHub Pages and as an artifact.

Writes into a folder that is new, empty or an earlier export of ours; what is not in the history any more is taken away.
Who reads a page meanwhile sees the old one or the new one, never half of it. Refuses, as UsageError, a folder that holds
anything else, one that another export is writing, one that cannot be written, and one below which a folder is a link: nothing
is written elsewhere.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.errors import UsageError

MARK: Final = ".meshkit-chaos-dashboard"
NEW: Final = ".meshkit-chaos-new"
"""What is being written, until it is whole."""


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
    _make(folder, below=folder)
    with _alone(folder):
        written, folders = {folder / MARK}, {folder}
        for count, (path, text) in enumerate(chain(more, site.every(drawn=drawn)), start=1):
            file = folder / path
            if file.parent not in folders:
                _make(file.parent, below=folder)
                folders.add(file.parent)
            _put(file, text)
            written.add(file)
            progress(count)
        _remove_others(folder, written)
    return len(written) - 1


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder is ours as long as we write: two exports would take each other's pages away. Whoever dies lets go of it.

    The mark in it is locked, not the folder: network file systems lock only what is open for writing.
    """
    mark = folder / MARK
    with _told(mark):
        if mark.is_symlink():
            mark.unlink()
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with _told(mark):
            _lock(descriptor, folder)
            os.pwrite(descriptor, b"made by meshkit-chaos dashboard export\n", 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"another export is writing into {folder}", hint="wait for it, or name another folder") from None


def _make(place: Path, *, below: Path) -> None:
    for one in (place, *place.parents):
        if one == below:
            break
        if one.is_symlink():
            raise UsageError(f"{one} is a link: pages are not written elsewhere", hint="take it away, or name a new folder")
    with _told(place):
        place.mkdir(parents=True, exist_ok=True)


def _put(file: Path, text: str | bytes) -> None:
    """Beside it first: a link of that name is replaced, not followed."""
    new = file.with_name(NEW)
    with _told(file):
        new.unlink(missing_ok=True)
        try:
            new.write_bytes(text.encode() if isinstance(text, str) else text)
            new.replace(file)
        except OSError:
            new.unlink(missing_ok=True)
            raise


@contextmanager
def _told(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "name a new folder that you may write, on a disk that has room"
        raise UsageError(f"{place} cannot be written: {error.strerror}", hint=hint) from error


def _refuse_others(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UsageError(
            f"{folder} holds something else than an exported dashboard", hint="name a new folder, or an earlier export"
        )


def _remove_others(folder: Path, written: set[Path]) -> None:
    bundles = (file for file in folder.rglob("*.tar.gz") if folder / "evidence" in file.parents)
    for old in [*folder.rglob("*.html"), *folder.rglob("*.svg"), *bundles]:
        if old not in written:
            old.unlink()
