"""Files of this machine as facts: opened once, looked at through that one descriptor, and held against what is demanded.

Takes a path, or a descriptor of ours; gives ``BinaryFacts``, or why the file does not do. Raises NotReadable where there is no
such regular file. A file that changes while it is read is damaged, never native.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from meshkit_chaos.errors import ChaosError
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native.beside import runtime_beside
from meshkit_chaos.native.classify import classify
from meshkit_chaos.native.pe import read_pe
from meshkit_chaos.native.source import Malformed, Source
from meshkit_chaos.scenario.environment import Demand

MOST_BYTES: Final = 4 * 1024**3
"""A larger file takes too long to look at, and is no program: a sparse one can claim any size."""
_MOST_BESIDE: Final = 20_000
_ARCHITECTURES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "armv7l": "arm", "i686": "x86", "i386": "x86"}
_SYSTEMS: Final = {"Linux": "linux", "Darwin": "osx", "Windows": "win"}


class NotReadable(ChaosError):
    """A binary that is asked about and is not there, or is no regular file."""

    exit_code = 4
    who = "operator"


class OpenFile:
    """A source that reads through a descriptor, whatever happens to the name meanwhile. The size is that at the beginning."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, count: int) -> bytes:
        return os.pread(self._descriptor, count, offset)


def open_regular(path: Path) -> int:
    """A descriptor of a regular file of a bounded size. A pipe or a device is never waited for. Raises NotReadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotReadable(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
        os.close(descriptor)
        wrong = "no regular file" if not stat.S_ISREG(found.st_mode) else f"{found.st_size} bytes long; no program is"
        raise NotReadable(f"{path} is {wrong}", hint="name the executable itself")
    return descriptor


def verify(path: Path, *, sbom: Path | None = None) -> BinaryFacts:
    """Look at the file, and at what lies beside it. Raises NotReadable."""
    descriptor = open_regular(path)
    try:
        facts = examine(descriptor, path=str(path), beside=beside(path))
    finally:
        os.close(descriptor)
    return msgspec.structs.replace(facts, sbom=digest_of(sbom)) if sbom is not None else facts


def examine(descriptor: int, *, path: str, beside: tuple[str, ...] = ()) -> BinaryFacts:
    """Look at an open file."""
    source = OpenFile(descriptor)
    try:
        return classify(source, path=path, beside=beside)
    except (Malformed, OSError) as error:  # an OSError here: the disk, or a network below it, gave up in the middle
        return BinaryFacts(
            path=path, digest="", size=source.size, format="other", binary_class="damaged", refusals=(str(error),)
        )


def digest_of(path: Path) -> str:
    """The SHA-256 of a whole file. Raises NotReadable."""
    descriptor = open_regular(path)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(path: Path) -> tuple[str, ...]:
    """What lies in the folder of the file itself (symbolic links followed) and shows that it needs a .NET runtime."""
    real = path.resolve()
    try:
        with os.scandir(real.parent) as entries:
            names = [entry.name for _, entry in zip(range(_MOST_BESIDE), entries, strict=False)]
    except OSError:
        return ()
    return runtime_beside(real.name, names, is_assembly=lambda name: _is_assembly(real.parent / name))


def _is_assembly(path: Path) -> bool:
    try:
        descriptor = open_regular(path)
    except NotReadable:
        return False
    try:
        source: Source = OpenFile(descriptor)
        return source.read(0, 2) == b"MZ" and read_pe(source).managed
    except (Malformed, OSError):
        return False
    finally:
        os.close(descriptor)


def host_platform() -> str:
    """The runtime identifier of this machine, such as ``linux-x64``."""
    system = _SYSTEMS.get(platform.system(), platform.system().lower())
    libc = platform.libc_ver()[0]
    musl = "musl-" if system == "linux" and not libc else ""
    return f"{system}-{musl}{_ARCHITECTURES.get(platform.machine().lower(), platform.machine().lower())}"


def objections(facts: BinaryFacts, *, demand: Demand, wanted: str = "", digest: str = "") -> tuple[str, ...]:
    """Why this file may not take the place of a binary that is demanded so; nothing where it may.

    ``wanted``: the runtime identifier; ``digest``: the SHA-256 that it must have. Both are held whatever the demand is.
    """
    return tuple(_objections(facts, demand=demand, wanted=wanted, digest=digest))


def _objections(facts: BinaryFacts, *, demand: Demand, wanted: str, digest: str) -> Iterator[str]:
    if not facts.digest:
        yield "it could not be read to its end"
    if digest and facts.digest != digest:
        yield f"its SHA-256 is {facts.digest or 'unknown'}, expected {digest}"
    if demand == "any":
        return
    accepted = ("native",) if demand == "required" else ("native", "embeds-interpreter")
    if facts.binary_class not in accepted:
        yield from facts.refusals or (f"it is of class {facts.binary_class}",)
        return
    if not facts.executable:
        yield "it is a shared library, not a program"
    if wanted and not any(_fits(found, wanted, static=facts.static) for found in facts.platforms):
        yield f"it is for {', '.join(facts.platforms) or 'no known platform'}, expected {wanted}"


def _fits(found: str, wanted: str, *, static: bool) -> bool:
    """A static program needs no C library of the machine's: it fits both kinds of Linux."""
    return found == wanted or (static and found.replace("-musl", "") == wanted.replace("-musl", ""))
