"""Faults and the levers they pull. Pure data and pure functions."""

from meshkit_chaos.faults.catalogue import CATALOGUE, Fault, Parameter, ParameterValue, nearest
from meshkit_chaos.faults.levers import (
    Kill,
    LeverCall,
    LeverName,
    MemberState,
    Pause,
    Resume,
    Shape,
    Start,
    Unshape,
    lever_name,
)
from meshkit_chaos.faults.links import Distribution, LinkPolicy, PacketCounts, Packets

__all__ = [
    "CATALOGUE",
    "Distribution",
    "Fault",
    "Kill",
    "LeverCall",
    "LeverName",
    "LinkPolicy",
    "MemberState",
    "PacketCounts",
    "Packets",
    "Parameter",
    "ParameterValue",
    "Pause",
    "Resume",
    "Shape",
    "Start",
    "Unshape",
    "lever_name",
    "nearest",
]
