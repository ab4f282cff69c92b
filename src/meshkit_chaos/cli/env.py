"""``env up | down | status``: an environment that outlives a run."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import FORMAT, VARS, json_text, pairs
from meshkit_chaos.cli.reading import load_environment_alone
from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.registry import environment_folder, registered
from meshkit_chaos.environments.state import OPEN_RUN, quarantined, take_lease
from meshkit_chaos.errors import CannotRun, EnvironmentDirty, EnvironmentProblem, UsageError


@click.group("env", epilog="Example: meshkit-chaos env up etcd-lab.yaml && meshkit-chaos run --env etcd-lab")
def env_command() -> None:
    """Start, stop and look at an environment that outlives a run."""


@env_command.command("up", epilog="Example: meshkit-chaos env up etcd-lab.yaml --name lab-1")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Its id.  [default: the name in the file]")
@VARS
@FORMAT
def up_command(file: Path, name: str | None, given: tuple[str, ...], form: str) -> int:
    """Deploy the environment of FILE and leave it up."""
    described = load_environment_alone(file)
    if described.kind != "process":
        raise UsageError(f"an environment of kind {described.kind} exists only during a run", hint="use kind: process")
    environment_id = name or described.name
    folder = environment_folder(environment_id)
    lease = take_lease(folder, holder="`env up`")
    _refuse_running(folder, environment_id)
    environment = ProcessEnvironment.planned(
        folder, described, environment_id=environment_id, marker=ulid(SystemClock()), given=pairs(given, option="--var")
    )
    del lease  # held until this command ends
    members = asyncio.run(_deploy(environment))
    if form == "json":
        click.echo(json_text({"id": environment_id, "members": members}))
    else:
        click.echo(f"{environment_id} is up: {', '.join(f'{name} (pid {pid})' for name, pid in members.items())}")
    return 0


async def _deploy(environment: ProcessEnvironment) -> dict[str, int]:
    """All or nothing: what was started is ended again if one member does not get ready."""
    try:
        return {member.name: member.pid for member in await environment.deploy()}
    except EnvironmentProblem:
        await environment.teardown()
        raise
    finally:
        await environment.close()


def _refuse_running(folder: Path, environment_id: str) -> None:
    loaded = ProcessEnvironment.load(folder)
    if loaded is None:
        return

    async def up() -> bool:
        try:
            return any(state.up for state in (await loaded.observe()).values())
        finally:
            await loaded.close()

    if loaded.same_boot and asyncio.run(up()):
        raise CannotRun(f"environment {environment_id} is already up", hint=f"`meshkit-chaos env down {environment_id}`")


@env_command.command("down", epilog="Example: meshkit-chaos env down etcd-lab")
@click.argument("environment_id", metavar="ID")
def down_command(environment_id: str) -> int:
    """End every process of environment ID, remove its data and forget it. Ends with 3 if something is left."""
    folder = environment_folder(environment_id)
    loaded = ProcessEnvironment.load(folder)
    if loaded is None:
        raise UsageError(f"there is no environment {environment_id!r}", hint=f"there are: {', '.join(registered()) or 'none'}")
    take_lease(folder, holder="`env down`")

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
    say(f"{environment_id} is down; nothing of it is left")
    return 0


@env_command.command("status", epilog="Example: meshkit-chaos env status --format json")
@click.argument("environment_id", metavar="[ID]", required=False)
@FORMAT
def status_command(environment_id: str | None, form: str) -> int:
    """Show every environment (or ID): its members, whether it is dirty, whether a run on it is open.

    Ends with 3 if one is dirty.
    """
    names = (environment_id,) if environment_id else registered()
    told = [status_of(name) for name in names]
    if form == "json":
        click.echo(json_text(told))
    elif not told:
        click.echo("no environment is up")
    else:
        click.echo("\n".join(_line(status) for status in told))
    return EnvironmentDirty.exit_code if any(status["dirty"] for status in told) else 0


def status_of(environment_id: str) -> dict[str, object]:
    """One environment as data."""
    folder = environment_folder(environment_id)
    loaded = ProcessEnvironment.load(folder)
    if loaded is None:
        return {"id": environment_id, "members": {}, "dirty": [], "open_run": ""}

    async def look() -> dict[str, str]:
        try:
            seen = await loaded.observe()
        finally:
            await loaded.close()
        return {name: "paused" if state.paused else "up" if state.up else "down" for name, state in seen.items()}

    why = quarantined(folder)
    open_run = folder / OPEN_RUN
    return {
        "id": environment_id,
        "members": asyncio.run(look()),
        "dirty": list(why.differences) if why else [],
        "open_run": open_run.read_text(encoding="utf-8") if open_run.exists() else "",
    }


def _line(status: dict[str, object]) -> str:
    members = status["members"]
    assert isinstance(members, dict)
    said = ", ".join(f"{name} {state}" for name, state in members.items()) or "not deployed"
    dirty = status["dirty"]
    assert isinstance(dirty, list)
    more = f"; DIRTY: {'; '.join(dirty)}" if dirty else ""
    run = f"; a run on it is open: {status['open_run']}" if status["open_run"] else ""
    return f"{status['id']}: {said}{more}{run}"
