"""The grammar of ``membership:`` in an environment document: how members leave a mesh and join it, through its own interface.

Takes plain values; gives models that mirror the document. Refuses what is not in the grammar.
"""

from __future__ import annotations

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.environment import MembershipCall, MembershipList
from meshkit_chaos.scenario.grammar_values import Line, Span, Strict, Text, VariableName, key, needed


class MembershipCallText(Strict):
    """A request to a member that is up, about another one."""

    url: Line = needed(
        "Where to ask. Its templates are those of the member that is asked.",
        examples=["http://${member.host}:${member.port.client}/v3/cluster/member/add"],
    )
    method: Line | None = key("The request method.", default="POST")
    body: Text | None = key(
        "The request's body. Its templates are those of the member that joins or leaves; `${member.id}` is what the list names "
        "it by (only `remove`).",
        examples=['{"ID": "${member.id}"}'],
    )

    def value(self) -> MembershipCall:
        return MembershipCall(url=self.url, method=self.method or "POST", body=self.body or "")


class MembershipListText(MembershipCallText):
    """The request for the mesh's own list, and how a member is found in its JSON answer."""

    entries: Line = needed("Where the list stands in the answer.", examples=["members"])
    id: Line = needed("What an entry is named by.", examples=["ID"])
    key: Line = needed("What tells in an entry whose it is, also before the member was started.", examples=["peerURLs.0"])
    equals: Line = needed(
        "The value that must be found there. Its templates are those of the member looked for.",
        examples=["http://${member.host}:${member.port.peer}"],
    )

    def listed(self) -> MembershipList:
        return MembershipList(call=self.value(), entries=self.entries, id=self.id, key=self.key, equals=self.equals)


class MembershipText(Strict):
    """How members leave and join. What is refused is asked for again, of any member that is up, until `within` is over."""

    list: MembershipListText = needed("The mesh's own list of its members.")
    add: MembershipCallText = needed("Puts a member into the list, before it is started without data.")
    remove: MembershipCallText = needed("Takes a member out of the list, before it is ended.")
    env: dict[VariableName, Text] | None = key(
        "Environment variables, besides its own, of a member that joins a mesh that is there. May hold templates.",
        examples=[{"ETCD_INITIAL_CLUSTER_STATE": "existing"}],
    )
    within: Span | None = key("How long the mesh may take to agree to a change.", default=defaults.MEMBERSHIP_WITHIN)
