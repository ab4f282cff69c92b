"""The folder of one environment: what was deployed (all that starts a member again), its lease, its quarantine.

It belongs to one user; what another user could have written is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from meshkit_chaos.errors import CannotRun, EnvironmentBusy, EnvironmentProblem
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.journal.durable import make_folders, write_durably
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.slo.codec import decode, encode_pretty

STATE: Final = "environment.json"
LEASE: Final = "lease"
QUARANTINE: Final = "quarantine.json"
OPEN_RUN: Final = "open-run"
T = TypeVar("T", bound=Struct)
_MARKER: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


class MemberSpec(Struct, frozen=True, kw_only=True):
    """One member, every template filled in. ``folder`` is its data folder; ``values`` fill the templates of its checks.

    ``files``: what is written there before its first start, by path below it, secrets not filled in.
    ``binary``: which of the environment's binaries it is; its program is then the copy of that. ``client``: it is none of the
    mesh's members, but uses it. ``joining``: environment variables besides, when it joins a mesh that is there.
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
    files: dict[str, str] = {}
    joining: dict[str, str] = {}


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
    """Why the environment must not be used until ``recover`` has run.

    ``run`` is the folder of the run that left it so, as it was then; ``id`` its ULID, by which it is known wherever it lies.
    """

    run: str
    differences: tuple[str, ...]
    id: str = ""


class OpenRun(Struct, frozen=True, kw_only=True):
    """The run that an environment is open for: ``run`` and ``id`` as in ``Quarantine``."""

    run: str
    id: str = ""


def save_state(folder: Path, state: EnvironmentState) -> None:
    make_folders(folder, mode=0o700)
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
    with contextlib.suppress(OSError):  # who holds it is a courtesy, which a full disk refuses; the lock is what counts
        os.ftruncate(descriptor, 0)
        os.write(descriptor, holder.encode())
    return descriptor


def _lock(folder: Path) -> int:
    make_folders(folder, mode=0o700)
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


def is_held(folder: Path, *, by: str) -> bool:
    """Whether a run or its watchdog is at work there: an open run that nobody holds has crashed. ``by``: who asks."""
    try:
        with leased(folder, holder=by):
            return False
    except EnvironmentBusy:
        return True


def quarantine(folder: Path, why: Quarantine) -> None:
    make_folders(folder, mode=0o700)
    write_durably(folder / QUARANTINE, encode_pretty(why))


def quarantined(folder: Path) -> Quarantine | None:
    """Why an environment is dirty; None where it is not. A note that cannot be read is one all the same."""
    unreadable = Quarantine(run="", differences=(f"{folder / QUARANTINE} cannot be read",))
    return _note(folder / QUARANTINE, Quarantine, unreadable=lambda _: unreadable)


def lift_quarantine(folder: Path) -> None:
    (folder / QUARANTINE).unlink(missing_ok=True)


def note_open_run(folder: Path, run: OpenRun) -> None:
    """Put on disk that a run is at work there. Raises CannotRun where that cannot be written: the run must not begin."""
    try:
        write_durably(folder / OPEN_RUN, encode_pretty(run))
    except OSError as error:
        raise CannotRun(
            f"that a run on environment {folder.name} is open cannot be written down in {folder}: {error.strerror}",
            hint="free space there: after a crash, nothing else would say what is to be undone",
        ) from error


def open_run(folder: Path) -> OpenRun | None:
    """The run that is at work there, or has crashed; None where there is none. Plain text is the run's folder alone."""
    return _note(folder / OPEN_RUN, OpenRun, unreadable=lambda text: OpenRun(run=text))


def forget_open_run(folder: Path) -> None:
    (folder / OPEN_RUN).unlink(missing_ok=True)


def _note(path: Path, kind: type[T], *, unreadable: Callable[[str], T]) -> T | None:
    """A note that somebody left, None where nobody did. One that cannot be understood still says that it was left."""
    if not path.exists():
        return None
    try:
        data = path.read_bytes()
    except OSError:
        return unreadable("")
    try:
        return decode(data, kind)
    except (msgspec.MsgspecError, ValueError):
        return unreadable(data.decode(errors="replace").strip())
