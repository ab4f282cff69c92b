"""What the templates of checks may refer to in an environment: what every member of it has."""

from __future__ import annotations

from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.templates import EVERY_MEMBER, Known


def known_in(environment: EnvironmentDescription) -> Known:
    """Everything that is there for all members. An attached one has no folder, and a host only where the document says one."""
    ports = [frozenset(member.ports) for member in environment.members]
    hosts = environment.kind != "attached" or all(member.host for member in environment.members)
    hidden = {"member.dir"} if environment.kind == "attached" else set()
    hidden |= set() if hosts else {"member.host"}
    return Known(
        ports=frozenset.intersection(*ports) if ports else frozenset(),
        vars=frozenset(environment.vars),
        joined=frozenset(environment.joined),
        secrets=frozenset(environment.secrets),
        member=tuple(name for name in EVERY_MEMBER if name not in hidden),
    )
