"""Run one command that the operator configured: an argument list, a minimal environment, an end in any case.

It has its own session, so that at its time-out, or when the run is cancelled, its whole process group is killed. With a ledger
it writes its pid and start time down *before* it becomes the command, so that whoever comes after a killed runner can end it
before undoing anything. What a command leaves running after its own end (a member that it started) is left alone.
No space on any disk is needed for a command that undoes something: its words then stay in memory, and it is not written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from meshkit_chaos.clock import boot_id
from meshkit_chaos.environments.processes import stat_of
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.slo import Duration

_FIRST: Final = 4096
_LAST: Final = 2000
_GONE_WITHIN_S: Final = 2.0
_WORDS_BYTES: Final = 64 * 1024
_ENTRY: Final = """
import os, sys
ledger, must, asker, program = sys.argv[1:5]
with open("/proc/self/stat", "rb") as file:
    started = file.read().rpartition(b")")[2].split()[19].decode()
try:
    os.close(os.open(os.path.join(ledger, f"{os.getpid()}-{started}"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
except OSError as error:
    if must:
        sys.exit(f"it was not begun, because that could not be written down in {ledger}: {error.strerror}")
if os.getppid() != int(asker):  # whoever asked for it has died: it may have been undone already
    sys.exit(125)
os.execv(program, sys.argv[5:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where a command is written down while it runs: below an environment's ``folder``.

    ``must``: it is not run where it cannot be written down. False for what undoes: better undone than written down.
    """

    folder: Path
    must: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended. ``status`` is negative for a signal; ``first_line`` is of standard output."""

    status: int
    first_line: str
    tail: str


async def run_command(
    argv: tuple[str, ...],
    *,
    what: str,
    env: Mapping[str, str],
    folder: Path,
    within: Duration,
    ledger: Ledger | None = None,
) -> Ended:
    """Run it to its end. Raises EnvironmentProblem where it cannot be run, or had to be killed.

    ``what`` names it in messages; ``folder`` is where it runs and what relative paths of programs are relative to.
    """
    program = _find(argv[0], what=what, path=env.get("PATH", os.defpath), folder=folder)
    start = (program, *argv[1:]) if ledger is None else _entered(program, argv, ledger, what=what)
    with _room_for_words() as out, _room_for_words() as errors:  # a pipe could be held open by what it started
        try:
            process = await asyncio.create_subprocess_exec(
                *start,
                env=dict(env),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise EnvironmentProblem(f"{what} cannot be run: {error}") from error
        try:
            async with asyncio.timeout(within.seconds):
                status = await process.wait()
        except TimeoutError:
            raise EnvironmentProblem(f"{what} did not end within {within} and was killed; {_words(out, errors)}") from None
        finally:
            if process.returncode is None:
                await asyncio.shield(_end(process))
            if ledger is not None:
                _forget(ledger.folder, process.pid)
        return Ended(status=status, first_line=_first_line(out), tail=_words(out, errors))


def find_program(name: str, *, path: str, folder: Path) -> str | None:
    """A name is looked for on ``path``; one with a slash is relative to ``folder``."""
    found = shutil.which(str(folder / name) if os.sep in name else name, path=path)
    return str(Path(found).absolute()) if found is not None else None


def _find(name: str, *, what: str, path: str, folder: Path) -> str:
    found = find_program(name, path=path, folder=folder)
    if found is None:
        hint = f"it was looked for in {folder}" if os.sep in name else f"it was looked for on PATH: {path}"
        raise EnvironmentProblem(f"{what} cannot be run: there is no executable {name!r}", hint=hint)
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _first_line(out: IO[bytes]) -> str:
    out.seek(0)
    lines = out.read(_FIRST).decode(errors="replace").splitlines()
    return lines[0].strip() if lines else ""


def _words(*files: IO[bytes]) -> str:
    """The end of what it said, standard error last."""
    parts = []
    for file in files:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST))
        parts.append(file.read().decode(errors="replace").strip())
    said = "\n".join(part for part in parts if part)
    return f"its last words: {said}" if said else "it said nothing"


def _room_for_words() -> IO[bytes]:
    """A file without a name; memory, where no disk has room for as much as is ever quoted."""
    try:
        return _file_with_room()
    except OSError:
        return os.fdopen(os.memfd_create("words"), "w+b")


def _file_with_room() -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets it closes it
    try:
        os.posix_fallocate(file.fileno(), 0, _WORDS_BYTES)
        file.truncate(0)
    except OSError:
        file.close()
        raise
    return file


def _place_in(folder: Path) -> Path:
    """Where commands of this boot are written down; pids of another boot mean nothing."""
    return folder / f"commands-{boot_id()}"


def _entered(program: str, argv: tuple[str, ...], ledger: Ledger, *, what: str) -> tuple[str, ...]:
    """The words that write a command down and then become it. Raises EnvironmentProblem where it must be and cannot be."""
    place = _place_in(ledger.folder)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        if not ledger.must:
            return (program, *argv[1:])
        raise EnvironmentProblem(
            f"{what} was not begun, because that could not be written down in {place}: {error.strerror}",
            hint="free space there; no fault is injected of which nothing would be known after a crash",
        ) from error
    must = "must" if ledger.must else ""
    return (sys.executable, "-I", "-S", "-c", _ENTRY, str(place), must, str(os.getpid()), program, *argv)


def _forget(folder: Path, pid: int) -> None:
    for entry in _place_in(folder).glob(f"{pid}-*"):
        entry.unlink(missing_ok=True)


async def end_left_commands(folder: Path) -> tuple[str, ...]:
    """Kill the commands that a dead runner left in flight, with their groups; say what would not end."""
    left = []
    place = _place_in(folder)
    for entry in place.iterdir() if place.is_dir() else ():
        pid, _, started = entry.name.partition("-")
        if not pid.isdecimal() or not started.isdecimal():
            continue
        if await _ended(int(pid), int(started)):
            entry.unlink(missing_ok=True)
        else:
            left.append(f"the command with pid {pid} would not end")
    return tuple(left)


async def _ended(pid: int, started: int) -> bool:
    waited = 0.0
    while (stat := stat_of(pid)) is not None and stat[1] == started and stat[0] not in "ZXx":
        if waited > _GONE_WITHIN_S:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # it leads a session of its own: the group bears its pid for as long as it lives
        await asyncio.sleep(0.01)
        waited += 0.01
    return True
