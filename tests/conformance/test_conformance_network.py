"""The conformance kit on links that are there: members in a network of their own that never stop talking to each other."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from test_conformance import ANYWHERE, OF_A_FAULT, PARAMETERS
from virtual_runs import described

from meshkit_chaos import conformance as kit
from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.faults import CATALOGUE, LeverCall
from meshkit_chaos.network.needs import refuse_where_impossible
from meshkit_chaos.scenario.environment import Network

pytestmark = [pytest.mark.lab, pytest.mark.slow]
CHATTER = (
    "import socket, sys, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "while True:\n"
    " for peer in sys.argv[1].split(','):\n"
    "  for port in (53, 7000): s.sendto(bytes(300), (peer, port))\n"
    " time.sleep(0.005)"
)
TALKERS = f"""
version: 1
name: talkers
kind: process
network: isolated
members: {{count: 3, name: "node-${{index}}"}}
joined: {{all: {{item: "${{member.host}}"}}}}
command: ["{sys.executable}", -I, -S, -c, {CHATTER!r}, "${{joined.all}}"]
"""
"""Each sends two datagrams to all others two hundred times a second, one of them as if to a name server."""


@pytest.fixture
def talkers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> kit.Case:
    try:
        refuse_where_impossible(Network())
    except CannotRun as error:
        pytest.skip(error.message)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / "environment"

    @asynccontextmanager
    async def opened() -> AsyncIterator[Environment]:
        environment = ProcessEnvironment.planned(
            folder, described(TALKERS), environment_id="talkers", marker=ulid(SystemClock()), given={}
        )
        try:
            await environment.deploy()
            yield environment
        finally:
            await environment.teardown()
            await environment.close()

    async def elsewhere(environment: Environment, calls: tuple[LeverCall, ...]) -> None:
        del environment
        await kit.undo_elsewhere(folder, calls)

    return kit.Case(open=opened, elsewhere=elsewhere)


OF_LINKS = [kind for kind, fault in CATALOGUE.items() if "shape" in fault.pulls]


@pytest.mark.parametrize("check", ANYWHERE, ids=str)
def test_members_in_a_network_keep_the_rules(talkers: kit.Case, check: kit.Check) -> None:
    """With links to shape, the environment's rules are the same, and teardown takes the network too."""
    kit.hold(check, talkers)


@pytest.mark.parametrize("kind", OF_LINKS)
@pytest.mark.parametrize("check", OF_A_FAULT, ids=str)
def test_every_fault_of_links_keeps_the_rules_on_real_ones(talkers: kit.Case, kind: str, check: kit.Check) -> None:
    """Each kind is counted by who handles the packets, and is lifted from wherever it was left, by another process too."""
    case = kit.Case(
        open=talkers.open,
        elsewhere=talkers.elsewhere,
        fault=CATALOGUE[kind],
        targets=("node-2",),
        parameters=PARAMETERS.get(kind, {}),
    )
    kit.hold(check, case)
