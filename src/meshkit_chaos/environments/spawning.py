"""Start a member's process under its marker, and tell of one what can be seen of it.

Takes a member's spec and how it gets to where it runs; gives the process. Raises EnvironmentProblem where it cannot be started.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from meshkit_chaos.environments import processes
from meshkit_chaos.environments.data_folder import make_member_folder
from meshkit_chaos.environments.own_binaries import opened_program
from meshkit_chaos.environments.processes import MarkedProcess
from meshkit_chaos.environments.secrets import Redactor, Secrets
from meshkit_chaos.environments.state import MemberSpec
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Membership, MemberState, PacketCounts
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.network.lab import Way


def marks(marker: str, member: str) -> dict[str, str]:
    """The environment variables by which a process is found again."""
    return {processes.MARKER_VARIABLE: marker, processes.MEMBER_VARIABLE: member}


def spawn(
    spec: MemberSpec, *, marker: str, secrets: Secrets, binaries: Mapping[str, BinaryFacts], way: Way
) -> subprocess.Popen[bytes]:
    """Start it in its own folder and session, its output in its log. On a way in, the program stands after the way's words."""
    folder = Path(spec.folder)
    try:
        make_member_folder(folder, {name: secrets.reveal(text) for name, text in spec.files.items()})
        with Path(spec.log).open("ab") as log, opened_program(spec, binaries) as program:
            argv = [secrets.reveal(text) for text in spec.argv]
            return subprocess.Popen(
                [*way.words, program.path or argv[0], *argv] if way.words else argv,
                env={**{name: secrets.reveal(text) for name, text in spec.env.items()}, **marks(marker, spec.name)},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                executable=None if way.words else program.path,
                pass_fds=(*program.descriptors, *way.descriptors),
            )
    except OSError as error:
        raise EnvironmentProblem(f"member {spec.name} cannot be started ({spec.argv[0]}): {error.strerror}") from error


def obeyed(process: MarkedProcess, number: signal.Signals) -> bool:
    match number:
        case signal.SIGSTOP:
            return process.stopped
        case signal.SIGCONT:
            return not process.stopped
        case _:
            return not process.alive


def state_of(
    found: tuple[MarkedProcess, ...] | None, layers: Mapping[str, PacketCounts], membership: Membership = ""
) -> MemberState:
    """``layers``: those in force on what the member sends, which a dead member has too."""
    names, counts = tuple(sorted(layers)), dict(layers)
    if not found:
        return MemberState(up=False, paused=False, layers=names, counts=counts, membership=membership)
    main = found[0]
    return MemberState(
        up=True,
        paused=main.stopped,
        identity=main.identity,
        binary_digest=processes.binary_digest(main.pid),
        configuration_digest=processes.configuration_digest(main.pid),
        layers=names,
        counts=counts,
        membership=membership,
    )


def log_tail(spec: MemberSpec, redactor: Redactor) -> str:
    """A member's last words, without secrets."""
    try:
        lines = redactor.data(Path(spec.log).read_bytes())[-2000:].decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f"its last words: {lines[-1][:300]}" if lines else "it wrote nothing"
