"""How members leave and join, as a frozen value, and what lint finds in it."""

from __future__ import annotations

from dataclasses import replace

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.checks import lint_template, lint_url
from meshkit_chaos.scenario.environment import EnvironmentDescription, MembershipCall, MembershipDescription
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_environment import EnvironmentText
from meshkit_chaos.scenario.grammar_membership import MembershipText
from meshkit_chaos.scenario.reachable import known_in
from meshkit_chaos.scenario.templates import Known, references
from meshkit_chaos.slo import Duration

_ID = "member.id"


def built_membership(text: MembershipText | None) -> MembershipDescription | None:
    if text is None:
        return None
    return MembershipDescription(
        list=text.list.listed(),
        add=text.add.value(),
        remove=text.remove.value(),
        env=dict(text.env or {}),
        within=text.within or Duration.parse(defaults.MEMBERSHIP_WITHIN),
    )


def lint_membership(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    """Find templates that nobody fills, an entry that would be everybody's, and a removal that does not say of whom."""
    found = description.membership
    if found is None or text.kind == "attached":
        return
    place, known = at.below("membership"), known_in(description)
    _lint_call(found.list.call, at=place.below("list"), known=known)
    lint_template(found.list.equals, at=place.below("list", "equals"), known=known)
    if not any(name.startswith("member.") for name in references(found.list.equals)):
        said = f"{found.list.equals!r} is the same for every member, so that none could be told from the others"
        place.below("list", "equals").say("MC122", said, hint="write http://${member.host}:${member.port.peer}")
    _lint_call(found.add, at=place.below("add"), known=known)
    with_id = replace(known, member=(*known.member, _ID))
    _lint_call(found.remove, at=place.below("remove"), known=known, of_body=with_id)
    for name, value in found.env.items():
        lint_template(value, at=place.below("env", name), known=known)


def _lint_call(call: MembershipCall, *, at: At, known: Known, of_body: Known | None = None) -> None:
    lint_template(call.url, at=at.below("url"), known=known)
    lint_url(call.url, at=at.below("url"))
    lint_template(call.body, at=at.below("body"), known=of_body or known)
