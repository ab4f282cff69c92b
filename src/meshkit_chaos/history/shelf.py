"""Where bundles, marks and documents are kept: names → bytes, append-only but for pruning. A folder here; S3 and git beside it.

A name is a relative path of plain words. ``add`` never replaces: whoever comes second with a name finds that it is there. A
folder's files appear whole or not at all, and no link in it is followed.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.evidence import digest

LARGEST: Final = 256 * 2**20
"""Bytes in one file of a shelf. Whatever is larger was not put there by this program."""
_NAME: Final = re.compile(r"[a-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*")


class Shelf(Protocol):
    """A place that keeps files. ``where`` is how people are told of it."""

    @property
    def where(self) -> str: ...
    def names(self) -> frozenset[str]: ...
    def read(self, name: str) -> bytes:
        """Raises HistoryProblem where there is none, or it is too large."""
        ...

    def add(self, files: Mapping[str, bytes]) -> int:
        """Put files there that are not yet; how many that were. All are there on return."""
        ...


class Store(Shelf, Protocol):
    """A shelf from which files can be taken away."""

    def remove(self, name: str) -> None: ...


def is_name(name: str) -> bool:
    """Whether a name stays inside the shelf on every kind of it."""
    return len(name) <= 400 and _NAME.fullmatch(name) is not None


def blob_name(data: bytes) -> str:
    """The name of a document by its content."""
    hexed = digest(data)
    return f"sha256/{hexed[:2]}/{hexed[2:]}"


class FolderStore:
    """Files below a folder, which is made with its first file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        return str(self._folder)

    def names(self) -> frozenset[str]:
        return frozenset(self._names())

    def _names(self) -> Iterator[str]:
        for folder, _, files in os.walk(self._folder, onerror=self._unreadable):
            for file in files:
                path = Path(folder) / file
                name = path.relative_to(self._folder).as_posix()
                if is_name(name) and stat.S_ISREG(path.lstat().st_mode):
                    yield name

    def _unreadable(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise self._problem("read", error)

    def read(self, name: str) -> bytes:
        try:
            descriptor = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise HistoryProblem(f"{self._path(name)} is no file", hint="nothing but files belongs there")
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise self._problem("read", error, name) from error
        refuse_large(len(data), f"{self.where}/{name}")
        return data

    def add(self, files: Mapping[str, bytes]) -> int:
        return sum(self._add(name, data) for name, data in sorted(files.items()))

    def _add(self, name: str, data: bytes) -> bool:
        path = self._path(name)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            if path.exists():
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
            _sync(path.parent)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._problem("written", error, name) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return True

    def remove(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._problem("removed", error, name) from error

    def _path(self, name: str) -> Path:
        if not is_name(name):
            raise HistoryProblem(f"{name[:200]!r} is no name of a file in a history")
        path = self._folder / name
        if not path.parent.resolve().is_relative_to(self._folder.resolve()):
            raise HistoryProblem(f"{path.parent} leads out of {self._folder}", hint="a link stands there: remove it")
        return path

    def _problem(self, done: str, error: OSError, name: str = "") -> HistoryProblem:
        return HistoryProblem(
            f"{self._folder / name} cannot be {done}: {error.strerror}", hint="check that it is there, its space and its rights"
        )


def refuse_large(size: int, what: str) -> None:
    """Raises HistoryProblem for more bytes than a file on a shelf may have."""
    if size > LARGEST:
        raise HistoryProblem(f"{what} is larger than {LARGEST} bytes", hint="this program did not write it")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
