"""The grammar of an environment document, version 1: the members of a mesh, how they start, and how they are read.

Takes plain values; gives models that mirror the document. Refuses what is not in the grammar.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.grammar_checks import ArgumentList, CheckText
from meshkit_chaos.scenario.grammar_values import (
    TAG_MARK,
    Identifier,
    Line,
    Span,
    Strict,
    Text,
    VariableName,
    Version,
    key,
    needed,
)

MOST_MEMBERS = 200
Ports = Annotated[list[Identifier], Field(max_length=20)]


class CountedMembers(Strict):
    """Members that are alike."""

    count: Annotated[int, Field(ge=1, le=MOST_MEMBERS)] = needed("How many.", examples=[3])
    name: Line = needed("Their names; `${index}` counts from 1.", examples=["etcd-${index}"])


class MemberText(Strict):
    """One member that differs from the others; what it does not say is as for all."""

    name: Identifier = needed("Its name.")
    command: ArgumentList | None = key("Its command, instead of the common one.")
    env: dict[VariableName, Text] | None = key("Environment variables, besides the common ones.")
    ports: Ports | None = key("Its ports, instead of the common ones.")


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
    """A text made of one item a member: how one member is told of all."""

    item: Text = needed("The item. May hold templates.", examples=["${member.name}=http://${member.host}:${member.port.peer}"])
    separator: Text | None = key("What stands between items.", default=",")


class ReadyText(CheckText):
    """When a member is ready."""

    within: Span | None = key("Deployment fails after this long.", default=defaults.READY_WITHIN)


class MetricsText(Strict):
    """Where each member exports Prometheus text."""

    url: Line = needed("Its address. May hold templates.", examples=["http://${member.host}:${member.port.client}/metrics"])
    every: Span | None = key("The length of a round: all members are scraped at one tick.", default=defaults.METRICS_EVERY)
    timeout: Span | None = key("When a scrape has failed; no longer than `every`. By default the value of `every`.")
    names: list[Line] | None = key(
        "Metrics known to be there; lint then finds misspelt ones.", examples=[["etcd_server_is_leader"]]
    )


class SimulatedText(Strict):
    """How the simulated mesh behaves, in virtual time."""

    election: Span | None = key("How long it is without a leader when the leader is lost.", default=defaults.ELECTION)
    rejoin: Span | None = key("How long a member needs to come back.", default=defaults.REJOIN)


class EnvironmentText(Strict):
    """The whole document."""

    version: Version = needed("The version of this grammar: 1.")
    name: Identifier = needed("The environment's name.", examples=["etcd-lab"])
    kind: Literal["process", "simulated"] = needed(
        "`process`: members are processes of this machine. `simulated`: nothing is real."
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
        "Names of the ports that each member needs: `${member.port.NAME}`.", examples=[["client", "peer"]]
    )
    command: ArgumentList | None = key("How a member is started: an argument list, never a shell. May hold templates.")
    env: dict[VariableName, Text] | None = key("Environment variables of each member. May hold templates.")
    joined: dict[Identifier, JoinedText] | None = key("Texts about all members: `${joined.NAME}`.")
    ready: ReadyText | None = key("When a member is ready.")
    roles: dict[Identifier, CheckText] | None = key("How to find who has a role: the members on which the check holds.")
    metrics: MetricsText | None = key("Where each member exports Prometheus text.")
    logs: list[Line] | None = key(
        "Files to keep besides standard output, relative to the member's folder.", examples=[["data/x.log"]]
    )
    stop_within: Span | None = key("How long a member may take to stop before it is killed.", default=defaults.STOP_WITHIN)
    simulated: SimulatedText | None = key("How the simulated mesh behaves (only `kind: simulated`).")
