"""The binaries and the clients of an environment document: as values, and what lint finds in them.

Refuses a binary that would be run in another way than as what was verified, and clients where none can be.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.checks import lint_check, lint_template, lint_url
from meshkit_chaos.scenario.environment import BinaryDescription, ClientDescription, EnvironmentDescription, Ready
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_environment import ClientText, EnvironmentText
from meshkit_chaos.scenario.grammar_native import BinaryText
from meshkit_chaos.scenario.reachable import known_in
from meshkit_chaos.scenario.templates import EVERY_MEMBER, Known
from meshkit_chaos.slo import Duration

_OF_BINARY: Final = re.compile(r"\$\{binary\.([^{}$\s]*)\}")


def binary_of(command: tuple[str, ...]) -> str:
    """The binary that a command runs; empty where it runs another program."""
    found = _OF_BINARY.fullmatch(command[0]) if command else None
    return found[1] if found is not None else ""


def built_binaries(texts: dict[str, BinaryText] | None) -> dict[str, BinaryDescription]:
    return {name: _binary(name, text) for name, text in (texts or {}).items()}


def _binary(name: str, text: BinaryText) -> BinaryDescription:
    return BinaryDescription(
        name=name,
        path=text.path,
        build=text.build or (),
        folder=text.folder or ".",
        timeout=text.timeout or Duration.parse(defaults.BUILD_TIMEOUT),
        pass_on=tuple(text.pass_on or ()),
        forbid_output=tuple(text.forbid_output or ()),
        runtime=text.runtime or "",
        native=text.native or "required",
        digest=text.digest or "",
        sbom=text.sbom or "",
    )


def built_clients(texts: list[ClientText] | None) -> tuple[ClientDescription, ...]:
    return tuple(_client(text) for text in texts or ())


def _client(text: ClientText) -> ClientDescription:
    ready = text.ready
    return ClientDescription(
        name=text.name,
        command=text.command,
        env=dict(text.env or {}),
        ports=tuple(text.ports or ()),
        metrics=text.metrics or "",
        ready=Ready(check=ready.value(), within=ready.within or Duration.parse(defaults.READY_WITHIN)) if ready else None,
    )


def lint_command(arguments: tuple[str, ...], *, at: At, known: Known, binaries: frozenset[str]) -> None:
    """A binary is a command's whole first argument: behind another program, that program would be what is run."""
    for number, argument in enumerate(arguments):
        place = at.below(number)
        if "${binary." not in argument:
            lint_template(argument, at=place, known=known)
        elif number == 0 and _OF_BINARY.fullmatch(argument):
            lint_template(argument, at=place, known=replace(known, binaries=binaries))
        else:
            hint = 'command: ["${binary.NAME}", …]'
            place.say("MC141", "a binary is run as the program itself: it is the whole first argument", hint=hint)


def lint_native(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    """Find binaries at places that depend on what is not known yet, and clients that could not be told from members."""
    variables = Known(ports=frozenset(), joined=frozenset(), secrets=frozenset(), vars=frozenset(description.vars), member=())
    for name, binary in (text.binaries or {}).items():
        lint_template(binary.path, at=at.below("binaries", name, "path"), known=variables)
        for position, argument in enumerate(binary.build or ()):
            if "${" in argument:
                place = at.below("binaries", name, "build", position)
                place.say("MC116", "a build command has no templates", hint="write the argument out")
    names = {member.name for member in description.members}
    for number, client in enumerate(text.clients or ()):
        place = at.below("clients", number)
        if isinstance(client.ports, dict):
            place.below("ports").say("MC122", "the ports of clients have no numbers", hint="write ports: [metrics]")
        if client.name in names:
            place.below("name").say("MC110", f"two members or clients are called {client.name!r}", hint="rename one of them")
        names.add(client.name)
        _lint_client(client, description, place)


def _lint_client(client: ClientText, description: EnvironmentDescription, at: At) -> None:
    known = replace(known_in(description), ports=frozenset(client.ports or ()), member=EVERY_MEMBER)
    lint_command(client.command, at=at.below("command"), known=known, binaries=frozenset(description.binaries))
    for name, value in (client.env or {}).items():
        lint_template(value, at=at.below("env", name), known=known)
    if client.metrics is not None:
        lint_template(client.metrics, at=at.below("metrics"), known=replace(known, secrets=frozenset()))
        lint_url(client.metrics, at=at.below("metrics"))
    if client.ready is not None:
        lint_check(client.ready.value(), at=at.below("ready"), known=known)
