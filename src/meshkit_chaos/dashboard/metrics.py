"""How things stand, in the text format of Prometheus (version 0.0.4). Pure.

Only what is known is told: a scenario without a pass has no ``last_pass`` series, and one without a result that counts is
*missing*. So an alert on age or absence fires for want of evidence, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, get_args

from msgspec import Struct

from meshkit_chaos.dashboard.latest import Environment, Latest
from meshkit_chaos.dashboard.nights import Night
from meshkit_chaos.dashboard.readiness import Readiness
from meshkit_chaos.dashboard.standing import WORST_FIRST
from meshkit_chaos.deliver.action import Became
from meshkit_chaos.judge.verdict import EnvironmentName, VerdictName

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
VERDICTS: Final = (*get_args(VerdictName), "missing")
_NS: Final = 10**9
_Sample = tuple[dict[str, str], float]


class Known(Struct, frozen=True, kw_only=True):
    """All that is told. ``nights`` None: no schedule is known; ``gate_open`` None: nothing was decided."""

    version: str
    newest: int | None
    scenarios: tuple[Latest, ...]
    environments: tuple[Environment, ...]
    readiness: Readiness
    nights: tuple[Night, ...] | None = None
    gate_open: bool | None = None
    deliveries: dict[Became, int] = {}


def exposition(known: Known) -> str:
    """Every family with its help and its type."""
    out: list[str] = []
    for name, about, samples in _families(known):
        family = f"meshkit_chaos_{name}"
        lines = [f"{family}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if lines:
            out += [f"# HELP {family} {about}", f"# TYPE {family} gauge", *lines]
    return "\n".join(out) + "\n"


_Family = tuple[str, str, Iterable[_Sample]]


def _families(known: Known) -> Iterable[_Family]:
    yield "build_info", "The version of meshkit-chaos that tells this.", [({"version": known.version}, 1)]
    yield "newest_invocation_timestamp_seconds", "When the newest invocation began.", _instants([({}, known.newest)])
    yield from _scenario_families(known.scenarios)
    yield (
        "environment_state",
        "1 for how the newest run that touched an environment class left it.",
        [
            ({"environment_class": one.environment_class, "state": state}, one.state == state)
            for one in known.environments
            for state in get_args(EnvironmentName)
        ],
    )
    yield from _release_families(known.readiness)
    if known.nights is not None:
        yield (
            "nights_missed",
            "Nights of the schedule, among the newest shown, that did not run.",
            [({}, _missed(known.nights))],
        )
        overdue = not known.nights or known.nights[0].missing
        yield "night_overdue", "1 while the newest night that was due, its grace over, did not run.", [({}, overdue)]
    if known.gate_open is not None:
        yield "gate_open", "Whether the gate lets the newest build pass.", [({}, known.gate_open)]
    yield (
        "deliveries_recent",
        "The newest messages and tickets by what became of them.",
        [({"state": state}, known.deliveries.get(state, 0)) for state in get_args(Became)] if known.deliveries else [],
    )


def _scenario_families(scenarios: Sequence[Latest]) -> Iterable[_Family]:
    yield (
        "scenario_verdict",
        "1 for the verdict of a scenario's newest result that counts; missing where an announced one left none.",
        [
            ({"scenario": one.scenario, "severity": one.severity, "verdict": verdict}, one.verdict == verdict)
            for one in scenarios
            for verdict in VERDICTS
        ],
    )
    yield (
        "scenario_module",
        "1 for each module that a scenario tells about, to join with.",
        [({"scenario": one.scenario, "module": module}, 1) for one in scenarios for module in one.modules],
    )
    yield (
        "scenario_last_result_timestamp_seconds",
        "When the newest result of a scenario that counts began.",
        _instants([({"scenario": one.scenario}, one.at) for one in scenarios]),
    )
    yield (
        "scenario_last_pass_timestamp_seconds",
        "When the newest pass of a scenario began; absent where it never passed.",
        _instants([({"scenario": one.scenario}, one.passed) for one in scenarios]),
    )
    yield "scenario_flaky", "Whether the newest result is a pass with failures in it.", _flaky(scenarios)
    timed = [({"scenario": one.scenario, "objective": took.objective}, took) for one in scenarios for took in one.took]
    yield (
        "objective_seconds",
        "How long the slowest run of the newest result took, as an interval; bound hi is +Inf where it had no end.",
        [
            sample
            for labels, took in timed
            for sample in (
                ({**labels, "bound": "lo"}, took.lo / _NS),
                ({**labels, "bound": "hi"}, float("inf") if took.hi is None else took.hi / _NS),
            )
        ],
    )
    yield (
        "objective_limit_seconds",
        "The limit that it was judged by.",
        [(labels, took.limit / _NS) for labels, took in timed if took.limit is not None],
    )


def _flaky(scenarios: Sequence[Latest]) -> list[_Sample]:
    return [({"scenario": one.scenario}, one.flaky) for one in scenarios if one.at is not None]


def _release_families(readiness: Readiness) -> Iterable[_Family]:
    newest = readiness.releases[0][0] if readiness.releases else ""
    yield (
        "module_standing",
        "1 for how a module stands in the newest release.",
        [
            ({"module": row.module, "release": newest, "standing": standing}, row.cells[0].standing == standing)
            for row in readiness.rows
            for standing in WORST_FIRST
            if row.cells
        ],
    )
    yield (
        "release_blocking_scenarios",
        "Scenarios that are not shown to be good in the newest release.",
        [({"release": newest}, len(readiness.blocking))] if newest and readiness.rows else [],
    )


def _missed(nights: Sequence[Night]) -> int:
    return sum(night.missing for night in nights)


def _instants(several: Iterable[tuple[dict[str, str], int | None]]) -> list[_Sample]:
    return [(labels, at / _NS) for labels, at in several if at is not None]


def _labels(labels: dict[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    whole = value.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{float(value):.9f}".rstrip("0").rstrip(".")
