"""Processes that bear a marker: found in ``/proc``, signalled through a pidfd after their start time was compared.

The marker is an environment variable that is there from the first instruction of a member, and that its children inherit. So a
member is found by whoever comes later, without any record of its pid. Programs that write their own title (Redis, PostgreSQL,
nginx) overwrite their environment; such a one is known by its standard output or error, the member's log, whose path bears the
marker too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARKER_VARIABLE: Final = "MESHKIT_CHAOS_MARKER"
MEMBER_VARIABLE: Final = "MESHKIT_CHAOS_MEMBER"
DATA_PREFIX: Final = "meshkit-chaos-"
"""What the name of an environment's data folder begins with; its marker follows."""
_PROC: Final = Path("/proc")
_DIGESTS: Final[dict[tuple[int, ...], str]] = {}
"""By device, inode, times and size of a file: what was read once. As many as there are binaries under test."""
_POLL_S: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedProcess:
    """``started`` is in clock ticks since boot; with the pid it names one process for ever.

    ``state`` is the letter of proc(5).
    """

    pid: int
    started: int
    state: str
    member: str

    @property
    def alive(self) -> bool:
        return self.state not in "ZXx"

    @property
    def stopped(self) -> bool:
        return self.state in "Tt"

    @property
    def identity(self) -> str:
        return f"{self.pid}@{self.started}"


def stat_of(pid: int) -> tuple[str, int] | None:
    """State letter and start time of a process; None if there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the command name may hold spaces and brackets
    return fields[0], int(fields[19])


def find_marked(marker: str) -> tuple[MarkedProcess, ...]:
    """Every process that bears the marker and that this user may look at, oldest first."""
    wanted, folder = f"{MARKER_VARIABLE}={marker}".encode(), f"{DATA_PREFIX}{marker}"
    found = []
    for name in os.listdir(_PROC):  # noqa: PTH208  # thousands of names, several times a second
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123  # as above
                variables = file.read().split(b"\0")
        except OSError:
            continue
        member = _value(variables, MEMBER_VARIABLE) if wanted in variables else _by_its_log(name, folder)
        if member is None:
            continue
        stat = stat_of(int(name))
        if stat is not None:
            found.append(MarkedProcess(pid=int(name), started=stat[1], state=stat[0], member=member))
    return tuple(sorted((process for process in found if process.alive), key=lambda process: (process.started, process.pid)))


def _by_its_log(pid: str, folder: str) -> str | None:
    """The member whose log in this data folder is the process's standard output or error; None if it is none's."""
    for descriptor in ("1", "2"):
        try:
            path = os.readlink(f"/proc/{pid}/fd/{descriptor}")  # noqa: PTH115  # asked of every process there is
        except OSError:
            continue
        parts = path.removesuffix(" (deleted)").rsplit("/", 3)
        if len(parts) == 4 and parts[1] == folder and parts[3] == log_name(parts[2]):
            return parts[2]
    return None


def log_name(member: str) -> str:
    """The file in a member's folder that takes its standard output and error."""
    return f"{member}.log"


def find_hidden(members: Mapping[str, tuple[str, ...]], *, data: str, children: Mapping[int, str]) -> tuple[MarkedProcess, ...]:
    """Members' processes that run and whose marker cannot be read: setuid, not dumpable; or a child of ours that hides it.

    ``members``: by name, the arguments they were started with; ``data``: a folder of this environment alone; ``children``: our
    own, by pid. One that is no child is known by its arguments, which everybody may read, and by whom it works for or on what.
    """
    found = []
    for name in os.listdir(_PROC):  # noqa: PTH208  # as above
        pid = int(name) if name.isdecimal() else 0
        if not pid or not (_hides_its_marker(pid, data) if pid in children else _is_forbidden(pid)):
            continue
        words = _words_of(pid)  # none at all: it is just ending, which looks as forbidden as this
        member = words and (children.get(pid) or _member_by_words(pid, words, members, data))
        stat = stat_of(pid)
        if member and stat is not None:
            found.append(MarkedProcess(pid=pid, started=stat[1], state=stat[0], member=member))
    return tuple(process for process in found if process.alive)


def _is_forbidden(pid: int) -> bool:
    """Whether it may not be looked into; that it is gone is something else."""
    try:
        with (_PROC / str(pid) / "environ").open("rb"):
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def _hides_its_marker(pid: int, data: str) -> bool:
    """Whether a child's environment cannot be read, or is no longer what it was given, and its log tells it as little."""
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes()  # empty just after exec: then nothing is hidden yet
    except PermissionError:
        return True
    except OSError:
        return False
    if not variables or f"{MARKER_VARIABLE}=".encode() in variables:
        return False
    return _by_its_log(str(pid), Path(data).name) is None


def _words_of(pid: int) -> tuple[str, ...]:
    """The arguments of a process, which everybody may read."""
    try:
        return tuple((_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
    except OSError:
        return ()


def _member_by_words(pid: int, words: tuple[str, ...], members: Mapping[str, tuple[str, ...]], data: str) -> str:
    for member, argv in members.items():
        # a script's interpreter stands before its own words
        if argv and words[-len(argv) :] == argv and (any(data in word for word in words) or _works_for_us(pid)):
            return member
    return ""


def _works_for_us(pid: int) -> bool:
    """Whether this user started it, whoever's rights it has now."""
    try:
        lines = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("Uid:") and line.split()[1] == str(os.getuid()) for line in lines)


def _value(variables: list[bytes], name: str) -> str:
    start = f"{name}=".encode()
    return next((item[len(start) :].decode(errors="replace") for item in variables if item.startswith(start)), "")


def send(process: MarkedProcess, number: signal.Signals) -> bool:
    """Signal exactly this process; False if it is gone. A pid that was reused is never hit."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        stat = stat_of(process.pid)  # read after the pidfd was opened: it now names the same process as the pidfd
        if stat is None or stat[1] != process.started:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def kill_all(marker: str, *, within_s: float) -> tuple[MarkedProcess, ...]:
    """SIGKILL whatever bears the marker until two looks in a row find nothing; give what is left.

    Two looks, because a process that was between fork and exec at the first one does not bear the marker yet.
    """
    clean_looks = 0
    left: tuple[MarkedProcess, ...] = ()
    for _ in range(max(1, int(within_s / _POLL_S))):
        left = find_marked(marker)
        for process in left:
            send(process, signal.SIGKILL)
        clean_looks = 0 if left else clean_looks + 1
        if clean_looks == 2:
            break
        time.sleep(_POLL_S if left else 4 * _POLL_S)
    return left


def kill_these(found: Iterable[MarkedProcess], *, within_s: float) -> tuple[MarkedProcess, ...]:
    """SIGKILL exactly these; give those that are still there after a while, or that this user may not signal."""
    left = tuple(found)
    for _ in range(max(1, int(within_s / _POLL_S))):
        for process in left:
            with contextlib.suppress(PermissionError):
                send(process, signal.SIGKILL)
        left = tuple(process for process in left if _is_there(process))
        if not left:
            break
        time.sleep(_POLL_S)
    return left


def _is_there(process: MarkedProcess) -> bool:
    stat = stat_of(process.pid)
    return stat is not None and stat[1] == process.started and stat[0] not in "ZXx"


def binary_digest(pid: int) -> str:
    """SHA-256 of the file that the process really executes, replaced on disk or not; empty if it cannot be read.

    A file is read once, however many processes execute it: a large one takes long enough to hold up what is due meanwhile.
    """
    path = Path(f"/proc/{pid}/exe")
    try:
        stat = path.stat()  # follows the magic link to the open file itself
        version = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
        if version not in _DIGESTS:
            with path.open("rb") as file:
                _DIGESTS[version] = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
    return _DIGESTS[version]


def configuration_digest(pid: int) -> str:
    """SHA-256 of the argument list the process was started with; empty if it cannot be read."""
    try:
        return hashlib.sha256((_PROC / str(pid) / "cmdline").read_bytes()).hexdigest()
    except OSError:
        return ""
