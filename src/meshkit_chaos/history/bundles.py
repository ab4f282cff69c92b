"""Bundles: the evidence of one invocation in one file, the same bytes inside for the same evidence on every machine.

A bundle is ``runs/2026/11/<invocation>-<digest>.tar.gz``; the digest is of the tar inside, so it does not depend on who
compressed it. Bundles come from elsewhere: reading refuses, as HistoryProblem, whatever ``pack`` cannot have written
(another name, a link, a path, a second copy, a bomb), before anything of it reaches a disk.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshkit_chaos.clock import iso
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.evidence import LOG, Evidence, digest, is_evidence

LARGEST: Final = 128 * 2**20
"""Bytes of evidence in one invocation. A nightly of twenty scenarios has a few MB."""
MOST_FILES: Final = 100_000
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID: Final = r"[0-9A-HJKMNP-TV-Z]{26}"
_NAME: Final = re.compile(rf"runs/[0-9]{{4}}/[0-9]{{2}}/({_ULID})-([0-9a-f]{{16}})\.tar\.gz")
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleName:
    """What the name of a bundle says of it."""

    name: str
    invocation: str
    digest: str

    @property
    def began(self) -> int:
        """When the invocation began, in ms of wall time: the first 48 bits of its ULID."""
        ms = 0
        for letter in self.invocation[:10]:
            ms = ms << 5 | _CROCKFORD.index(letter)
        return ms


def parse_name(name: str) -> BundleName | None:
    """None where it is not the name of a bundle."""
    found = _NAME.fullmatch(name)
    return BundleName(name=name, invocation=found[1], digest=found[2]) if found else None


def is_ulid(text: str) -> bool:
    """Whether it can be the identity of an invocation or a run."""
    return re.fullmatch(_ULID, text) is not None


def collect(out: Path) -> dict[str, bytes]:
    """The evidence in a results folder; what else is there is left out, and no link is followed. Raises HistoryProblem."""
    evidence: dict[str, bytes] = {}
    total = 0
    for name, path in _regular_files(out):
        if is_evidence(name):
            try:
                evidence[name] = path.read_bytes()
            except OSError as error:
                raise HistoryProblem(f"{path} cannot be read: {error.strerror}", hint="check who may read it") from error
            total += len(evidence[name])
            _refuse_large(total, len(evidence), str(out))
    return evidence


def _regular_files(out: Path) -> Iterator[tuple[str, Path]]:
    for pattern in (LOG, "runs/*/*/*", "runs/*/*/*/*"):
        for path in sorted(out.glob(pattern)):
            inside = path.relative_to(out)
            linked = any((out / part).is_symlink() for part in (inside, *inside.parents) if part.parts)
            if path.is_file() and not linked:
                yield inside.as_posix(), path


def pack(evidence: Evidence, *, invocation: str, wall_ns: int) -> tuple[str, bytes]:
    """The name and the bytes of a bundle."""
    tar = tar_of(evidence)
    year, month = iso(wall_ns)[:7].split("-")
    return f"runs/{year}/{month}/{invocation}-{digest(tar)[:16]}.tar.gz", gzip.compress(tar, compresslevel=6, mtime=0)


def unpack(name: str, data: bytes) -> dict[str, bytes]:
    """The evidence in a bundle. Raises HistoryProblem where it is not exactly what its name says."""
    told = parse_name(name)
    if told is None:
        raise HistoryProblem(f"{name[:200]!r} is not the name of a bundle", hint="such as runs/2026/11/<ULID>-<digest>.tar.gz")
    tar = decompressed(name, data)
    if digest(tar)[:16] != told.digest:
        raise HistoryProblem(f"the bundle {name} was altered: its digest is {digest(tar)[:16]}", hint=_HINT)
    evidence = members(name, tar)
    if tar_of(evidence) != tar:
        raise HistoryProblem(f"the bundle {name} holds more than its files: it was not written by this program", hint=_HINT)
    return evidence


_HINT: Final = "remove it from where it came, or copy it there again; all other bundles can be used"


def tar_of(evidence: Evidence) -> bytes:
    """The same bytes for the same files, whoever writes them. Raises HistoryProblem for a name that is too long."""
    buffer = io.BytesIO()
    try:
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name in sorted(evidence):
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(evidence[name]), 0o600
                tar.addfile(member, io.BytesIO(evidence[name]))
    except ValueError as error:
        raise HistoryProblem(f"a name does not fit into a bundle: {error}", hint="shorten the id of the scenario") from error
    return buffer.getvalue()


def decompressed(name: str, data: bytes) -> bytes:
    """Decompress no more than the limit, whatever the bytes say."""
    unpacker, rest, out = zlib.decompressobj(wbits=31), data, io.BytesIO()
    try:
        while rest and not unpacker.eof:
            out.write(unpacker.decompress(rest, _CHUNK))
            rest = unpacker.unconsumed_tail
            _refuse_large(out.tell() - MOST_FILES * tarfile.BLOCKSIZE, 0, f"the bundle {name}")
    except zlib.error as error:
        raise HistoryProblem(f"the bundle {name} cannot be unpacked: {error}", hint=_HINT) from error
    if not unpacker.eof or unpacker.unused_data:
        raise HistoryProblem(f"the bundle {name} is cut short or has bytes behind its end", hint=_HINT)
    return out.getvalue()


def members(name: str, tar: bytes, *, may_hold: Callable[[str], bool] = is_evidence) -> dict[str, bytes]:
    """The files in a tar: regular ones of names that it may hold, each once. Raises HistoryProblem for anything else."""
    evidence: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as opened:
            for member in opened:
                if member.type != tarfile.REGTYPE or not may_hold(member.name) or member.name in evidence:
                    raise HistoryProblem(f"the bundle {name} holds {member.name[:200]!r}, which no bundle holds", hint=_HINT)
                file = opened.extractfile(member)
                assert file is not None, "a regular file has content"
                evidence[member.name] = file.read()
                _refuse_large(0, len(evidence), f"the bundle {name}")
    except (tarfile.TarError, ValueError, EOFError, OverflowError, UnicodeError) as error:
        raise HistoryProblem(f"the bundle {name} is no archive: {error}", hint=_HINT) from error
    return evidence


def _refuse_large(size: int, files: int, what: str) -> None:
    if size > LARGEST or files > MOST_FILES:
        raise HistoryProblem(f"{what} holds more than {LARGEST} bytes or {MOST_FILES} files of evidence", hint=_HINT)


def spread(evidence: Evidence, folder: Path) -> None:
    """Write evidence into an empty folder of our own, where it can be read like any results folder."""
    for name, data in evidence.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
