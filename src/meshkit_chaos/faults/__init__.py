"""Faults and the levers they pull. Pure data and pure functions."""

from meshkit_chaos.faults.catalogue import CATALOGUE, Fault, Parameter, ParameterValue, nearest
from meshkit_chaos.faults.levers import Kill, LeverCall, LeverName, MemberState, Pause, Resume, Start, lever_name

__all__ = [
    "CATALOGUE",
    "Fault",
    "Kill",
    "LeverCall",
    "LeverName",
    "MemberState",
    "Parameter",
    "ParameterValue",
    "Pause",
    "Resume",
    "Start",
    "lever_name",
    "nearest",
]
