"""``gate override``: a well-formed exception, appended to the file of overrides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import duration, pairs
from meshkit_chaos.cli.overrides_file import append
from meshkit_chaos.cli.reading import OVERRIDES, read_document, refused
from meshkit_chaos.clock import SystemClock, iso
from meshkit_chaos.errors import UsageError
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.gate.overrides import Override, Overrides


@click.command(
    "override",
    epilog="Example: meshkit-chaos gate override leader-killed converge-one-leader --within 9s --subject commit=9fceb02d "
    "--reason 'slower lease, fixed in 1.4.3' --ticket MESH-123 --author ann --approver bo --expires-in 7d",
)
@click.argument("scenario")
@click.argument("objective")
@click.option("--within", metavar="DURATION", help="Accept the objective's time up to this.")
@click.option("--failing-runs", type=click.IntRange(1, 1000), help="Accept so many failing runs of the objective.")
@click.option("--subject", "stated", metavar="KEY=VALUE", multiple=True, help="What it is for: commit or digest; repeatable.")
@click.option("--reason", help="Why this may be released.")
@click.option("--ticket", help="Where it is followed up.")
@click.option("--author", help="Who asks for it.")
@click.option("--approver", help="Who grants it: another person.")
@click.option("--second-approver", help="A third person; needed from the second renewal on.")
@click.option("--expires-in", metavar="DURATION", default="7d", show_default=True, help="When it ends, from now.")
@click.option("--review", help="The merged review that shows the approval.")
@click.option("--environment", help="The approval record of a protected environment.")
@click.option("--id", "name", help="Its name.  [default: made from the scenario and the instant]")
@click.option(
    "--overrides", type=click.Path(path_type=Path), default=Path(OVERRIDES), show_default=True, help="The file to append to."
)
@click.option(
    "--statement", is_flag=True, help="Print what an approver signs, of the override named by --id, and write nothing."
)
@click.option(
    "--log", "log", type=click.Path(path_type=Path), envvar="MESHKIT_CHAOS_GATE_LOG", show_envvar=True, help="The gate's log."
)
def override_command(
    scenario: str,
    objective: str,
    within: str | None,
    failing_runs: int | None,
    stated: tuple[str, ...],
    reason: str | None,
    ticket: str | None,
    author: str | None,
    approver: str | None,
    second_approver: str | None,
    expires_in: str,
    review: str | None,
    environment: str | None,
    name: str | None,
    overrides: Path,
    statement: bool,
    log: Path | None,
) -> int:
    """Accept that OBJECTIVE of SCENARIO did not pass, up to a number, for one build, for some days.

    Appends an entry to the file of overrides. It counts once it is on the protected branch, so have it reviewed.
    """
    if statement:
        return _print_statement(overrides, name, scenario, objective)
    now = SystemClock().wall_ns() // 10**9 * 10**9
    entry: dict[str, Any] = {
        "id": name or f"{scenario}-{iso(now)[:19].replace(':', '').replace('T', '-')}".lower(),
        "subject": pairs(stated, option="--subject"),
        "scenario": scenario,
        "objective": objective,
        "accept": {key: value for key, value in (("within", within), ("failing_runs", failing_runs)) if value is not None},
        "reason": reason,
        "ticket": ticket,
        "author": author,
        "approver": approver,
        "second_approver": second_approver,
        "created": f"{iso(now)[:19]}Z",
        "expires": f"{iso(now + duration(expires_in, option='--expires-in').ns)[:19]}Z",
        "proof": {key: value for key, value in (("review", review), ("environment", environment)) if value is not None} or None,
    }
    missing = [key for key in ("reason", "ticket", "author", "approver", "subject", "accept") if not entry[key]]
    if missing:
        options = {"accept": "--within or --failing-runs", "subject": "--subject commit=…"}
        raise UsageError(f"an override needs {', '.join(options.get(key, f'--{key}') for key in missing)}")
    written = append(overrides, {key: value for key, value in entry.items() if value is not None})
    say(f"{overrides}: added {written.id}; it counts once it is on the protected branch: commit it and have it reviewed")
    _log(written, log, now)
    return 0


def _print_statement(file: Path, name: str | None, scenario: str, objective: str) -> int:
    found = next(
        (one for one in _read(file).entries if one.id == name and (one.scenario, one.objective) == (scenario, objective)), None
    )
    if found is None:
        raise UsageError(f"{file} holds no override {name!r} of {scenario}, {objective}", hint="name it with --id")
    click.echo(found.statement(), nl=False)
    return 0


def _read(file: Path) -> Overrides:
    from meshkit_chaos.gate.load import read_overrides  # noqa: PLC0415  # start-up time

    data = read_document(file)
    loaded = read_overrides(data, path=str(file))
    if loaded.value is None:
        raise refused(loaded.problems, {str(file): data})
    return loaded.value


def _log(entry: Override, log: Path | None, now: int) -> None:
    if log is None:
        return
    from meshkit_chaos.gate.log import GateLog  # noqa: PLC0415  # start-up time

    body = {"sentence": f"{entry.id}: {entry.scenario}, {entry.objective} {entry.accept}, by {entry.approver}"}
    sealed = GateLog(log).append("override", {**body, "override": builtins(entry)}, at=now)
    say(f"log head {sealed.hash}")
