"""The folder in which members of a deployed environment keep their data: made once, removed by whoever knows its marker.

Takes its path and the environment's marker. Refuses to make one where something is, and to remove one that another made. Either
can be broken off by a kill at any instant; the next removal still knows what is left for what it is, and finishes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import EnvironmentProblem

_MARK_FILE: Final = ".meshkit-chaos-marker"


def make_data(data: Path, marker: str) -> None:
    """Raises EnvironmentProblem where it cannot be made."""
    try:
        data.mkdir(mode=0o700)
        (data / _MARK_FILE).write_text(marker, encoding="ascii")
    except OSError as error:
        raise EnvironmentProblem(f"the data folder {data} cannot be made: {error.strerror}") from error


def make_member_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Make one member's folder with its files, by their paths below it. One that was there before finds all as it left it."""
    if folder.exists():
        return
    folder.mkdir(mode=0o700)
    _write(folder, files)


def renew_member_folder(folder: Path, files: Mapping[str, str], *, keep: str) -> None:
    """Forget all that the member wrote, but for the file named ``keep``: it is as one that never ran. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in list(folder.iterdir()):
        if entry.name != keep:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    _write(folder, files)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def remove_data(data: Path, marker: str) -> tuple[str, ...]:
    """Remove it with all that is in it, its mark last; what is left, in words."""
    mark = data / _MARK_FILE
    try:
        if data.is_symlink() or not _made(data, marker):
            return (f"the data folder {data} does not bear the marker {marker}",)
        for entry in list(data.iterdir()):
            if entry != mark:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        mark.unlink(missing_ok=True)
        data.rmdir()
    except FileNotFoundError:
        return () if not data.exists() else (f"the data folder {data} was changed while it was removed",)
    except OSError as error:
        return (f"the data folder {data} cannot be removed: {error.strerror}",)
    return ()


def _made(data: Path, marker: str) -> bool:
    """Whether it was made under this marker. Where making or removing was killed, at most an empty mark is left."""
    mark = data / _MARK_FILE
    text = mark.read_text(encoding="ascii", errors="replace") if mark.is_file() else ""
    return text == marker or (not text and all(entry == mark for entry in data.iterdir()))
