"""The invocation's log, ``invocation.jsonl``: written first, append-only. What it announces and nobody ran is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from meshkit_chaos.campaign.lines import Lines
from meshkit_chaos.errors import JournalDamaged
from meshkit_chaos.scenario.model import Repeats
from meshkit_chaos.slo.codec import convert, encode

LOG: Final = "invocation.jsonl"


class AnnouncedScenario(Struct, frozen=True, kw_only=True):
    id: str
    title: str
    repeats: Repeats
    severity: str = "medium"
    owner: str = ""
    modules: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class InvocationStarted(Struct, frozen=True, kw_only=True, tag_field="kind", tag="invocation.started"):
    """``selection``: as asked for. ``scenarios``: what that came to, all of which is expected to run.

    ``lease``: the shared environment's lease that it holds, with its fencing token; empty and 0 where there is none.
    """

    schema: int = 1
    invocation: str
    tool: str
    file: str
    file_digest: str
    environment: str
    seed: int
    subject: dict[str, str]
    selection: tuple[str, ...]
    scenarios: tuple[AnnouncedScenario, ...]
    wall_ns: int
    environment_class: str = ""
    lease: str = ""
    fencing: int = 0


class RunAnnounced(Struct, frozen=True, kw_only=True, tag_field="kind", tag="run.announced"):
    """``folder`` is relative to the invocation's."""

    scenario: str
    number: int
    run: str
    folder: str


class ScenarioRefused(Struct, frozen=True, kw_only=True, tag_field="kind", tag="scenario.refused"):
    """It cannot run here; nothing was touched."""

    scenario: str
    reason: str


class RunEnded(Struct, frozen=True, kw_only=True, tag_field="kind", tag="run.ended"):
    scenario: str
    number: int
    outcome: str


class InvocationEnded(Struct, frozen=True, kw_only=True, tag_field="kind", tag="invocation.ended"):
    """``reason``: empty when everything announced was dealt with."""

    reason: str = ""


Line = InvocationStarted | RunAnnounced | ScenarioRefused | RunEnded | InvocationEnded


class InvocationLog:
    """The writer. Every line is on disk when ``append`` returns."""

    def __init__(self, folder: Path) -> None:
        self._lines = Lines(folder / LOG)

    def append(self, line: Line) -> None:
        self._lines.append(encode(line))

    def close(self) -> None:
        self._lines.close()


def read_log(folder: Path) -> tuple[Line, ...]:
    """Read what is whole; a torn last line is left out. Raises JournalDamaged where there is no beginning."""
    path = folder / LOG
    if not path.is_file():
        raise JournalDamaged(f"{folder} holds no {LOG}", hint="name the folder that was given as --out")
    lines: list[Line] = []
    for raw in path.read_bytes().splitlines():
        try:
            lines.append(convert(msgspec.json.decode(raw), Line))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            break
    if not lines or not isinstance(lines[0], InvocationStarted):
        raise JournalDamaged(f"{path} does not begin with invocation.started")
    return tuple(lines)
