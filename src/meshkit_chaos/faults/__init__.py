"""Faults and the levers they pull. Pure data and pure functions."""

from meshkit_chaos.faults.catalogue import CATALOGUE, nearest
from meshkit_chaos.faults.fault import Aim, Calls, Effect, Fault
from meshkit_chaos.faults.levers import Kill, LeverCall, LeverName, MemberState, Pause, Resume, Start, Stop, lever_name
from meshkit_chaos.faults.parameters import Parameter, ParameterType, ParameterValue, parse_rate, rate_text

__all__ = [
    "CATALOGUE",
    "Aim",
    "Calls",
    "Effect",
    "Fault",
    "Kill",
    "LeverCall",
    "LeverName",
    "MemberState",
    "Parameter",
    "ParameterType",
    "ParameterValue",
    "Pause",
    "Resume",
    "Start",
    "Stop",
    "lever_name",
    "nearest",
    "parse_rate",
    "rate_text",
]
