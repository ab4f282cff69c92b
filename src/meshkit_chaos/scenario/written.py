"""A scenario as a document: what the loader would read as the very same value.

Takes a frozen scenario (as a record holds it) and the environment document to name; gives YAML. Only what differs from a
default is written, and only the indicators that something refers to. Whoever prints the text checks it with the loader:
``written`` knows the grammar of version 1, and a key that it does not know would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.model import (
    CheckPrerequisite,
    FaultStep,
    IndicatorPrerequisite,
    MembersPrerequisite,
    ParallelStep,
    Prerequisite,
    Repeats,
    RepeatStep,
    RevertStep,
    Scenario,
    Step,
    Target,
    UntilStep,
    WaitStep,
)
from meshkit_chaos.slo import Check, Duration, HttpCheck, Indicator, Objective, Probe, Ratio, TcpCheck

_WIDTH: Final = 110
_NO_TIME: Final = Duration(0)
Keys = dict[str, Any]


def written_scenario(scenario: Scenario, *, environment: str | None) -> str:
    """The document, with one scenario in it. ``environment`` is the path that it names."""
    used = used_indicators(scenario)
    document: Keys = {"version": 1}
    if environment is not None:
        document["environment"] = environment
    document["indicators"] = {one.name: _indicator(one) for one in scenario.indicators if one.name in used}
    document["scenarios"] = [_scenario(scenario)]
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=None)


class _Plain(yaml.SafeDumper):
    """Nothing is written once and referred to again: a document for people says it where it is meant."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def used_indicators(scenario: Scenario) -> frozenset[str]:
    """Every indicator that something in the scenario refers to."""
    needed = (need.indicator for need in scenario.prerequisites if isinstance(need, IndicatorPrerequisite))
    return frozenset(
        [
            *scenario.steady_state.indicators,
            *needed,
            *_waited_for(scenario.steps),
            *(objective.indicator for objective in scenario.objectives),
            *(rail.indicator for rail in scenario.guard_rails),
            *scenario.rollback.verify,
        ]
    )


def _waited_for(steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        match step:
            case UntilStep():
                yield step.until
            case FaultStep(when=UntilStep() as when):
                yield when.until
            case ParallelStep():
                for branch in step.branches:
                    yield from _waited_for(branch)
            case RepeatStep():
                yield from _waited_for(step.steps)


def _scenario(scenario: Scenario) -> Keys:
    keys: Keys = {"id": scenario.id, "title": scenario.title}
    keys |= _given(description=scenario.description, owner=scenario.owner)
    keys |= _unless(defaults.SEVERITY, severity=scenario.severity)
    keys |= _given(tags=list(scenario.tags), modules=list(scenario.modules))
    keys["steady_state"] = {"for": str(scenario.steady_state.lasting), "indicators": list(scenario.steady_state.indicators)}
    keys |= _given(prerequisites=[_prerequisite(need) for need in scenario.prerequisites])
    keys["steps"] = _Numbered().sequence(scenario.steps)
    keys["objectives"] = [_objective(objective) for objective in scenario.objectives]
    rails = [{"indicator": rail.indicator, "bad_for": str(rail.bad_for)} for rail in scenario.guard_rails]
    rollback = _unless(defaults.ROLLBACK_WITHIN, within=str(scenario.rollback.within))
    keys |= _given(guard_rails=rails, rollback=rollback | _given(verify=list(scenario.rollback.verify)))
    if scenario.repeats != Repeats():
        keys["repeats"] = {"up_to": scenario.repeats.up_to, "fail_at": scenario.repeats.fail_at}
    keys |= _given(blast_radius=_given(members=scenario.blast_radius.members, share=_text(scenario.blast_radius.share)))
    return keys | _unless(str(Duration.parse(defaults.TIMEOUT)), timeout=str(scenario.timeout))


def _given(**keys: Any) -> Keys:
    """Those that say something."""
    return {name: value for name, value in keys.items() if value not in (None, "", [], {}, ())}


def _unless(default: object, **keys: Any) -> Keys:
    return {name: value for name, value in keys.items() if value != default}


def _text(value: Duration | Ratio | None) -> str | None:
    return None if value is None else str(value)


def _indicator(indicator: Indicator) -> Keys:
    keys: Keys = {"promql": indicator.query, "good": str(indicator.band)}
    if indicator.probe is not None:
        keys["probe"] = _probe(indicator.probe)
    keys |= _unless("state", kind=indicator.kind) | _unless("unknown", missing=indicator.missing)
    return keys | _given(description=indicator.description)


def _probe(probe: Probe) -> Keys:
    return {**_check(probe.check), "every": str(probe.every), "timeout": str(probe.timeout)}


def _check(check: Check) -> Keys:
    match check:
        case HttpCheck():
            keys: Keys = {"url": check.url} | _unless("GET", method=check.method)
            keys |= _unless(None, body=check.body) | _given(headers=dict(check.headers))
            keys |= _unless([200], status=list(check.status)) | _given(path=check.path, equals_path=check.equals_path)
            return {"http": keys | _unless(None, equals=_scalar(check.equals))}
        case TcpCheck():
            return {"tcp": {"address": check.address} | _given(send=check.send, expect=check.expect, until=check.until)}
        case _:
            return {"command": list(check.argv)}


def _scalar(value: str | float | bool | None) -> str | float | int | bool | None:
    """Whole numbers without a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _prerequisite(need: Prerequisite) -> Keys:
    match need:
        case MembersPrerequisite():
            return {"members": str(need.up)} | _given(role=need.role)
        case IndicatorPrerequisite():
            return {"indicator": need.indicator, "within": str(need.within)}
        case CheckPrerequisite():
            return {"name": need.name, "check": _check(need.check), "within": str(need.within)}


def _objective(objective: Objective) -> Keys:
    keys: Keys = {objective.form: objective.indicator}
    form = "stay" if objective.form == "stay" else objective.form
    keys |= _unless(f"{form}-{objective.indicator}", id=objective.id)
    if objective.form == "stay":
        keys |= _given(during=objective.during, tolerate=_text(objective.tolerate)) | _unless(
            "0%", allowed=str(objective.allowed)
        )
    else:
        keys |= _given(within=_text(objective.within), after=objective.after, onset_within=_text(objective.onset_within))
        keys |= _unless(defaults.SETTLE, settle=str(objective.settle)) | _unless("required", disturbance=objective.disturbance)
        keys |= _unless("counted", flaps=objective.flaps)
    return keys | _unless(False, informational=objective.informational)


class _Numbered:
    """Writes steps, and knows which name each would have by its position: only another one must be written."""

    def __init__(self) -> None:
        self._number = 0

    def sequence(self, steps: tuple[Step, ...]) -> list[Keys]:
        return [self._step(step) for step in steps]

    def _step(self, step: Step) -> Keys:
        self._number += 1
        name = _unless(f"{type(step).__struct_config__.tag}-{self._number}", id=step.id)
        match step:
            case FaultStep():
                return self._fault(step)
            case WaitStep():
                return {"wait": str(step.wait)} | _unless(str(_NO_TIME), jitter=str(step.jitter)) | name
            case UntilStep():
                return {"until": step.until, **_until(step)} | name
            case RevertStep():
                return {"revert": step.revert} | name
            case ParallelStep():
                return {"parallel": [self.sequence(branch) for branch in step.branches]} | name
            case RepeatStep():
                times = _unless(str(_NO_TIME), every=str(step.every), jitter=str(step.jitter))
                return {"repeat": step.times, **times} | name | {"steps": self.sequence(step.steps)}

    def _fault(self, step: FaultStep) -> Keys:
        """Its name is always there: draws of the seed go by it, and another position must not change them."""
        keys: Keys = {"fault": step.fault, "id": step.id, "target": _target(step.target)}
        if step.when is not None:
            keys["when"] = {"until": step.when.until, **_until(step.when)}
        keys |= _given(hold=_text(step.hold))
        keys |= _given(**{"with": dict(_parameters(step))})
        if (ramp := step.ramp) is not None:
            keys["ramp"] = {"parameter": ramp.parameter, "to": _scalar(ramp.to), "over": str(ramp.over), "steps": ramp.steps}
        return keys


def _parameters(step: FaultStep) -> Iterator[tuple[str, Any]]:
    """Those that are not as the fault has them by default."""
    fault = CATALOGUE.get(step.fault)
    usual = {parameter.name: parameter.default for parameter in fault.parameters} if fault is not None else {}
    return ((name, _scalar(value)) for name, value in step.parameters.items() if usual.get(name) != value)


def _until(step: UntilStep) -> Keys:
    keys = _unless("good", **{"is": step.state}) | {"timeout": str(step.timeout)}
    return keys | _unless(False, or_go_on=step.or_go_on)


def _target(target: Target) -> Keys:
    return _given(
        names=list(target.names), role=target.role, not_role=target.not_role, count=target.count, share=_text(target.share)
    )
