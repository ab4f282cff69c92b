"""Members of a real etcd leave it and join it, also when whoever let them leave is dead."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lab_runs import Corner, assert_undone, let_pass

from meshkit_chaos import conformance as kit
from meshkit_chaos.cli.reading import load_environment_alone
from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.faults import CATALOGUE, LeverCall
from meshkit_chaos.journal import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EXAMPLE = Path(__file__).parents[2] / "examples" / "etcd"
ENVIRONMENT = "etcd-members.yaml"
SCENARIOS = "chaos-scenarios-members.yaml"


@pytest.fixture
def real(tmp_path: Path, etcd: None, monkeypatch: pytest.MonkeyPatch) -> kit.Case:
    """Three members that one of them can leave; another process can undo it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / "environment"

    @asynccontextmanager
    async def opened() -> AsyncIterator[Environment]:
        described = load_environment_alone(EXAMPLE / ENVIRONMENT)
        environment = ProcessEnvironment.planned(
            folder, described, environment_id="members", marker=ulid(SystemClock()), given={}
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

    fault = CATALOGUE["membership-surge"]
    return kit.Case(open=opened, elsewhere=elsewhere, fault=fault, targets=("etcd-2",))


async def _nobody(environment: Environment, calls: tuple[LeverCall, ...]) -> None:
    """Stands for another process where only the names of the rules are asked."""
    del environment, calls


@asynccontextmanager
async def _nothing() -> AsyncIterator[Environment]:
    raise AssertionError("only the names of the rules are asked")
    yield  # a generator all the same


RULES = kit.checks(kit.Case(open=_nothing, fault=CATALOGUE["membership-surge"], elsewhere=_nobody))


@pytest.mark.parametrize("check", RULES, ids=str)
def test_a_surge_of_real_members_keeps_the_rules(real: kit.Case, check: kit.Check) -> None:
    """etcd's own list shows who left and who is back, twice is once, and another process undoes it."""
    kit.hold(check, real)


@pytest.mark.parametrize(("seed", "kind"), list(enumerate([ev.FaultIntended, ev.FaultInjected, ev.RevertIntended])))
def test_nothing_is_left_when_the_runner_dies_while_members_move(corner: Corner, seed: int, kind: type) -> None:
    """Killed while one leaves, is out, or joins: no process and no data are left, and the run is no pass."""
    shutil.copy(EXAMPLE / ENVIRONMENT, corner.folder)
    shutil.copy(EXAMPLE / SCENARIOS, corner.folder / "chaos-scenarios.yaml")
    run = corner.run("member-comes-and-goes")
    run.reached(kind)
    let_pass(random.Random(seed).uniform(0, 0.5))
    run.strike()
    assert run.ended() == -signal.SIGKILL
    corner.gone(what="member moving")
    assert assert_undone(run).outcome == "crashed"
