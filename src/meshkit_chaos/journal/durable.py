"""What must survive a power failure: folders that are made, and small files that are replaced. Raises OSError.

A file that was synced is lost all the same while the folder that names it is not on disk, or the one that names that folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

_CANNOT_BE_SYNCED: Final = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}
"""A file system that knows no sync of folders, or a folder that may be written and not read: nothing more can be done there."""


def make_folders(folder: Path, *, mode: int = 0o777) -> None:
    """Make a folder and whatever is missing above it, each on disk on return. ``mode`` is of the last one."""
    missing = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    for made in missing:
        sync_folder(made.absolute().parent)


def sync_folder(folder: Path) -> None:
    """Put on disk what a folder names."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_BE_SYNCED:
            raise


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file at once and for good: it is never half there."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while data:  # a disk that is nearly full takes only a part
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)
