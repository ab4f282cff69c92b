"""``history lease``: one holder at a time for an environment that several machines share, kept in the history's database."""

from __future__ import annotations

import os
import socket
import time

import click

from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.histories import open_history, placed
from meshkit_chaos.cli.options import FORMAT, duration, json_text
from meshkit_chaos.errors import EnvironmentBusy
from meshkit_chaos.history.leases import Lease, Leases
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import builtins

_POLL_S = 0.5
_NAME = click.argument("name")
_TOKEN = click.option("--token", type=click.IntRange(1), required=True, help="The fencing token that `take` gave.")
_LASTING = click.option(
    "--for", "lasting", default="15m", show_default=True, metavar="DURATION", help="How long it is held if nobody renews it."
)


@click.group("lease", cls=Group, epilog="Example: meshkit-chaos history lease take staging --for 30m --wait 1h")
def lease_command() -> None:
    """Hold a shared environment: one holder at a time, for a bounded time."""


@lease_command.command("take", epilog="Example: meshkit-chaos history lease take staging --for 30m --wait 1h")
@_NAME
@placed
@click.option("--holder", help="Who holds it.  [default: user, host and process]")
@_LASTING
@click.option("--wait", default="0s", show_default=True, metavar="DURATION", help="How long to wait for another holder.")
@FORMAT
def take_command(name: str, history: str, artifacts: str | None, holder: str | None, lasting: str, wait: str, form: str) -> int:
    """Take the lease NAME and print its fencing token. Ends with 2 if somebody else holds it for longer than --wait."""
    with open_history(history, artifacts=artifacts, make=True) as opened:
        lease = take(
            Leases(opened.database),
            name,
            holder=holder or this_process(),
            lasting=duration(lasting, option="--for"),
            wait=duration(wait, option="--wait"),
        )
    click.echo(json_text(builtins(lease)) if form == "json" else str(lease.token))
    return 0


def take(leases: Leases, name: str, *, holder: str, lasting: Duration, wait: Duration) -> Lease:
    """Take a lease, asking again until it is free or the wait is over. Raises EnvironmentBusy."""
    left = wait.seconds
    while (lease := leases.take(name, holder=holder, lasting=lasting)) is None:
        held = leases.look(name)
        if held is not None and left <= 0:
            raise EnvironmentBusy(
                f"the lease {name} is held by {held.holder} for another {Duration(held.left // 10**9 * 10**9)}",
                hint="wait for it with --wait, or choose another environment",
            )
        time.sleep(_POLL_S)
        left -= _POLL_S
    return lease


def this_process() -> str:
    """A holder's name that tells people whom to ask."""
    return f"pid {os.getpid()} on {socket.gethostname()}"


@lease_command.command("renew", epilog="Example: meshkit-chaos history lease renew staging --token 7 --for 30m")
@_NAME
@placed
@_TOKEN
@_LASTING
@FORMAT
def renew_command(name: str, history: str, artifacts: str | None, token: int, lasting: str, form: str) -> int:
    """Hold the lease NAME longer, counted from now. Ends with 2 if it was lost: then stop what it was for."""
    with open_history(history, artifacts=artifacts) as opened:
        lease = Leases(opened.database).renew(name, token=token, lasting=duration(lasting, option="--for"))
    if lease is None:
        raise EnvironmentBusy(f"the lease {name} with token {token} was lost", hint="stop, and take it anew")
    click.echo(json_text(builtins(lease)) if form == "json" else f"held for another {lasting}")
    return 0


@lease_command.command("release", epilog="Example: meshkit-chaos history lease release staging --token 7")
@_NAME
@placed
@_TOKEN
@FORMAT
def release_command(name: str, history: str, artifacts: str | None, token: int, form: str) -> int:
    """Give the lease NAME back. Ends with 2 if it had been lost before."""
    with open_history(history, artifacts=artifacts) as opened:
        if not Leases(opened.database).release(name, token=token):
            raise EnvironmentBusy(f"the lease {name} with token {token} was lost before", hint="look who came in between")
    click.echo(json_text({"name": name, "token": token, "released": True}) if form == "json" else "released")
    return 0


@lease_command.command("list", epilog="Example: meshkit-chaos history lease list")
@placed
@FORMAT
def list_command(history: str, artifacts: str | None, form: str) -> int:
    """List the leases that are held now."""
    with open_history(history, artifacts=artifacts) as opened:
        held = Leases(opened.database).held()
    if form == "json":
        click.echo(json_text(builtins(held)))
    else:
        for one in held:
            click.echo(f"{one.name}  {one.holder}  token {one.token}  for {Duration(one.left // 10**9 * 10**9)}")
    return 0
