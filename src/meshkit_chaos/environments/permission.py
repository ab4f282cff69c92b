"""Which commands documents hold, and whether the operator allowed them.

Members of a ``process`` environment are its own work: naming its document is the permission to start them. Every other command
(levers, observations, roles, readiness, probes, prerequisites) runs only where it was allowed, and what is allowed is exactly
the argument lists of the documents that were there when it was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.errors import CannotRun
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.model import CheckPrerequisite, Scenario
from meshkit_chaos.slo import Check, CommandCheck

Allowed = frozenset[tuple[str, ...]]
NOTHING: Final[Allowed] = frozenset()
_MOST_TOLD: Final = 12


@dataclass(frozen=True, slots=True)
class CommandUse:
    """A command as the document has it, templates unfilled, and where it stands."""

    where: str
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where}: {json.dumps(self.argv, ensure_ascii=False)}"


def allowed(uses: Iterable[CommandUse]) -> Allowed:
    return frozenset(use.argv for use in uses)


def commands_of(description: EnvironmentDescription) -> tuple[CommandUse, ...]:
    """What an environment would run besides its members."""
    return tuple(_of_environment(description))


def _of_environment(description: EnvironmentDescription) -> Iterator[CommandUse]:
    about = f"environment {description.name}"
    for lever, command in description.levers.items():
        yield CommandUse(f"{about}, lever {lever}", command.do)
    if (observe := description.observe) is not None:
        yield from _of_check(f"{about}, observe up", observe.up.check)
        if observe.paused is not None:
            yield from _of_check(f"{about}, observe paused", observe.paused.check)
        for name, argv in (
            ("identity", observe.identity),
            ("binary", observe.binary),
            ("configuration", observe.configuration),
        ):
            if argv:
                yield CommandUse(f"{about}, observe {name}", argv)
    if description.ready is not None:
        yield from _of_check(f"{about}, ready", description.ready.check)
    for client in description.clients:
        if client.ready is not None:
            yield from _of_check(f"{about}, client {client.name}, ready", client.ready.check)
    for name, check in description.roles.items():
        yield from _of_check(f"{about}, role {name}", check)


def commands_in(scenarios: Iterable[Scenario]) -> tuple[CommandUse, ...]:
    """What scenarios would run, each command once."""
    return tuple(dict.fromkeys(use for scenario in scenarios for use in _of_scenario(scenario)))


def _of_scenario(scenario: Scenario) -> Iterator[CommandUse]:
    for indicator in scenario.indicators:
        if indicator.probe is not None:
            yield from _of_check(f"scenario {scenario.id}, probe {indicator.name}", indicator.probe.check)
    for need in scenario.prerequisites:
        if isinstance(need, CheckPrerequisite):
            yield from _of_check(f"scenario {scenario.id}, prerequisite {need.name}", need.check)


def _of_check(where: str, check: Check) -> Iterator[CommandUse]:
    if isinstance(check, CommandCheck):
        yield CommandUse(where, check.argv)


def refuse(uses: Iterable[CommandUse]) -> None:
    """Raises CannotRun that shows every command that would have been run, if there is one."""
    listed = [str(use) for use in uses]
    if not listed:
        return
    more = f"\n  … and {len(listed) - _MOST_TOLD} more" if len(listed) > _MOST_TOLD else ""
    shown = "".join(f"\n  {line}" for line in listed[:_MOST_TOLD]) + more
    count = (
        "1 command, which runs only where you allow it"
        if len(listed) == 1
        else f"{len(listed)} commands, which run only where you allow them"
    )
    raise CannotRun(
        f"the documents hold {count}:{shown}",
        hint="read them; then add --allow-commands, or set MESHKIT_CHAOS_ALLOW_COMMANDS=1",
    )
