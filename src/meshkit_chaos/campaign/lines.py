"""A log of JSON lines: append-only, each line on disk when ``append`` returns, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from meshkit_chaos.errors import JournalUnwritable
from meshkit_chaos.journal.durable import make_folders, sync_folder

_HINT = "free space there or choose another --out"


class Lines:
    """The writer. A new one refuses a file that is there; one that is ``resumed`` goes on behind the last whole line."""

    def __init__(self, path: Path, *, resumed: bool = False) -> None:
        self._path = path
        new = 0 if resumed else os.O_CREAT | os.O_EXCL
        try:
            make_folders(path.parent)
            if resumed:
                _cut_torn(path)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | new, 0o600)
            sync_folder(path.parent)
        except OSError as error:
            raise JournalUnwritable(f"{path} cannot be made: {error.strerror}", hint="choose another --out") from error

    def append(self, line: bytes) -> None:
        """Raises JournalUnwritable; then nothing of the line is left."""
        data = line + b"\n"
        before = os.fstat(self._descriptor).st_size
        try:
            while data:  # a disk that is nearly full takes only a part
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise JournalUnwritable(f"{self._path} cannot be written: {error.strerror}", hint=_HINT) from error

    def close(self) -> None:
        os.close(self._descriptor)


def _cut_torn(path: Path) -> None:
    """Cut off a last line that was not written to its end."""
    whole = path.read_bytes().rpartition(b"\n")
    if whole[2]:
        os.truncate(path, len(whole[0]) + len(whole[1]))
