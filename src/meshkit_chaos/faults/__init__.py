"""Faults and the levers they pull. Pure data and pure functions."""

from meshkit_chaos.faults.catalogue import CATALOGUE, nearest
from meshkit_chaos.faults.fault import Aim, Calls, Effect, Fault, States
from meshkit_chaos.faults.levers import (
    Join,
    Kill,
    Leave,
    LeverCall,
    LeverName,
    Membership,
    MemberState,
    Pause,
    Resume,
    Shape,
    Start,
    Stop,
    Unshape,
    lever_name,
)
from meshkit_chaos.faults.links import Distribution, LinkPolicy, PacketCounts, Packets
from meshkit_chaos.faults.parameters import Parameter, ParameterType, ParameterValue, parse_rate, rate_text

__all__ = [
    "CATALOGUE",
    "Aim",
    "Calls",
    "Distribution",
    "Effect",
    "Fault",
    "Join",
    "Kill",
    "Leave",
    "LeverCall",
    "LeverName",
    "LinkPolicy",
    "MemberState",
    "Membership",
    "PacketCounts",
    "Packets",
    "Parameter",
    "ParameterType",
    "ParameterValue",
    "Pause",
    "Resume",
    "Shape",
    "Start",
    "States",
    "Stop",
    "Unshape",
    "lever_name",
    "nearest",
    "parse_rate",
    "rate_text",
]
