"""Bring the members' logs into the record: bounded, and never from outside a member's own folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from meshkit_chaos.environments.state import EnvironmentState, MemberSpec
from meshkit_chaos.journal.events import LogCollected, ProblemNoted

_MOST_BYTES: Final = 5 * 1024 * 1024


def collect_logs(state: EnvironmentState, into: Path) -> list[LogCollected | ProblemNoted]:
    """Copy the end of every log to ``into/<member>/``; what cannot be copied is said, not raised."""
    facts: list[LogCollected | ProblemNoted] = []
    for spec in state.members:
        for relative in (Path(spec.log).name, *state.description.logs):
            try:
                facts.append(_collect(spec, relative, into))
            except FileNotFoundError:
                continue
            except OSError as error:
                facts.append(ProblemNoted(where=f"log {relative} of {spec.name}", message=str(error.strerror or error)))
    return facts


def _collect(spec: MemberSpec, relative: str, into: Path) -> LogCollected | ProblemNoted:
    source = Path(spec.folder) / relative
    if not source.resolve(strict=True).is_relative_to(Path(spec.folder).resolve()) or not source.is_file():
        return ProblemNoted(where=f"log {relative} of {spec.name}", message="it leads out of the member's folder: refused")
    target = into / spec.name / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    size = source.stat().st_size
    with source.open("rb") as reading, target.open("wb") as writing:
        reading.seek(max(0, size - _MOST_BYTES), os.SEEK_SET)
        shutil.copyfileobj(reading, writing)
    return LogCollected(
        member=spec.name, path=f"logs/{spec.name}/{relative}", bytes=min(size, _MOST_BYTES), truncated=size > _MOST_BYTES
    )
