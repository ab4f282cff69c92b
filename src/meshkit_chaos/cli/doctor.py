"""``doctor``: what this machine can run, what it cannot, and what to do about it."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.environments.attached import missing_programs
from meshkit_chaos.environments.registry import registered, state_root
from meshkit_chaos.environments.resolving import lab_folder
from meshkit_chaos.environments.secrets import Secrets
from meshkit_chaos.environments.state import is_held, open_run, owned_state, quarantined
from meshkit_chaos.errors import CannotRun, ChaosError
from meshkit_chaos.scenario.environment import Network

Finding = tuple[str, bool, str]


@click.command("doctor", epilog="Example: meshkit-chaos doctor --format json")
@FORMAT
def doctor_command(form: str) -> int:
    """Say what this machine can and cannot run, and what to do about it. Ends with 2 if something essential is missing."""
    found = [finding for check in (_python, _processes, _folders, _lab, _network, _environments) for finding in check()]
    if form == "json":
        click.echo(json_text([{"what": what, "ok": ok, "detail": detail} for what, ok, detail in found]))
    else:
        for what, ok, detail in found:
            click.echo(f"{'ok     ' if ok else 'MISSING'}  {what:<22} {detail}")
    return 0 if all(ok for _, ok, _ in found) else 2


def _python() -> Iterator[Finding]:
    yield "Python", sys.version_info >= (3, 11), f"{platform.python_version()} ({sys.platform}, {platform.machine()})"


def _processes() -> Iterator[Finding]:
    """Levers on local processes need pidfds and readable ``/proc/*/environ``."""
    has_pidfd = _works(lambda: os.close(os.pidfd_open(os.getpid())))
    yield "pidfd", has_pidfd, "signals reach exactly the process meant" if has_pidfd else "needs Linux 5.3 or later"
    has_proc = _works(lambda: Path("/proc/self/environ").read_bytes())
    yield "/proc", has_proc, "members are found by their marker" if has_proc else "mount procfs: members cannot be found"


def _works(what: Callable[[], object]) -> bool:
    try:
        what()
    except (OSError, AttributeError):
        return False
    return True


def _folders() -> Iterator[Finding]:
    for name, folder in (("temporary folder", Path(tempfile.gettempdir())), ("state folder", state_root())):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        writable = os.access(existing, os.W_OK)
        yield name, writable, str(folder) if writable else f"{existing} is not writable; set TMPDIR or MESHKIT_CHAOS_STATE"


def _lab() -> Iterator[Finding]:
    folder = lab_folder()
    yield "lab (real etcd)", True, folder or "not installed: pip install 'meshkit-chaos[lab]'; demo runs on the simulated mesh"


def _network() -> Iterator[Finding]:
    """Only environments with ``network:`` need it, so that it is missing is no failure of the machine."""
    from meshkit_chaos.network.needs import refuse_where_impossible  # noqa: PLC0415  # start-up time

    try:
        ready = refuse_where_impossible(Network())
    except CannotRun as error:
        yield "network of members", True, f"not possible here: {error.message}"
        return
    where = "a user namespace of their own" if ready.user else "namespaces made as root"
    yield "network of members", True, f"links can be shaped ({ready.backend}), in {where}"


def _environments() -> Iterator[Finding]:
    for name in registered():
        folder = state_root() / name
        why = quarantined(folder)
        is_open = open_run(folder) is not None
        if is_open and is_held(folder, by="`doctor`"):
            yield f"environment {name}", True, "a run is at work on it"
        elif why is not None or is_open:
            detail = "; ".join(why.differences) if why else "a run on it crashed"
            yield f"environment {name}", False, f"{detail}: meshkit-chaos recover {name}"
        yield from _attached(name)


def _attached(name: str) -> Iterator[Finding]:
    """Whether a mesh that is attached could be handled, and faults on it undone, from here and now."""
    try:
        state = owned_state(state_root() / name)
        if state is None or state.description.kind != "attached":
            return
        missing = missing_programs(state)
        Secrets.of(state.description).refuse_missing()
    except ChaosError as error:
        yield f"environment {name}", False, f"{error.message} ({error.hint})" if error.hint else error.message
        return
    told = "; ".join(missing) or "attached; its commands and secrets are there"
    yield f"environment {name}", not missing, told
