"""An environment as a frozen value, and what lint finds in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from msgspec import structs

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.build_attached import built_levers, built_observe, lint_attached, lint_secrets
from meshkit_chaos.scenario.build_membership import built_membership, lint_membership
from meshkit_chaos.scenario.build_metrics import built_metrics, lint_metrics
from meshkit_chaos.scenario.build_native import built_binaries, built_clients, lint_command, lint_native
from meshkit_chaos.scenario.checks import lint_check, lint_template
from meshkit_chaos.scenario.environment import (
    SWITCH,
    EnvironmentDescription,
    Joined,
    MemberDescription,
    Network,
    Ready,
    SecretSource,
    SimulatedMesh,
)
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_environment import CountedMembers, EnvironmentText, JoinedText, MemberText
from meshkit_chaos.scenario.grammar_values import IDENTIFIER, close_names
from meshkit_chaos.scenario.reachable import known_in
from meshkit_chaos.scenario.templates import Known
from meshkit_chaos.slo import Duration

_INDEX: Final = "${index}"
_UNSAFE: Final = re.compile(r"^[/\\~]|^[A-Za-z]:|(^|[/\\])\.\.?([/\\]|$)|[/\\]$|\\|\$\{")


def built_environment(text: EnvironmentText, *, at: At, path: str, digest: str) -> EnvironmentDescription:
    """Build it; whether it may be used, the findings say."""
    description = EnvironmentDescription(
        path=path,
        digest=digest,
        name=text.name,
        kind=text.kind,
        class_name=text.class_name or text.name,
        members=tuple(_members(text, at)),
        vars=dict(text.vars or {}),
        joined={name: _joined(found) for name, found in (text.joined or {}).items()},
        ready=_ready(text),
        roles={name: role.value() for name, role in (text.roles or {}).items()},
        metrics=built_metrics(text.metrics),
        logs=tuple(text.logs or ()),
        stop_within=text.stop_within or Duration.parse(defaults.STOP_WITHIN),
        simulated=_simulated(text),
        env=dict(text.env or {}) if text.kind == "attached" else {},
        secrets={name: SecretSource(env=found.env, file=found.file) for name, found in (text.secrets or {}).items()},
        levers=built_levers(text.levers),
        observe=built_observe(text.observe),
        lever_timeout=text.lever_timeout or Duration.parse(defaults.LEVER_TIMEOUT),
        binaries=built_binaries(text.binaries),
        clients=built_clients(text.clients),
        network=_network(text),
        membership=built_membership(text.membership),
    )
    _lint_kind(text, at)
    _lint_members(text, description, at)
    _lint_templates(text, description, at)
    _lint_checks(text, description, at)
    _lint_network(description, at)
    lint_membership(text, description, at)
    lint_attached(text, description, at)
    lint_secrets(text, at)
    lint_native(text, description, at)
    return description


def _joined(text: JoinedText) -> Joined:
    return Joined(item=text.item, separator="," if text.separator is None else text.separator, of=tuple(text.of or ()))


def _ready(text: EnvironmentText) -> Ready | None:
    if text.ready is None:
        return None
    return Ready(check=text.ready.value(), within=text.ready.within or Duration.parse(defaults.READY_WITHIN))


def _simulated(text: EnvironmentText) -> SimulatedMesh | None:
    if text.kind != "simulated":
        return None
    given = text.simulated
    return SimulatedMesh(
        election=(given.election if given else None) or Duration.parse(defaults.ELECTION),
        rejoin=(given.rejoin if given else None) or Duration.parse(defaults.REJOIN),
    )


def _network(text: EnvironmentText) -> Network | None:
    if text.network is None or text.kind != "process":
        return None
    usual = Network()
    if isinstance(text.network, str):
        return usual
    return Network(mtu=text.network.mtu or usual.mtu, backend=text.network.backend or usual.backend)


def _members(text: EnvironmentText, at: At) -> Iterator[MemberDescription]:
    common = MemberDescription(
        name="",
        command=text.command or (),
        env=dict(text.env or {}),
        files=dict(text.files or {}),
        ports=tuple(text.ports or ()),
        host=text.host or "",
        numbers=_numbers(text.ports),
    )
    if isinstance(text.members, CountedMembers):
        for index in range(1, text.members.count + 1):
            yield structs.replace(common, name=text.members.name.replace(_INDEX, str(index)))
        return
    for place, member in enumerate(text.members):
        if isinstance(member, MemberText):
            if text.kind == "process" and member.command is None and text.command is None:
                at.below("members", place).say("MC122", f"the member {member.name} has no command", hint="give it `command:`")
            yield _own(member, common)
        else:
            yield structs.replace(common, name=member)


def _own(member: MemberText, common: MemberDescription) -> MemberDescription:
    return MemberDescription(
        name=member.name,
        command=member.command or common.command,
        env={**common.env, **(member.env or {})},
        files={**common.files, **(member.files or {})},
        ports=common.ports if member.ports is None else tuple(member.ports),
        host=member.host or common.host,
        numbers=common.numbers if member.ports is None else _numbers(member.ports),
    )


def _numbers(ports: dict[str, int] | tuple[str, ...] | None) -> dict[str, int]:
    return dict(ports) if isinstance(ports, dict) else {}


def _lint_kind(text: EnvironmentText, at: At) -> None:
    """A simulated mesh may say how it would be started, so that one document serves both kinds; a real one cannot be told."""
    if text.kind == "process" and text.simulated is not None:
        at.below("simulated").say("MC122", "only a simulated mesh can be told how to behave", hint="remove it", of_key=True)
    listed = text.members if isinstance(text.members, list) else []
    if text.kind == "process" and text.command is None and not any(isinstance(member, MemberText) for member in listed):
        at.below("kind").say("MC122", "members that are processes need a command", hint="command: [program, argument, …]")
    for number, log in enumerate(text.logs or ()):
        if _UNSAFE.search(log):
            hint = "write a path below the member's folder, such as data/extra.log"
            at.below("logs", number).say("MC121", f"{log!r} may lie outside the member's folder", hint=hint)


def _lint_members(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    """Tell the first member that is wrong: of counted members, the others would be wrong alike."""
    counted = isinstance(text.members, CountedMembers)
    seen: set[str] = set()
    for number, member in enumerate(description.members):
        place = at.below("members", "name" if counted else number)
        if not IDENTIFIER.fullmatch(member.name):
            hint = "small letters, digits and '-', and ${index} for the number"
            return place.say("MC016", f"{member.name!r} is not a name of a member", hint=hint)
        if member.name in seen:
            hint = "write ${index} into the name" if counted else "rename one of them"
            return place.say("MC110", f"two members are called {member.name!r}", hint=hint)
        if len(set(member.ports)) < len(member.ports):
            where = at.below("ports") if member.ports == tuple(text.ports or ()) else place.below("ports")
            return where.say("MC110", f"a port of {member.name} is named twice", hint="name each port once")
        seen.add(member.name)
    return None


def _lint_templates(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    known = known_in(description)
    lint_command(text.command or (), at=at.below("command"), known=known, binaries=frozenset(description.binaries))
    for name, value in (text.env or {}).items():
        lint_template(value, at=at.below("env", name), known=known)
    _lint_files(text.files, at=at, known=known)
    inside = replace(known, joined=frozenset(), secrets=frozenset())
    for name, joined in description.joined.items():
        _lint_joined(joined, description, at=at.below("joined", name), known=inside)
    if isinstance(text.members, list):
        _lint_own(text.members, description, at)


def _lint_files(files: dict[str, str] | None, *, at: At, known: Known) -> None:
    for path, content in (files or {}).items():
        place = at.below("files", path)
        if _UNSAFE.search(path):
            hint = "write a path below the member's folder, such as conf/mesh.conf"
            place.say("MC121", f"{path!r} may lie outside the member's folder", hint=hint, of_key=True)
        lint_template(content, at=place, known=known)


def _lint_joined(joined: Joined, description: EnvironmentDescription, *, at: At, known: Known) -> None:
    """The item must be there for all members that it is made of; which they are, it may say."""
    members = {member.name: member for member in description.members}
    for number, name in enumerate(joined.of):
        if name not in members:
            near = close_names(name, list(members))
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(members)}"
            return at.below("of", number).say("MC110", f"there is no member {name!r}", hint=hint)
    ports = [frozenset(members[name].ports) for name in joined.of or members]
    return lint_template(joined.item, at=at.below("item"), known=replace(known, ports=frozenset.intersection(*ports)))


def _lint_own(members: list[str | MemberText], description: EnvironmentDescription, at: At) -> None:
    for number, (written, built) in enumerate(zip(members, description.members, strict=True)):
        if isinstance(written, str):
            continue
        place = at.below("members", number)
        known = replace(known_in(description), ports=frozenset(built.ports))
        binaries = frozenset(description.binaries)
        lint_command(written.command or (), at=place.below("command"), known=known, binaries=binaries)
        for name, value in (written.env or {}).items():
            lint_template(value, at=place.below("env", name), known=known)
        _lint_files(written.files, at=place, known=known)


def _lint_network(description: EnvironmentDescription, at: At) -> None:
    if description.network is None:
        return
    if SWITCH in {member.name for member in description.members} | {client.name for client in description.clients}:
        at.below("network").say(
            "MC110", f"{SWITCH!r} is also the name of the network's own process", hint="rename it", of_key=True
        )
    if description.metrics is not None and description.metrics.external is not None:
        said = "no server outside can scrape members that are in a network of their own"
        at.below("metrics").say("MC122", said, hint="name their own pages: metrics: {url: …}", of_key=True)


def _lint_checks(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    known = known_in(description)
    if description.ready is not None:
        lint_check(description.ready.check, at=at.below("ready"), known=known)
    for name, check in description.roles.items():
        lint_check(check, at=at.below("roles", name), known=known)
    lint_metrics(text.metrics, description, at=at.below("metrics"), known=replace(known, secrets=frozenset()))
