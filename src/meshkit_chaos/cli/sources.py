"""From an environment that is there to the metric server that scrapes it, and to Grafana where faults are to be marked."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from meshkit_chaos.clock import Clock
from meshkit_chaos.environments.attached import AttachedEnvironment
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.environments.templates import render
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.measure.annotations import Annotator
from meshkit_chaos.measure.connecting import Connection
from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.scenario.environment import EnvironmentDescription


def connection_for(description: EnvironmentDescription, environment: Environment, clock: Clock) -> Connection | None:
    """How the server is asked that scrapes the members; None where we scrape them ourselves."""
    external = description.metrics.external if description.metrics is not None else None
    if external is None:
        return None
    if not isinstance(environment, ProcessEnvironment | AttachedEnvironment):
        raise CannotRun(f"nothing scrapes an environment of kind {description.kind}", hint="write `url` below `metrics`")
    members = {spec.name: spec.values for spec in environment.state.members}
    first = next(iter(members.values()), {})
    return Connection(
        external=external,
        values={name: render(external.member_value, values) for name, values in members.items()},
        folder=Path(description.path).parent,
        clock=clock,
        variables={name.removeprefix("var."): text for name, text in first.items() if name.startswith("var.")},
    )


def annotator_for(description: EnvironmentDescription, environment: Environment, clock: Clock) -> Annotator | None:
    """Who writes fault windows into Grafana, where that was asked for."""
    external = description.metrics.external if description.metrics is not None else None
    if external is None or external.grafana is None or not external.grafana.annotations:
        return None

    def connect() -> AbstractAsyncContextManager[Exchange]:
        connection = connection_for(description, environment, clock)  # its variables are known once there are members
        assert connection is not None
        return connection.exchange()

    return Annotator(connect)
