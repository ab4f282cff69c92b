"""The binaries of an environment as its members: copied and verified at deployment, executed exactly as they were verified.

Takes the state that was resolved; gives what was found out about each copy, and how a member's program is to be executed.
Refuses a binary that is not what the environment demands, and a copy that is no longer what was verified.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshkit_chaos.environments.state import EnvironmentState, MemberSpec
from meshkit_chaos.environments.templates import render
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.journal.events import MemberUp
from meshkit_chaos.native.placing import open_placed, place, placed_at
from meshkit_chaos.native.verify import host_platform


@dataclass(frozen=True, slots=True)
class Program:
    """What is executed: by ``path`` where it is not the first argument, with descriptors that must be open for it."""

    path: str | None = None
    descriptors: tuple[int, ...] = ()


_AS_NAMED: Final = Program()


def placed(state: EnvironmentState, name: str) -> BinaryFacts:
    """Copy one binary into the data folder and verify the copy. Raises EnvironmentProblem."""
    binary = state.description.binaries[name]
    folder = Path(state.description.path).parent
    values = next(spec.values for spec in state.members if spec.binary == name)
    return place(
        folder / render(binary.path, values),
        placed_at(state.data, name),
        name=name,
        demand=binary.native,
        wanted=binary.runtime or host_platform(),
        digest=binary.digest,
        sbom=folder / binary.sbom if binary.sbom else None,
    )


@contextlib.contextmanager
def opened_program(spec: MemberSpec, binaries: Mapping[str, BinaryFacts]) -> Iterator[Program]:
    """How a member is executed: a binary through the very descriptor that was hashed. Raises EnvironmentProblem."""
    if not spec.binary:
        yield _AS_NAMED
        return
    facts = binaries.get(spec.binary)
    if facts is None:
        raise EnvironmentProblem(f"member {spec.name} is not started: its binary {spec.binary} was never verified")
    descriptor = open_placed(Path(spec.argv[0]), facts, name=spec.binary)
    try:
        yield Program(f"/proc/self/fd/{descriptor}", (descriptor,))
    finally:
        os.close(descriptor)


def refuse_other_binaries(members: Iterable[MemberUp]) -> None:
    """Look once more, at the running processes, whether they are what was verified. Raises EnvironmentProblem."""
    for member in members:
        if member.executable is not None and member.pid and member.binary_digest != member.executable.digest:
            raise EnvironmentProblem(
                f"member {member.name} runs SHA-256 {member.binary_digest or 'unknown'}, "
                f"and {member.executable.digest} was verified"
            )
