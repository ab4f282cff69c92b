"""A fault's parameters, as a step gives them: checked against the catalogue, completed by its defaults."""

from __future__ import annotations

from collections.abc import Mapping

from meshkit_chaos.faults import CATALOGUE, Aim, Fault, ParameterValue, nearest
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names


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
        elif (reason := parameter.reason_against(value)) is not None:
            at.below(name).say("MC117", f"{name}: {reason}", hint=parameter.doc)
        else:
            values[name] = value
    if fault.check is not None and values.keys() == declared.keys():
        try:
            fault.check(Aim(node="", targets=(), members=(), parameters=values))
        except ValueError as error:
            at.say("MC117", f"these parameters do not go together: {error}")
    return values
