"""What members said, kept beside a bundle: ``logs/2026/11/<invocation>-<digest>.tar.gz`` beside ``runs/2026/11/…``.

No verdict reads logs, so they are no evidence: a file of their own that may go long before the evidence does, and whose want is
never a problem. Only what a journal says was collected (and so had its secrets taken out) is taken, and of that the end:
so many bytes a file, a run and an invocation; how much was left out, and why, is kept with them. A run into whose record a
secret leaked keeps none. What comes from elsewhere is refused, as HistoryProblem, where ``pack_logs`` cannot have written it.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.bundles import BundleName, decompressed, members, parse_name, tar_of
from meshkit_chaos.history.database import Database
from meshkit_chaos.history.evidence import Evidence
from meshkit_chaos.history.shelf import Shelf
from meshkit_chaos.history.writing import bundle_of
from meshkit_chaos.journal.store import JOURNAL
from meshkit_chaos.slo.codec import decode, encode

OF_FILE: Final = 512 * 1024
OF_RUN: Final = 2 * 2**20
OF_INVOCATION: Final = 32 * 2**20
"""Bytes that are kept, before they are compressed; logs become about a tenth."""
_ABOUT: Final = "about.json"
_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_NAME: Final = re.compile(rf"runs/[a-z0-9][a-z0-9-]{{0,63}}/[0-9]{{3,6}}/logs/{_PART}(?:/{_PART}){{1,3}}")
_LONGEST: Final = 190  # bytes of a name that fits into a tar's header wherever its parts end
_LEAK: Final = (b"", "a secret leaked into the record of this run")
_COLLECTED: Final = b'"kind":"log.collected"'
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_LEAKED: Final = b'"kind":"secret.leaked"'


class KeptFile(Struct, frozen=True, kw_only=True):
    """``name``: inside the results folder. ``bytes``: what the run collected; ``kept``: so many of its last bytes are here.

    ``truncated``: the member wrote more than the run collected. ``why``: it is not here at all, and why.
    """

    name: str
    member: str
    bytes: int
    kept: int
    truncated: bool
    why: str = ""


class About(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the logs of an invocation are, and what of them is not here."""

    version: int
    files: tuple[KeptFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """``data``: the end of each file that is kept, by its name."""

    files: tuple[KeptFile, ...]
    data: Mapping[str, bytes]


class _Told(Struct, frozen=True, kw_only=True):
    member: str
    path: str
    bytes: int
    truncated: bool


class _Line(Struct, frozen=True, kw_only=True):
    event: _Told


def logs_name(bundle: str) -> str:
    """Where the logs of a bundle are."""
    return "logs/" + bundle.removeprefix("runs/")


def bundle_of_logs(name: str) -> BundleName | None:
    """The bundle that logs belong to; None where it is not the name of logs."""
    return parse_name("runs/" + name.removeprefix("logs/")) if name.startswith("logs/") else None


def collect_logs(out: Path, evidence: Evidence) -> Logs:
    """The logs in a results folder that its journals tell of. Follows no link; what cannot be read is said."""
    told = {inside: one for name, data in sorted(evidence.items()) for inside, one in _told(name, data)}
    runs = sorted({name.partition("/logs/")[0] for name in told})
    of_run = min(OF_RUN, OF_INVOCATION // max(len(runs), 1))
    files: list[KeptFile] = []
    data: dict[str, bytes] = {}
    for run in runs:
        mine = [(name, one) for name, one in told.items() if name.startswith(f"{run}/logs/")]
        leaked = _LEAKED in evidence[f"{run}/{JOURNAL}"]
        for name, one in mine:
            kept, why = _LEAK if leaked else _read(out, name, told=one, most=min(OF_FILE, of_run // len(mine)))
            files.append(_file(name, one, kept=len(kept), why=why))
            if not why:
                data[name] = kept
    return Logs(files=tuple(files), data=data)


def _file(name: str, told: _Told, *, kept: int, why: str) -> KeptFile:
    return KeptFile(name=name, member=told.member, bytes=told.bytes, kept=kept, truncated=told.truncated, why=why)


def _told(name: str, data: bytes) -> Iterator[tuple[str, _Told]]:
    """What a journal says was collected; what was collected last counts."""
    if not name.endswith(f"/{JOURNAL}"):
        return
    for line in data.splitlines():
        if _COLLECTED not in line:
            continue
        try:
            one = decode(line, _Line).event
        except _UNREADABLE:
            continue  # the record's reader tells of damage
        yield f"{name.removesuffix(f'/{JOURNAL}')}/logs/{one.path.removeprefix('logs/')}", one


def _read(out: Path, name: str, *, told: _Told, most: int) -> tuple[bytes, str]:
    """The last bytes of a file, from the start of a line on; or nothing, and why."""
    if not _is_log(name) or not 0 <= told.bytes < 2**53:
        return b"", "its name or size is none that a history keeps"
    path = out / name
    try:
        if path.parent.resolve() != (out.resolve() / name).parent:
            return b"", "a link stands in its path"
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size != told.bytes:
                return b"", "it is not what the run collected"
            file.seek(max(0, about.st_size - most))
            data = file.read(most)
    except OSError as error:
        return b"", f"it could not be read: {error.strerror}"
    return (data if len(data) == told.bytes else data[data.find(b"\n") + 1 :]), ""


def pack_logs(bundle: str, logs: Logs) -> tuple[str, bytes]:
    """The name and the bytes of the logs beside a bundle. Raises HistoryProblem."""
    files = {_ABOUT: encode(About(version=1, files=logs.files)), **logs.data}
    return logs_name(bundle), gzip.compress(tar_of(files), compresslevel=6, mtime=0)


def unpack_logs(name: str, data: bytes) -> Logs:
    """Raises HistoryProblem where they are not what ``pack_logs`` writes."""
    if bundle_of_logs(name) is None:
        raise HistoryProblem(f"{name[:200]!r} is not the name of logs", hint="such as logs/2026/11/<ULID>-<digest>.tar.gz")
    tar = decompressed(name, data)
    files = members(name, tar, may_hold=_may_hold)
    if tar_of(files) != tar:
        raise HistoryProblem(f"{name} holds more than its files: it was not written by this program", hint=_HINT)
    try:
        about = decode(files.pop(_ABOUT, b""), About)
    except _UNREADABLE as error:
        raise HistoryProblem(f"{name} does not say what it holds: {error}", hint=_HINT) from error
    if about.version != 1 or {one.name: one.kept for one in about.files if not one.why} != {
        inside: len(kept) for inside, kept in files.items()
    }:
        raise HistoryProblem(f"{name} does not hold what it says", hint=_HINT)
    return Logs(files=about.files, data=files)


_HINT: Final = "remove it: no verdict reads logs"


def _may_hold(name: str) -> bool:
    return name == _ABOUT or _is_log(name)


def _is_log(name: str) -> bool:
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def logs_of(database: Database, shelf: Shelf, invocation: str) -> tuple[str, bytes] | None:
    """The name and the bytes of an invocation's logs, unread; None where none are kept."""
    with database.reading() as connection:
        bundle = bundle_of(connection, invocation)
    if bundle is None:
        return None
    name = logs_name(bundle)
    try:
        data = shelf.read(name)
    except HistoryProblem:
        return None  # pruned, or a history from before logs were kept
    return name, data


def read_logs(database: Database, shelf: Shelf, invocation: str) -> Logs | None:
    """What members said; None where nothing is kept. Raises HistoryProblem for altered logs."""
    found = logs_of(database, shelf, invocation)
    return unpack_logs(*found) if found is not None else None
