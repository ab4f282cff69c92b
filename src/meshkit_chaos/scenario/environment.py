"""What an environment document says: members, how they start, how their readiness, roles and metrics are read.

Texts may hold templates, filled in at deployment: ``${member.name}``, ``${member.index}`` (from 1), ``${member.host}``,
``${member.dir}``, ``${member.port.NAME}``, ``${var.NAME}``, ``${joined.NAME}``, ``${secret.NAME}``, and as a program
``${binary.NAME}``. A secret is only ever a reference here: its value is read where it is used, and stands in no document,
state or record.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.faults import LeverName
from meshkit_chaos.scenario.metric_sources import ExternalMetrics
from meshkit_chaos.slo import Check, Duration

Backend = Literal["auto", "userspace", "netem"]
SWITCH: Final = "network-switch"
"""Under this name the process that a network of members hangs on is seen among them."""
Demand = Literal["required", "embeds-interpreter", "any"]
"""What is demanded of a binary: native code; that, or a program with its interpreter inside; or nothing."""


class MemberDescription(Struct, frozen=True, kw_only=True):
    """One member: an argument list (never a shell), environment variables, and the names of the ports it needs.

    ``files``: what is written below its folder when it is deployed, by path.
    Of an attached mesh: ``host``, where it is reached, and ``numbers``, its ports as they are.
    """

    name: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    files: dict[str, str] = {}
    ports: tuple[str, ...] = ()
    host: str = ""
    numbers: dict[str, int] = {}


class Joined(Struct, frozen=True, kw_only=True):
    """A text made of one item a member: how one member is told of all (``--initial-cluster``), or of those in ``of``."""

    item: str
    separator: str = ","
    of: tuple[str, ...] = ()


class Ready(Struct, frozen=True, kw_only=True):
    """A member is ready when the check holds; deployment fails after ``within``."""

    check: Check
    within: Duration


class Metrics(Struct, frozen=True, kw_only=True):
    """Where each member exports Prometheus text, or the server that scrapes them (``external``; ``url`` is empty then).

    ``names``: metric names known to be there, for lint (empty: not known). ``exposition``: a saved page for the same, relative
    to the document.
    """

    url: str
    every: Duration = Duration(200 * 10**6)
    timeout: Duration = Duration(200 * 10**6)
    names: tuple[str, ...] = ()
    external: ExternalMetrics | None = None
    exposition: str = ""


class SimulatedMesh(Struct, frozen=True, kw_only=True):
    """How the simulated mesh behaves, in virtual time."""

    election: Duration = Duration(1500 * 10**6)
    rejoin: Duration = Duration(200 * 10**6)


class Network(Struct, frozen=True, kw_only=True):
    """Each member in a network namespace of its own. ``mtu``: of every link, in bytes. ``backend``: what shapes them."""

    mtu: int = 1500
    backend: Backend = "auto"


class SecretSource(Struct, frozen=True, kw_only=True):
    """Where a secret's value is read: exactly one of an environment variable and a file (relative to the document)."""

    env: str | None = None
    file: str | None = None


class LeverCommand(Struct, frozen=True, kw_only=True):
    """What pulls one lever of an attached mesh: an argument list, and the lever that undoes it (None for an undo itself)."""

    do: tuple[str, ...]
    undo_with: LeverName | None = None


class Sighting(Struct, frozen=True, kw_only=True):
    """A question about a member that has three answers: yes, no, and that it could not be told.

    Of a command: with ``prints`` it must end with status 0, and its first line decides; without, 0 is yes and 1 is no. Whatever
    else it does tells nothing. An HTTP or TCP check that does not hold is a no.
    """

    check: Check
    prints: str | None = None


class Observe(Struct, frozen=True, kw_only=True):
    """How a member of an attached mesh is seen. The last three are argument lists whose first line of output counts."""

    up: Sighting
    paused: Sighting | None = None
    identity: tuple[str, ...] = ()
    binary: tuple[str, ...] = ()
    configuration: tuple[str, ...] = ()


class BinaryDescription(Struct, frozen=True, kw_only=True):
    """An executable that members are. Paths are relative to the document; ``build`` is empty where nothing is built.

    ``runtime``: the runtime identifier it must be for (empty: the machine's).
    ``digest``: the SHA-256 it must have (empty: any).
    """

    name: str
    path: str
    build: tuple[str, ...] = ()
    folder: str = "."
    timeout: Duration = Duration(900 * 10**9)
    pass_on: tuple[str, ...] = ()
    forbid_output: tuple[str, ...] = ()
    runtime: str = ""
    native: Demand = "required"
    digest: str = ""
    sbom: str = ""


class ClientDescription(Struct, frozen=True, kw_only=True):
    """A program that is deployed with the mesh and uses it: it is scraped and fingerprinted, and no fault targets it."""

    name: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    ports: tuple[str, ...] = ()
    metrics: str = ""
    ready: Ready | None = None


class MembershipCall(Struct, frozen=True, kw_only=True):
    """A request about the mesh's list of members: ``url`` is of the member that is asked, ``body`` of the one it is about."""

    url: str
    method: str = "POST"
    body: str = ""


class MembershipList(Struct, frozen=True, kw_only=True):
    """The list, and how a member is found in it.

    ``entries``: where it stands in the answer; ``id``: what an entry is named by; ``key`` and ``equals``: what an entry holds
    that no other member's does, also before the member was ever started.
    """

    call: MembershipCall
    entries: str
    id: str
    key: str
    equals: str


class MembershipDescription(Struct, frozen=True, kw_only=True):
    """How members leave the mesh and join it: through its own interface, asked of any member that is up.

    ``remove`` may hold ``${member.id}``, from the list. ``env``: what a member that joins is started with besides.
    """

    list: MembershipList
    add: MembershipCall
    remove: MembershipCall
    env: dict[str, str] = {}
    within: Duration = Duration(30 * 10**9)


class EnvironmentDescription(Struct, frozen=True, kw_only=True):
    """A whole document. ``class_name`` is the explicit name of the environment class (runs of one class are comparable)."""

    path: str
    digest: str
    name: str
    kind: Literal["process", "simulated", "attached"]
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
    env: dict[str, str] = {}
    secrets: dict[str, SecretSource] = {}
    levers: dict[LeverName, LeverCommand] = {}
    observe: Observe | None = None
    lever_timeout: Duration = Duration(30 * 10**9)
    binaries: dict[str, BinaryDescription] = {}
    clients: tuple[ClientDescription, ...] = ()
    network: Network | None = None
    membership: MembershipDescription | None = None
