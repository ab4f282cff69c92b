"""What an environment document says: members, how they start, how their readiness, roles and metrics are read.

Texts may hold templates, filled in at deployment: ``${member.name}``, ``${member.index}`` (from 1), ``${member.host}``,
``${member.dir}``, ``${member.port.NAME}``, ``${var.NAME}``, ``${joined.NAME}``.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from meshkit_chaos.slo import Check, Duration


class MemberDescription(Struct, frozen=True, kw_only=True):
    """One process: an argument list (never a shell), environment variables, and the names of the ports it needs."""

    name: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    ports: tuple[str, ...] = ()


class Joined(Struct, frozen=True, kw_only=True):
    """A text made of one item a member: how one member is told of all (``--initial-cluster``)."""

    item: str
    separator: str = ","


class Ready(Struct, frozen=True, kw_only=True):
    """A member is ready when the check holds; deployment fails after ``within``."""

    check: Check
    within: Duration


class Metrics(Struct, frozen=True, kw_only=True):
    """Where each member exports Prometheus text. ``names``: metric names known to be there, for lint (empty: not known)."""

    url: str
    every: Duration = Duration(200 * 10**6)
    timeout: Duration = Duration(200 * 10**6)
    names: tuple[str, ...] = ()


class SimulatedMesh(Struct, frozen=True, kw_only=True):
    """How the simulated mesh behaves, in virtual time."""

    election: Duration = Duration(1500 * 10**6)
    rejoin: Duration = Duration(200 * 10**6)


class EnvironmentDescription(Struct, frozen=True, kw_only=True):
    """A whole document. ``class_name`` is the explicit name of the environment class (runs of one class are comparable)."""

    path: str
    digest: str
    name: str
    kind: Literal["process", "simulated"]
    class_name: str
    members: tuple[MemberDescription, ...]
    vars: dict[str, str] = {}
    joined: dict[str, Joined] = {}
    ready: Ready | None = None
    roles: dict[str, Check] = {}
    metrics: Metrics | None = None
    logs: tuple[str, ...] = ()
    stop_within: Duration = Duration(2 * 10**9)
    simulated: SimulatedMesh | None = None
