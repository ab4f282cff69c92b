"""Bring the members' logs into the record: bounded, and never from outside a member's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from meshkit_chaos.environments.secrets import HIDES_NOTHING, Redactor
from meshkit_chaos.environments.state import EnvironmentState, MemberSpec
from meshkit_chaos.journal.events import LogCollected, ProblemNoted

_MOST_BYTES: Final = 5 * 1024 * 1024


def collect_logs(
    state: EnvironmentState, into: Path, *, redactor: Redactor = HIDES_NOTHING
) -> list[LogCollected | ProblemNoted]:
    """Copy the end of every log to ``into/<member>/``, without secrets; what cannot be copied is said, not raised."""
    facts: list[LogCollected | ProblemNoted] = []
    for spec in state.members:
        for relative in (Path(spec.log).name, *state.description.logs):
            try:
                facts.append(_collect(spec, relative, into, redactor))
            except FileNotFoundError:
                continue
            except OSError as error:
                facts.append(ProblemNoted(where=f"log {relative} of {spec.name}", message=str(error.strerror or error)))
    return facts


def _collect(spec: MemberSpec, relative: str, into: Path, redactor: Redactor) -> LogCollected | ProblemNoted:
    source = Path(spec.folder) / relative
    if not source.resolve(strict=True).is_relative_to(Path(spec.folder).resolve()) or not source.is_file():
        return ProblemNoted(where=f"log {relative} of {spec.name}", message="it leads out of the member's folder: refused")
    target = into / spec.name / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    size = source.stat().st_size
    with source.open("rb") as reading:
        reading.seek(max(0, size - _MOST_BYTES))
        data = redactor.data(reading.read(_MOST_BYTES))
        if size > _MOST_BYTES:
            data = data[redactor.longest :]  # of a secret that lies across the cut, the rest was not recognised
    target.write_bytes(data)
    return LogCollected(member=spec.name, path=f"logs/{spec.name}/{relative}", bytes=len(data), truncated=size > _MOST_BYTES)
