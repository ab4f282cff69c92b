"""Open the environment whose state lies in a folder, of whatever kind it is: for runs on it, the watchdog and ``recover``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from meshkit_chaos.environments.attached import AttachedEnvironment, attached_capabilities
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.permission import Allowed
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.environments.secrets import Secrets
from meshkit_chaos.environments.state import EnvironmentState, owned_state
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.plan import Capabilities
from meshkit_chaos.scenario.environment import EnvironmentDescription


class StandingEnvironment(Environment, Protocol):
    """An environment that is there when a run begins, and whose state can be read by other processes."""

    @property
    def state(self) -> EnvironmentState:
        """What is known of it, without any secret's value."""
        ...

    @property
    def secrets(self) -> Secrets: ...

    @property
    def same_boot(self) -> bool:
        """Whether its members can still be those of its state."""
        ...

    def allow(self, more: Allowed) -> None:
        """Let more commands be run than its own."""
        ...

    async def quiesce(self) -> tuple[str, ...]:
        """End whatever a dead runner left that still acts on the mesh; say what would not end."""
        ...


def open_environment(folder: Path) -> StandingEnvironment | None:
    """None if none was ever deployed or attached there. Raises EnvironmentProblem for what is not ours or not whole."""
    state = owned_state(folder)
    if state is None:
        return None
    match state.description.kind:
        case "attached":
            return AttachedEnvironment(state, folder)
        case "process":
            return ProcessEnvironment.of(state)
        case kind:
            raise EnvironmentProblem(f"an environment of kind {kind} has no state, and yet {folder} holds one")


def capabilities_by_kind(description: EnvironmentDescription) -> Capabilities:
    """What an environment can do, said before it is there."""
    return attached_capabilities(description) if description.kind == "attached" else capabilities_of(description)
