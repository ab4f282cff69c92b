"""The parts of an environment document that only an attached mesh has, secrets besides: as values, and what lint finds in them.

Refuses levers without an undo, a pause that could not be seen, keys of one kind of environment in a document of another, and
secrets where they would be recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from meshkit_chaos.faults import LeverName
from meshkit_chaos.scenario.checks import lint_check, lint_template
from meshkit_chaos.scenario.environment import EnvironmentDescription, LeverCommand, Observe
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_environment import (
    AskText,
    EnvironmentText,
    InjectingLeverText,
    LeversText,
    MemberText,
    ObserveText,
    UndoingLeverText,
)
from meshkit_chaos.scenario.reachable import known_in
from meshkit_chaos.scenario.templates import Known, references

_ONLY_ATTACHED: Final = ("host", "levers", "observe", "lever_timeout")
_NEVER_ATTACHED: Final = (
    *("command", "files", "logs", "stop_within", "simulated"),
    *("binaries", "clients", "network", "membership"),
)
_UNDO: Final[dict[LeverName, LeverName]] = {"kill": "start", "stop": "start", "pause": "resume"}
_BEFORE_ALL: Final = Known(ports=frozenset(), joined=frozenset(), secrets=frozenset(), member=("member.name", "member.index"))


def built_levers(text: LeversText | None) -> dict[LeverName, LeverCommand]:
    """The levers that are there, in the order of the catalogue."""
    return {name: _lever(found) for name, found in _levers(text)}


def _levers(text: LeversText | None) -> Iterator[tuple[LeverName, InjectingLeverText | UndoingLeverText]]:
    if text is None:
        return
    names: tuple[LeverName, ...] = ("kill", "stop", "start", "pause", "resume")
    for name in names:
        found = getattr(text, name)
        if found is not None:
            yield name, found


def _lever(text: InjectingLeverText | UndoingLeverText) -> LeverCommand:
    return LeverCommand(do=text.do, undo_with=text.undo_with if isinstance(text, InjectingLeverText) else None)


def built_observe(text: ObserveText | None) -> Observe | None:
    if text is None:
        return None
    return Observe(
        up=text.up.sighting(),
        paused=text.paused.sighting() if text.paused is not None else None,
        identity=_asked(text.identity),
        binary=_asked(text.binary),
        configuration=_asked(text.configuration),
    )


def _asked(text: AskText | None) -> tuple[str, ...]:
    return text.command if text is not None else ()


def lint_attached(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    """Find what does not fit the kind, and in an attached mesh what could not be undone or not be seen."""
    _lint_keys(text, at)
    _lint_ports(text, at)
    if text.kind != "attached":
        return
    for name in ("levers", "observe"):
        if getattr(text, name) is None:
            hint = "levers: {kill: {do: […], undo_with: start}, start: {do: […]}}" if name == "levers" else "observe: {up: …}"
            at.below("kind").say("MC122", f"an attached mesh needs the key {name!r}", hint=hint)
    _lint_undo(text, at.below("levers"))
    _lint_hosts(text, description, at)
    _lint_commands(text, description, at)


def _lint_keys(text: EnvironmentText, at: At) -> None:
    wrong = _NEVER_ATTACHED if text.kind == "attached" else _ONLY_ATTACHED
    for name in wrong:
        if getattr(text, name) is not None:
            why = "nothing of it is started or stopped here" if text.kind == "attached" else "only an attached mesh has it"
            message = f"the key {name!r} does not fit kind: {text.kind}; {why}"
            at.below(name).say("MC122", message, hint="remove it", of_key=True)
    for number, member in enumerate(text.members if isinstance(text.members, list) else ()):
        for own in ("command", "files") if text.kind == "attached" else ("host",):
            if isinstance(member, MemberText) and getattr(member, own) is not None:
                place = at.below("members", number, own)
                place.say("MC122", f"the key {own!r} does not fit kind: {text.kind}", hint="remove it", of_key=True)


def _lint_ports(text: EnvironmentText, at: At) -> None:
    wanted = dict if text.kind == "attached" else tuple
    hint = "write ports: {client: 2379}" if text.kind == "attached" else "write ports: [client]; free numbers are found"
    what = "numbers" if text.kind == "attached" else "no numbers"
    places = [(at.below("ports"), text.ports)]
    for number, member in enumerate(text.members if isinstance(text.members, list) else ()):
        if isinstance(member, MemberText):
            places.append((at.below("members", number, "ports"), member.ports))
    for place, ports in places:
        if ports and not isinstance(ports, wanted):
            place.say("MC122", f"the ports of kind: {text.kind} have {what}", hint=hint)


def _lint_undo(text: EnvironmentText, at: At) -> None:
    levers = dict(_levers(text.levers))
    for name, lever in levers.items():
        if not isinstance(lever, InjectingLeverText):
            continue
        undo = _UNDO[name]
        if lever.undo_with != undo:
            at.below(name, "undo_with").say("MC128", f"{lever.undo_with} does not undo {name}", hint=f"write undo_with: {undo}")
        elif undo not in levers:
            hint = f"add {undo}: {{do: […]}}"
            at.below(name).say("MC128", f"the lever {name} cannot be undone: there is no lever {undo}", hint=hint, of_key=True)
    if "pause" in levers and text.observe is not None and text.observe.paused is None:
        message = "whether a pause bit could not be seen: observe has no 'paused'"
        at.below("pause").say("MC128", message, hint="add observe.paused", of_key=True)


def _lint_hosts(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    known = replace(_BEFORE_ALL, vars=frozenset(description.vars))
    if text.host is not None:
        lint_template(text.host, at=at.below("host"), known=known)
    for number, member in enumerate(text.members if isinstance(text.members, list) else ()):
        if isinstance(member, MemberText) and member.host is not None:
            lint_template(member.host, at=at.below("members", number, "host"), known=known)


def _lint_commands(text: EnvironmentText, description: EnvironmentDescription, at: At) -> None:
    known = known_in(description)
    for name, lever in _levers(text.levers):
        _lint_arguments(lever.do, at.below("levers", name, "do"), known)
    if text.observe is None or description.observe is None:
        return
    place = at.below("observe")
    lint_check(description.observe.up.check, at=place.below("up"), known=known)
    if description.observe.paused is not None:
        lint_check(description.observe.paused.check, at=place.below("paused"), known=known)
    for asked in ("identity", "binary", "configuration"):
        _lint_arguments(getattr(description.observe, asked), place.below(asked, "command"), known)


def _lint_arguments(arguments: tuple[str, ...], at: At, known: Known) -> None:
    for number, argument in enumerate(arguments):
        lint_template(argument, at=at.below(number), known=known)


def lint_secrets(text: EnvironmentText, at: At) -> None:
    """A secret is used where its value goes to a program or over a wire, never where it would become a name of something."""
    secrets = text.secrets or {}
    for name in secrets:
        if name in (text.vars or {}):
            at.below("secrets", name).say("MC129", f"{name} is a variable too", hint="rename one of them", of_key=True)
    for name, default in (text.vars or {}).items():
        if any(reference.startswith("secret.") for reference in references(default)):
            message = "a variable's value is recorded; a secret's must not be"
            at.below("vars", name).say("MC129", message, hint="use ${secret.…} itself")
    url = (text.metrics.url if text.metrics is not None else None) or ""
    if any(reference.startswith("secret.") for reference in references(url)):
        hint = "let the member serve its metrics without a secret on an address of its own"
        at.below("metrics", "url").say("MC129", "the address of metrics is recorded; a secret in it would be too", hint=hint)
