"""Many causes at once that are probably one: what they share, and who is left. Pure.

Causes are joined only within one invocation, one kind and one environment class. First by module, then by indicator, the
largest group first. What then still is too much has the environment in common: the rest, if it proves nothing or most of what
was run is failing; or the groups themselves, if there are as many of them as make a storm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from meshkit_chaos.deliver.cause import UNPROVEN, Cause
from meshkit_chaos.deliver.course import Sight


@dataclass(frozen=True, slots=True)
class Storm:
    """``cause`` stands for all of ``sights``."""

    cause: Cause
    sights: tuple[Sight, ...]


def rolled_up(
    sights: Sequence[Sight], *, storm_at: int, scenarios: Counter[str]
) -> tuple[tuple[Storm, ...], tuple[Sight, ...]]:
    """Storms, and what is told by itself. ``scenarios``: how many were run in each environment class."""
    storms: list[Storm] = []
    alone: list[Sight] = []
    buckets: dict[tuple[str, str], list[Sight]] = {}
    for sight in sorted(sights, key=lambda one: one.cause.words):
        buckets.setdefault((sight.cause.kind, sight.cause.environment_class), []).append(sight)
    for (_, environment_class), bucket in sorted(buckets.items()):
        found, rest = _bucket(bucket, storm_at=storm_at, of=scenarios[environment_class])
        storms += found
        alone += rest
    return tuple(storms), tuple(alone)


def _bucket(bucket: list[Sight], *, storm_at: int, of: int) -> tuple[list[Storm], list[Sight]]:
    storms: list[Storm] = []
    rest = bucket
    for what, values in (("module", modules), ("indicator", indicators)):
        while (largest := _largest(rest, values)) and len(largest[1]) >= storm_at:
            value, members = largest
            storms.append(_storm(f"{what} {value}", members))
            told = {one.cause for one in members}
            rest = [one for one in rest if one.cause not in told]
    if len(rest) >= storm_at and (rest[0].cause.kind in UNPROVEN or 2 * _scenarios(rest) >= of):
        storms, rest = [*storms, _storm(_environment(rest), rest)], []
    if len(storms) >= storm_at:
        members = [one for storm in storms for one in storm.sights]
        storms = [_storm(_environment(members), members)]
    return storms, rest


def _largest(sights: Iterable[Sight], values: Callable[[Sight], Iterable[str]]) -> tuple[str, list[Sight]] | None:
    groups: dict[str, list[Sight]] = {}
    for sight in sights:
        for value in values(sight):
            groups.setdefault(value, []).append(sight)
    return max(sorted(groups.items()), key=lambda item: len(item[1]), default=None)


def modules(sight: Sight) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sight.result.modules))


def indicators(sight: Sight) -> tuple[str, ...]:
    """The indicators of a cause's objective."""
    measured = (one for run in sight.result.runs for one in run.objectives if one.name == sight.cause.objective)
    return tuple(dict.fromkeys(one.indicator for one in measured if one.indicator))


def _environment(sights: Sequence[Sight]) -> str:
    return f"environment {sights[0].cause.environment_class}".rstrip()


def _scenarios(sights: Iterable[Sight]) -> int:
    return len({one.cause.scenario for one in sights})


def _storm(shared: str, members: Sequence[Sight]) -> Storm:
    first = members[0].cause
    cause = Cause(kind=first.kind, environment_class=first.environment_class, shared=shared)
    return Storm(cause, tuple(members))


def belongs(sight: Sight, storm: Cause) -> bool:
    """Whether a cause would have been a part of a storm that is known."""
    if (sight.cause.kind, sight.cause.environment_class) != (storm.kind, storm.environment_class):
        return False
    what, _, value = storm.shared.partition(" ")
    return what == "environment" or value in {"module": modules, "indicator": indicators}[what](sight)
