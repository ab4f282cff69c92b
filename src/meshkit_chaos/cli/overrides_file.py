"""The file of overrides, with one entry more.

Takes an entry; gives it as it was read back. Writers wait for each other, so that none takes another's entry away, and the
entry is on disk when its writer goes on. Refuses an entry that would bring a new problem into the file, and a file that does
not end in a block list.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshkit_chaos.cli.reading import read_document, refused
from meshkit_chaos.errors import UsageError

if TYPE_CHECKING:
    from meshkit_chaos.gate.overrides import Override

_EMPTY = re.compile(r"^overrides:[ \t]*\[[ \t]*\][ \t]*$", re.MULTILINE)


def append(file: Path, entry: dict[str, Any]) -> Override:
    """Write the file with one entry more, if it is then a file without a new problem. Raises DocumentError, UsageError."""
    try:
        with _alone(file.parent) as folder:
            text, added = _with(file, entry)
            _replace(file, text, folder)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}", hint="name a file in a folder that you may write"
        ) from error
    return added


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The folder is locked, and not the file: that one is replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _with(file: Path, entry: dict[str, Any]) -> tuple[str, Override]:
    from meshkit_chaos.gate.load import load_overrides  # noqa: PLC0415  # start-up time

    before = _text(file) if file.exists() else "version: 1\noverrides: []\n"
    text = _EMPTY.sub("overrides:", before).rstrip("\n") + "\n" + _block(entry)
    old = {str(problem.message) for problem in load_overrides(before.encode(), path=str(file)).problems}
    loaded = load_overrides(text.encode(), path=str(file))
    new = tuple(problem for problem in loaded.errors if problem.message not in old)
    if loaded.value is None or new:
        raise refused(new or loaded.errors, {str(file): text.encode()})
    if loaded.value.entries[-1].id != entry["id"]:
        raise UsageError(f"{file} is not written so that an entry can be appended", hint="add it by hand, and lint the file")
    return text, loaded.value.entries[-1]


def _text(file: Path) -> str:
    """What is written back must be what was there, also what other people wrote."""
    try:
        return read_document(file).decode("utf-8")
    except UnicodeDecodeError as error:
        hint = "mend it: the gate cannot read it as it is"
        raise UsageError(
            f"{file} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}", hint=hint
        ) from error


def _replace(file: Path, text: str, folder: int) -> None:
    fresh = file.with_name(f".{file.name}.new")
    with fresh.open("w", encoding="utf-8") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    fresh.replace(file)
    os.fsync(folder)


def _block(entry: dict[str, Any]) -> str:
    """One item of a block list. JSON texts are YAML texts, so nothing that is given can become anything else."""
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "  - " + "\n    ".join(lines) + "\n"
