"""What local processes, or simulated ones, can do: said from the document alone, before planning."""

from __future__ import annotations

from meshkit_chaos.plan import Capabilities
from meshkit_chaos.scenario.environment import EnvironmentDescription


def capabilities_of(description: EnvironmentDescription) -> Capabilities:
    """Asks nothing of the mesh."""
    linked = description.network is not None or description.kind == "simulated"
    listed = description.membership is not None or description.kind == "simulated"
    return Capabilities(
        members=tuple(member.name for member in description.members),
        levers=(
            *("kill", "stop", "start", "pause", "resume"),
            *(("shape", "unshape") if linked else ()),
            *(("leave", "join") if listed else ()),
        ),
        roles=tuple(description.roles),
    )
