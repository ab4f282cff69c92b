"""A fault's parameters, as a step gives them: checked against the catalogue, completed by its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshkit_chaos.faults import CATALOGUE, Fault, Parameter, ParameterValue, nearest
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names, told
from meshkit_chaos.slo import Duration, Ratio

_WRITTEN: Final = {"duration": "a duration such as 5s", "ratio": "a share such as 5%"}


def fault_parameters(kind: str, given: Mapping[str, ParameterValue], *, at: At) -> dict[str, ParameterValue]:
    """The parameters of a step; ``at`` is the step."""
    fault = CATALOGUE.get(kind)
    if fault is None:
        near = nearest(kind)
        hint = f"did you mean {near}?" if near else f"known faults: {', '.join(CATALOGUE)}"
        at.below("fault").say("MC117", f"unknown fault {kind!r}", hint=hint)
        return {}
    return checked_parameters(fault, given, at=at.below("with")) if given or fault.parameters else {}


def checked_parameters(fault: Fault, given: Mapping[str, ParameterValue], *, at: At) -> dict[str, ParameterValue]:
    """Every parameter of the fault with its value; ``at`` is the mapping of parameters."""
    declared = {parameter.name: parameter for parameter in fault.parameters}
    for name in given:
        if name not in declared:
            near = close_names(name, declared)
            known = f"known here: {', '.join(declared)}" if declared else f"{fault.kind} has no parameters"
            hint = f"did you mean {near[0]}?" if near else known
            at.below(name).say("MC117", f"the fault {fault.kind} has no parameter {name!r}", hint=hint, of_key=True)
    values: dict[str, ParameterValue] = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        if value is None:
            at.say("MC117", f"the fault {fault.kind} needs the parameter {name!r}", hint=parameter.doc)
        elif (reason := _reason_against(parameter, value)) is not None:
            at.below(name).say("MC117", f"{name}: {reason}", hint=parameter.doc)
        else:
            values[name] = value
    return values


def _reason_against(parameter: Parameter, value: ParameterValue) -> str | None:
    try:
        number = _number(parameter, value)
    except ValueError as error:
        return str(error)
    if parameter.minimum is not None and number < parameter.minimum:
        return f"{value} is below {parameter.minimum:g}"
    if parameter.maximum is not None and number > parameter.maximum:
        return f"{value} is above {parameter.maximum:g}"
    return None


def _number(parameter: Parameter, value: ParameterValue) -> float:
    """The value as one number: seconds for durations, 0 to 1 for ratios. Raises ValueError."""
    if isinstance(value, str):
        match parameter.type:
            case "duration":
                return Duration.parse(value).seconds
            case "ratio":
                return Ratio.parse(value).value
    whole = parameter.type == "integer"
    if parameter.type in _WRITTEN or isinstance(value, str | bool) or (whole and value != int(value)):
        expected = _WRITTEN.get(parameter.type, "a whole number" if whole else "a number")
        raise ValueError(f"expected {expected}, got {told(value)}")
    return value
