"""The folder of one environment: what was deployed (all that starts a member again), its lease, its quarantine.

It belongs to one user; what another user could have written is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from meshkit_chaos.errors import EnvironmentBusy, EnvironmentProblem
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.slo.codec import decode, encode_pretty

STATE: Final = "environment.json"
LEASE: Final = "lease"
QUARANTINE: Final = "quarantine.json"
OPEN_RUN: Final = "open-run"
_MARKER: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


class MemberSpec(Struct, frozen=True, kw_only=True):
    """One member, every template filled in. ``folder`` is its data folder; ``values`` fill the templates of its checks.

    ``binary``: which of the environment's binaries it is; its program is then the copy of that. ``client``: it is none of the
    mesh's members, but uses it.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    folder: str
    log: str
    values: dict[str, str]
    metrics: str = ""
    binary: str = ""
    client: bool = False


class EnvironmentState(Struct, frozen=True, kw_only=True):
    """``binaries``: what was copied and verified at deployment, by name."""

    schema: int = 1
    id: str
    marker: str
    owner: int
    boot: str
    data: str
    description: EnvironmentDescription
    members: tuple[MemberSpec, ...]
    binaries: dict[str, BinaryFacts] = {}


class Quarantine(Struct, frozen=True, kw_only=True):
    """Why the environment must not be used until ``recover`` has run; ``run`` is the folder of the run that left it so."""

    run: str
    differences: tuple[str, ...]


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file at once and for good: it is never half there."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while data:  # a disk that is nearly full takes only a part
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def save_state(folder: Path, state: EnvironmentState) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_durably(folder / STATE, encode_pretty(state))


def load_state(folder: Path) -> EnvironmentState | None:
    """None where nothing was ever deployed. Raises EnvironmentProblem for what is not ours or cannot be read."""
    path = folder / STATE
    if not path.exists():
        return None
    _refuse_foreign(folder)
    _refuse_foreign(path)
    try:
        return decode(path.read_bytes(), EnvironmentState)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise EnvironmentProblem(f"{path} cannot be read: {error}") from error


def owned_state(folder: Path) -> EnvironmentState | None:
    """``load_state``, and that it says the same of itself: this user's, with a marker that can be one."""
    state = load_state(folder)
    if state is None:
        return None
    if state.owner != os.getuid():
        raise EnvironmentProblem(f"the environment in {folder} belongs to user {state.owner}")
    if not _MARKER.fullmatch(state.marker):
        raise EnvironmentProblem(f"the environment in {folder} has an impossible marker {state.marker[:40]!r}")
    return state


def _refuse_foreign(path: Path) -> None:
    found = path.lstat()
    if found.st_uid != os.getuid() or stat.S_ISLNK(found.st_mode) or found.st_mode & 0o022:
        raise EnvironmentProblem(
            f"{path} could have been written by somebody else (owner {found.st_uid}, mode {stat.filemode(found.st_mode)})",
            hint="only what this user alone can write is acted upon",
        )


def take_lease(folder: Path, *, holder: str) -> int:
    """Hold the environment: a descriptor whose lock lasts as long as any process has it open. Raises EnvironmentBusy."""
    while True:
        descriptor = _lock(folder)
        if _stands_at(descriptor, folder / LEASE):
            break
        os.close(descriptor)  # `env down` removed it between open and lock: whoever comes next would lock another file
    os.ftruncate(descriptor, 0)
    os.write(descriptor, holder.encode())
    return descriptor


def _lock(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LEASE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        by = os.read(descriptor, 4096).decode(errors="replace").strip()
        os.close(descriptor)
        raise EnvironmentBusy(
            f"environment {folder.name} is held by {by or 'another run'}",
            hint="wait until it has ended; `run` does so with --wait 10m",
        ) from None
    return descriptor


def _stands_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def leased(folder: Path, *, holder: str) -> Iterator[None]:
    """Hold the environment for a while. Raises EnvironmentBusy."""
    descriptor = take_lease(folder, holder=holder)
    try:
        yield
    finally:
        os.close(descriptor)


def quarantine(folder: Path, why: Quarantine) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_durably(folder / QUARANTINE, encode_pretty(why))


def quarantined(folder: Path) -> Quarantine | None:
    path = folder / QUARANTINE
    if not path.exists():
        return None
    try:
        return decode(path.read_bytes(), Quarantine)
    except (OSError, msgspec.MsgspecError, ValueError):
        return Quarantine(run="", differences=(f"{path} cannot be read",))


def lift_quarantine(folder: Path) -> None:
    (folder / QUARANTINE).unlink(missing_ok=True)
