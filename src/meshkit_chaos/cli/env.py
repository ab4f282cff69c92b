"""``env up | down | status``: an environment that outlives a run."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path
from typing import Final

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.built import BUILT, as_built
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.options import ALLOW, FORMAT, VARS, json_text, pairs
from meshkit_chaos.cli.places import attach, permitted
from meshkit_chaos.cli.reading import load_environment_alone
from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments.opening import StandingEnvironment, open_environment
from meshkit_chaos.environments.permission import commands_of
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.registry import environment_folder, registered
from meshkit_chaos.environments.secrets import Secrets
from meshkit_chaos.environments.state import STATE, EnvironmentState, is_held, leased, open_run, quarantined
from meshkit_chaos.errors import CannotRun, ChaosError, EnvironmentDirty, EnvironmentProblem, UsageError
from meshkit_chaos.slo import Duration

_INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.group("env", cls=Group, epilog="Example: meshkit-chaos env up etcd-lab.yaml && meshkit-chaos run --env etcd-lab")
def env_command() -> None:
    """Start, stop and look at an environment that outlives a run."""


@env_command.command("up", epilog="Example: meshkit-chaos env up etcd-lab.yaml --name lab-1")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Its id.  [default: the name in the file]")
@VARS
@BUILT
@ALLOW
@FORMAT
def up_command(file: Path, name: str | None, given: tuple[str, ...], built: Path | None, allow: bool, form: str) -> int:
    """Deploy the environment of FILE and leave it up. One of kind attached is only registered: it already runs."""
    described = load_environment_alone(file)
    if built is not None and described.kind != "process":
        raise UsageError(f"--built is about binaries that are deployed, and kind: {described.kind} deploys none")
    if described.kind == "attached":
        state = attach(
            described, pairs(given, option="--var"), environment_id=name or described.name, allow=allow, wait=Duration(0)
        )
        return _show_attached(state, form)
    if described.kind != "process":
        raise UsageError(f"an environment of kind {described.kind} exists only during a run", hint="use kind: process")
    described = as_built(described, built)
    environment_id = name or described.name
    folder = environment_folder(environment_id)
    with leased(folder, holder="`env up`"):
        _refuse_running(folder, environment_id)
        Secrets.of(described).refuse_missing()
        environment = ProcessEnvironment.planned(
            folder,
            described,
            environment_id=environment_id,
            marker=ulid(SystemClock()),
            given=pairs(given, option="--var"),
            may_run=permitted(commands_of(described), allow=allow),
        )
        try:
            members = asyncio.run(_deploy(environment))
        except ChaosError:
            if not asyncio.run(_something_up(folder)):
                (folder / STATE).unlink(missing_ok=True)  # nothing of it runs: it never came up
            raise
    if form == "json":
        click.echo(json_text({"id": environment_id, "members": members}))
    else:
        click.echo(f"{environment_id} is up: {', '.join(f'{name} (pid {pid})' for name, pid in members.items())}")
    return 0


async def _something_up(folder: Path) -> bool:
    loaded = open_environment(folder)
    if loaded is None:
        return False
    try:
        return loaded.same_boot and any(state.up for state in (await loaded.observe()).values())
    finally:
        await loaded.close()


def _show_attached(state: EnvironmentState, form: str) -> int:
    """Look once, so that an observation that cannot be made is seen now and not in the first run."""
    seen = status_of(state.id)["members"]
    assert isinstance(seen, dict)
    if form == "json":
        click.echo(json_text({"id": state.id, "members": seen}))
    else:
        click.echo(f"{state.id} is attached: {', '.join(f'{name} {what}' for name, what in seen.items())}; nothing was touched")
    return 0


async def _deploy(environment: ProcessEnvironment) -> dict[str, int]:
    """All or nothing: what was started is ended again if one member does not get ready, or somebody interrupts."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None
    for number in _INTERRUPTS:
        loop.add_signal_handler(number, me.cancel)
    try:
        return {member.name: member.pid for member in await environment.deploy()}
    except EnvironmentProblem:
        await environment.teardown()
        raise
    except asyncio.CancelledError:
        left = await environment.teardown()
        raise CannotRun("interrupted; " + ("; ".join(left) or "what was started was ended again")) from None
    finally:
        await environment.close()


def _refuse_running(folder: Path, environment_id: str) -> None:
    if asyncio.run(_something_up(folder)):
        raise CannotRun(f"environment {environment_id} is already up", hint=f"`meshkit-chaos env down {environment_id}`")


@env_command.command("down", epilog="Example: meshkit-chaos env down etcd-lab")
@click.argument("environment_id", metavar="ID")
def down_command(environment_id: str) -> int:
    """End every process of environment ID, remove its data and forget it. Ends with 3 if something is left."""
    folder = environment_folder(environment_id)
    loaded = open_environment(folder)
    if loaded is None:
        raise UsageError(f"there is no environment {environment_id!r}", hint=f"there are: {', '.join(registered()) or 'none'}")
    with leased(folder, holder="`env down`"):
        attached = _end(loaded, folder, environment_id)
    said = "is no longer attached; the mesh itself was not touched" if attached else "is down; nothing of it is left"
    say(f"{environment_id} {said}")
    return 0


def _end(loaded: StandingEnvironment, folder: Path, environment_id: str) -> bool:
    """End it and forget it; whether it was an attached one."""
    attached = loaded.state.description.kind == "attached"
    if attached and (quarantined(folder) is not None or open_run(folder) is not None):
        raise EnvironmentDirty(
            f"environment {environment_id} may still be under a fault: what would undo it must not be forgotten",
            hint=f"meshkit-chaos recover {environment_id}; if that cannot be, remove {folder} once the mesh is right again",
        )

    async def end() -> tuple[str, ...]:
        left = await loaded.teardown() if loaded.same_boot else ()
        await loaded.close()
        return left

    left = asyncio.run(end())
    if left:
        raise EnvironmentDirty(
            f"environment {environment_id}: {'; '.join(left)}", hint="end what is named there, then try again"
        )
    shutil.rmtree(folder)
    return attached


@env_command.command("status", epilog="Example: meshkit-chaos env status --format json")
@click.argument("environment_id", metavar="[ID]", required=False)
@FORMAT
def status_command(environment_id: str | None, form: str) -> int:
    """Show every environment (or ID): its members, whether it is dirty, whether a run on it is open.

    Ends with 3 if one is dirty, or a run on it crashed and was never undone.
    """
    if environment_id is not None and environment_id not in registered():
        raise UsageError(f"there is no environment {environment_id!r}", hint=f"there are: {', '.join(registered()) or 'none'}")
    told = [status_of(name) for name in ((environment_id,) if environment_id else registered())]
    if form == "json":
        click.echo(json_text(told))
    elif not told:
        click.echo("no environment is up")
    else:
        click.echo("\n".join(_line(status) for status in told))
    return EnvironmentDirty.exit_code if any(status["dirty"] or status["needs_recover"] for status in told) else 0


def status_of(environment_id: str) -> dict[str, object]:
    """One environment as data."""
    folder = environment_folder(environment_id)
    try:
        loaded = open_environment(folder)
    except EnvironmentProblem as error:  # one that cannot be read must not hide the others
        return {"id": environment_id, "members": {}, "dirty": [error.message], "open_run": "", "needs_recover": False}

    async def look() -> dict[str, str]:
        if loaded is None:
            return {}
        try:
            seen = await loaded.observe()
        except EnvironmentProblem as error:
            return dict.fromkeys((spec.name for spec in loaded.state.members), f"not to be seen ({error.message})")
        finally:
            await loaded.close()
        return {name: "paused" if state.paused else "up" if state.up else "down" for name, state in seen.items()}

    why = quarantined(folder)
    left = open_run(folder)
    return {
        "id": environment_id,
        "members": asyncio.run(look()),
        "dirty": list(why.differences) if why else [],
        "open_run": left.run if left is not None else "",
        "needs_recover": left is not None and not is_held(folder, by="`env status`"),
    }


def _line(status: dict[str, object]) -> str:
    members = status["members"]
    assert isinstance(members, dict)
    said = ", ".join(f"{name} {state}" for name, state in members.items()) or "not deployed"
    dirty = status["dirty"]
    assert isinstance(dirty, list)
    more = f"; DIRTY: {'; '.join(dirty)}" if dirty else ""
    run = f"; a run on it is open: {status['open_run']}" if status["open_run"] else ""
    if status["needs_recover"]:
        run = f"; a run on it crashed: meshkit-chaos recover {status['id']}"
    return f"{status['id']}: {said}{more}{run}"
