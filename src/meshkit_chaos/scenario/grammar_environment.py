"""The grammar of an environment document, version 1: the members of a mesh, how they start, and how they are read.

Takes plain values; gives models that mirror the document. Refuses what is not in the grammar.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, model_validator
from pydantic_core import PydanticCustomError

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.environment import Sighting
from meshkit_chaos.scenario.grammar_checks import ArgumentList, CheckText
from meshkit_chaos.scenario.grammar_membership import MembershipText
from meshkit_chaos.scenario.grammar_metrics import MetricsText
from meshkit_chaos.scenario.grammar_native import BinaryText
from meshkit_chaos.scenario.grammar_values import (
    IDENTIFIER,
    TAG_MARK,
    Identifier,
    Line,
    Looks,
    Span,
    Strict,
    Text,
    VariableName,
    Version,
    key,
    needed,
    told,
)

MOST_MEMBERS = 200
MOST_PORTS = 20
MOST_FILES = 20
MOST_CLIENTS = 20
PORT_NUMBERS = range(1, 65_536)


def _ports(value: Any) -> dict[str, int] | tuple[str, ...]:
    """A list of names, or a mapping of names to the numbers that they already have."""
    if isinstance(value, dict):
        for name, number in value.items():
            _refuse_port_name(name)
            if isinstance(number, bool) or not isinstance(number, int) or number not in PORT_NUMBERS:
                raise _wrong(f"the port {name} is {told(number)}; expected a number from 1 to {PORT_NUMBERS.stop - 1}")
    elif isinstance(value, list):
        for name in value:
            _refuse_port_name(name)
    else:
        raise _wrong(f"expected a list of names, got {told(value)}", "write [client, peer], or {client: 2379}")
    if len(value) > MOST_PORTS:
        raise _wrong(f"there are {len(value)} ports; expected at most {MOST_PORTS}")
    return dict(value) if isinstance(value, dict) else tuple(value)


def _refuse_port_name(name: object) -> None:
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise PydanticCustomError(
            "name",
            "{said}",
            {"said": f"{told(name)} is not a name of a port; expected small letters, digits and '-'", "hint": ""},
        )


def _wrong(said: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("text", "{said}", {"said": said, "hint": hint})


_NAME_SCHEMA = {"type": "string", "pattern": f"^{IDENTIFIER.pattern}$"}
_NUMBER_SCHEMA = {"type": "integer", "minimum": PORT_NUMBERS.start, "maximum": PORT_NUMBERS.stop - 1}
Ports = Annotated[
    dict[str, int] | tuple[str, ...],
    PlainValidator(_ports),
    Looks(
        "list of names, or mapping: name to number",
        anyOf=[
            {"type": "array", "items": _NAME_SCHEMA, "maxItems": MOST_PORTS},
            {
                "type": "object",
                "propertyNames": {"pattern": f"^{IDENTIFIER.pattern}$"},
                "additionalProperties": _NUMBER_SCHEMA,
                "maxProperties": MOST_PORTS,
            },
        ],
    ),
]


Files = Annotated[dict[Line, Text], Field(max_length=MOST_FILES)]


class CountedMembers(Strict):
    """Members that are alike."""

    count: Annotated[int, Field(ge=1, le=MOST_MEMBERS)] = needed("How many.", examples=[3])
    name: Line = needed("Their names; `${index}` counts from 1.", examples=["etcd-${index}"])


class MemberText(Strict):
    """One member that differs from the others; what it does not say is as for all."""

    name: Identifier = needed("Its name.")
    command: ArgumentList | None = key("Its command, instead of the common one.")
    env: dict[VariableName, Text] | None = key("Environment variables, besides the common ones.")
    files: Files | None = key("Its files, besides the common ones.")
    ports: Ports | None = key("Its ports, instead of the common ones.")
    host: Line | None = key("Where it is reached, instead of the common `host` (only `kind: attached`).", examples=["10.0.0.1"])


def _members_form(value: Any) -> str | None:
    return TAG_MARK + ("counted" if isinstance(value, dict) else "listed") if isinstance(value, dict | list) else None


def _member_form(value: Any) -> str | None:
    return TAG_MARK + ("name" if isinstance(value, str) else "member") if isinstance(value, dict | str) else None


_MEMBER_SAID = "a member is a name, or a mapping with the key name"
_MEMBERS_SAID = "members are a mapping with count and name, or a list"
ListedMember = Annotated[
    Annotated[Identifier, Tag(TAG_MARK + "name")] | Annotated[MemberText, Tag(TAG_MARK + "member")],
    Discriminator(_member_form, custom_error_type="union", custom_error_message=_MEMBER_SAID),
]
MembersText = Annotated[
    Annotated[CountedMembers, Tag(TAG_MARK + "counted")]
    | Annotated[list[ListedMember], Field(min_length=1, max_length=MOST_MEMBERS), Tag(TAG_MARK + "listed")],
    Discriminator(_members_form, custom_error_type="union", custom_error_message=_MEMBERS_SAID),
]


class JoinedText(Strict):
    """A text made of one item a member: how one member is told of all, or of some."""

    item: Text = needed("The item. May hold templates.", examples=["${member.name}=http://${member.host}:${member.port.peer}"])
    of: Annotated[list[Line], Field(min_length=1)] | None = key(
        "Only these members, in this order. By default all.", examples=[["redis-1"]]
    )
    separator: Text | None = key("What stands between items.", default=",")


class ReadyText(CheckText):
    """When a member is ready."""

    within: Span | None = key("Deployment fails after this long.", default=defaults.READY_WITHIN)


class ClientText(Strict):
    """A program that is deployed with the mesh and uses it, such as a load generator.

    It is no member: no fault hits it, it has no role, and it does not count. It is scraped, and it must stay as it was.
    """

    name: Identifier = needed("Its name; the label `member` of its metrics.", examples=["load"])
    command: ArgumentList = needed("How it is started: an argument list, never a shell. May hold templates.")
    env: dict[VariableName, Text] | None = key("Its environment variables. May hold templates.")
    ports: Ports | None = key("Names of the ports that it needs: `${member.port.NAME}`.", examples=[["metrics"]])
    metrics: Line | None = key("Where its metrics are. May hold templates.")
    ready: ReadyText | None = key("When it is ready. Without it, it is not waited for.")


class SimulatedText(Strict):
    """How the simulated mesh behaves, in virtual time."""

    election: Span | None = key("How long it is without a leader when the leader is lost.", default=defaults.ELECTION)
    rejoin: Span | None = key("How long a member needs to come back.", default=defaults.REJOIN)


class NetworkText(Strict):
    """The members' own network, where something about it is to be said."""

    mtu: Annotated[int, Field(ge=576, le=65_521)] | None = key("The largest packet of every link, in bytes.", default=1500)
    backend: Literal["auto", "userspace", "netem"] | None = key(
        "What shapes links: the tool's own switch (`userspace`), or the kernel's `netem`. `auto` takes the switch.",
        default="auto",
    )


def _network_form(value: Any) -> str | None:
    return TAG_MARK + ("settings" if isinstance(value, dict) else "word") if isinstance(value, dict | str) else None


AnyNetwork = Annotated[
    Annotated[Literal["isolated"], Tag(TAG_MARK + "word")] | Annotated[NetworkText, Tag(TAG_MARK + "settings")],
    Discriminator(
        _network_form, custom_error_type="union", custom_error_message="a network is the word isolated, or a mapping"
    ),
]


class SecretText(Strict):
    """Where a secret's value is read, each time it is needed. It is never written down."""

    env: VariableName | None = key("The environment variable that holds it.", examples=["MESH_TOKEN"])
    file: Line | None = key(
        "The file that holds it, relative to this document; one newline at its end is left out.",
        examples=["/run/secrets/mesh-token"],
    )

    @model_validator(mode="after")
    def _is_one(self) -> SecretText:
        if (self.env is None) == (self.file is None):
            said = f"expected one of env and file, got {'both' if self.env else 'none of them'}"
            raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": "write {env: MESH_TOKEN}"})
        return self


class SightingText(CheckText):
    """A question about a member: yes, no, or not to be told."""

    prints: Line | None = key(
        "Of a `command`: the first line that it prints when the answer is yes. It must then end with status 0. "
        "Without this, status 0 is yes and 1 is no; any other status tells nothing.",
        examples=["true"],
    )

    @model_validator(mode="after")
    def _prints_only_a_command(self) -> SightingText:
        if self.prints is not None and self.command is None:
            said = "'prints' belongs to 'command'"
            raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": "http has `path` and `equals`"})
        return self

    def sighting(self) -> Sighting:
        return Sighting(check=self.value(), prints=self.prints)


class AskText(Strict):
    """A program whose first line of output is the answer."""

    command: ArgumentList = needed("An argument list, never a shell. May hold templates.")


class ObserveText(Strict):
    """How the state of a member is seen: not through what was asked of it, but at what is there."""

    up: SightingText = needed(
        "Whether it runs.", examples=[{"command": ["docker", "inspect", "-f", "{{.State.Running}}", "${member.name}"]}]
    )
    paused: SightingText | None = key("Whether it is paused. Needed for the lever `pause`.")
    identity: AskText | None = key(
        "What changes when it is replaced by another process. Needed for the fault `restart`.",
        examples=[{"command": ["docker", "inspect", "-f", "{{.State.StartedAt}}", "${member.name}"]}],
    )
    binary: AskText | None = key("A digest of what it runs; it must be the same after a rollback.")
    configuration: AskText | None = key("A digest of how it is configured; it must be the same after a rollback.")


class InjectingLeverText(Strict):
    """What pulls a lever that breaks something."""

    do: ArgumentList = needed(
        "An argument list, never a shell. May hold templates.", examples=[["docker", "kill", "${member.name}"]]
    )
    undo_with: Literal["start", "resume"] = needed("What undoes it: `start` of `kill` and `stop`, `resume` of `pause`.")


class UndoingLeverText(Strict):
    """What pulls a lever that undoes something. Where the member already is as wanted, it is not run."""

    do: ArgumentList = needed(
        "An argument list, never a shell. May hold templates.", examples=[["docker", "start", "${member.name}"]]
    )


class LeversText(Strict):
    """What can be done to a member of an attached mesh, each by a program."""

    kill: InjectingLeverText | None = key("End the member at once.")
    stop: InjectingLeverText | None = key("Ask it to end, and wait until it has.")
    start: UndoingLeverText | None = key("Start it again, with its own data.")
    pause: InjectingLeverText | None = key("Freeze it.")
    resume: UndoingLeverText | None = key("Thaw it.")


class EnvironmentText(Strict):
    """The whole document."""

    version: Version = needed("The version of this grammar: 1.")
    name: Identifier = needed("The environment's name.", examples=["etcd-lab"])
    kind: Literal["process", "simulated", "attached"] = needed(
        "`process`: members are processes of this machine. `simulated`: nothing is real. "
        "`attached`: a mesh that already runs; nothing is deployed or torn down."
    )
    class_name: Identifier | None = key(
        "Environments of one class are alike enough to compare runs. By default the name.", alias="class"
    )
    vars: dict[VariableName, Text] | None = key(
        "Values that an operator may set with `--var NAME=VALUE`, and their defaults: `${var.NAME}`.",
        examples=[{"etcd": "etcd"}],
    )
    members: MembersText = needed("The members.", examples=[{"count": 3, "name": "etcd-${index}"}])
    ports: Ports | None = key(
        "Names of the ports that each member needs: `${member.port.NAME}`. Of an attached mesh: with their numbers.",
        examples=[["client", "peer"], {"client": 2379}],
    )
    host: Line | None = key(
        "Where each member is reached: `${member.host}` (only `kind: attached`). May hold `${member.name}`, `${member.index}` "
        "and variables.",
        examples=["${member.name}.mesh.internal"],
    )
    command: ArgumentList | None = key("How a member is started: an argument list, never a shell. May hold templates.")
    env: dict[VariableName, Text] | None = key(
        "Environment variables of each member; of an attached mesh, of its commands. May hold templates."
    )
    files: Files | None = key(
        "Files of each member, by their paths below its folder: written when it is deployed, and then the member's own. A "
        "restarted member finds them as it left them. May hold templates.",
        examples=[{"mesh.conf": "listen ${member.host}:${member.port.client}\n"}],
    )
    secrets: dict[VariableName, SecretText] | None = key(
        "Values that must not be seen: `${secret.NAME}` in `env`, `command`, `do`, and in checks.",
        examples=[{"TOKEN": {"env": "MESH_TOKEN"}}],
    )
    joined: dict[Identifier, JoinedText] | None = key("Texts about all members: `${joined.NAME}`.")
    ready: ReadyText | None = key("When a member is ready.")
    roles: dict[Identifier, CheckText] | None = key("How to find who has a role: the members on which the check holds.")
    metrics: MetricsText | None = key("Where the members' metrics are.")
    logs: list[Line] | None = key(
        "Files to keep besides standard output, relative to the member's folder.", examples=[["data/x.log"]]
    )
    stop_within: Span | None = key("How long a member may take to stop before it is killed.", default=defaults.STOP_WITHIN)
    simulated: SimulatedText | None = key("How the simulated mesh behaves (only `kind: simulated`).")
    binaries: dict[Identifier, BinaryText] | None = key(
        "The executables that members are: `${binary.NAME}` as the first argument of a command.",
        examples=[{"meshkit": {"path": "out/meshkit"}}],
    )
    clients: Annotated[list[ClientText], Field(max_length=MOST_CLIENTS)] | None = key(
        "Programs that use the mesh while it is broken, deployed with it."
    )
    network: AnyNetwork | None = key(
        "Each member in a network of its own, whose links can be shaped (only `kind: process`): `isolated`, or with settings. "
        "`${member.host}` is then the member's own address.",
        examples=["isolated"],
    )
    membership: MembershipText | None = key(
        "How members leave the mesh and join it again, through its own interface. Needed for the fault `membership-surge`."
    )
    levers: LeversText | None = key("What can be done to a member (only `kind: attached`).")
    observe: ObserveText | None = key("How a member is seen (only `kind: attached`).")
    lever_timeout: Span | None = key(
        "When a lever's or an observing command is hung and is killed (only `kind: attached`).", default=defaults.LEVER_TIMEOUT
    )
