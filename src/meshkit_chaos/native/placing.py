"""A binary is copied, the copy is looked at, and exactly that copy is run.

Takes a built binary; gives facts about *its copy* in a folder that only we write. Refuses, with EnvironmentProblem, a copy that
is not what is demanded. What is run later is opened and hashed first, and then executed through that same descriptor: a file
that was put in its place is never run.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from msgspec import structs

from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native.verify import NotReadable, beside, examine, objections, open_regular
from meshkit_chaos.native.verify import digest_of as sbom_digest
from meshkit_chaos.scenario.environment import Demand

FOLDER: Final = ".binaries"
"""In an environment's data folder. No member can have a name that starts with a dot."""
_CHUNK: Final = 1 << 20


def placed_at(data: str, name: str) -> Path:
    """Where the copy of a binary lies."""
    return Path(data) / FOLDER / name


def place(
    built: Path, copy: Path, *, name: str, demand: Demand, wanted: str, digest: str = "", sbom: Path | None = None
) -> BinaryFacts:
    """Copy it and look at the copy. What lies beside the original counts: a host without its .dll is no other program.

    Raises EnvironmentProblem; then there is no copy.
    """
    try:
        bill = sbom_digest(sbom) if sbom is not None else ""
        told = beside(built)
        _copy(built, copy, name)
        descriptor = open_regular(copy)
        try:
            facts = examine(descriptor, path=str(built), beside=told)
        finally:
            os.close(descriptor)
    except NotReadable as error:
        raise EnvironmentProblem(f"binary {name}: {error.message}", hint="build it: meshkit-chaos native build") from error
    against = objections(facts, demand=demand, wanted=wanted, digest=digest)
    if against:
        copy.unlink()
        raise EnvironmentProblem(
            f"binary {name} is not run: {'; '.join(against)} ({built})",
            hint="build it again and name what was built" if digest and facts.digest != digest else "see `native verify`",
        )
    return structs.replace(facts, sbom=bill)


def _copy(built: Path, copy: Path, name: str) -> None:
    """Through one descriptor each; the copy is new, and nobody may write to it."""
    source = open_regular(built)
    try:
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o500)
        try:
            while chunk := os.read(source, _CHUNK):
                while chunk:
                    chunk = chunk[os.write(target, chunk) :]
        finally:
            os.close(target)
    except OSError as error:
        raise EnvironmentProblem(f"binary {name} cannot be copied to {copy}: {error.strerror}") from error
    finally:
        os.close(source)


def open_placed(copy: Path, facts: BinaryFacts, *, name: str) -> int:
    """A descriptor of the copy, if it is still what was looked at. To be executed through. Raises EnvironmentProblem."""
    try:
        descriptor = os.open(copy, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise EnvironmentProblem(f"binary {name} is not run: its copy {copy} cannot be opened: {error.strerror}") from error
    with os.fdopen(os.dup(descriptor), "rb") as file:
        now = hashlib.file_digest(file, "sha256").hexdigest()
    if now != facts.digest:
        os.close(descriptor)
        raise EnvironmentProblem(
            f"binary {name} is not run: {copy} was changed after it was verified (SHA-256 {now}, expected {facts.digest})",
            hint="nothing but this tool writes there: find out what did",
        )
    return descriptor
