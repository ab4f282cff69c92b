"""``history prune | rebuild | verify | invalidate``: keeping a history small, believable, and honest about bad runs."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.histories import derived_documents, open_history, placed
from meshkit_chaos.cli.history import PROBLEMS
from meshkit_chaos.cli.options import FORMAT, duration, json_text
from meshkit_chaos.cli.reading import POLICY
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.history.checking import Checked, rebuild, verify
from meshkit_chaos.history.pruning import carry_out, forget_deliveries, forget_logs, old_deliveries, old_logs, plan_prune
from meshkit_chaos.history.retention import Compared, Fate, Rules
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.past import columns, when


@click.command("verify", epilog="Example: meshkit-chaos history verify")
@placed
@FORMAT
def verify_command(history: str, artifacts: str | None, form: str) -> int:
    """Check every bundle against its digest, judge it again, and compare the index with that. Ends with 2 for any problem."""
    with open_history(history, artifacts=artifacts) as opened:
        return _tell(verify(opened), form)


@click.command("rebuild", epilog="Example: meshkit-chaos history rebuild")
@placed
@FORMAT
def rebuild_command(history: str, artifacts: str | None, form: str) -> int:
    """Make the index again from bundles and marks, as after a new version that judges better. Ends with 2 for any problem."""
    with open_history(history, artifacts=artifacts, make=True) as opened:
        return _tell(rebuild(opened, documents=derived_documents), form)


def _tell(checked: Checked, form: str) -> int:
    if form == "json":
        problems = [{"name": name, "why": why} for name, why in checked.problems]
        counts = {"invocations": checked.invocations, "marks": checked.marks, "deliveries": checked.deliveries}
        click.echo(json_text({**counts, "problems": problems}))
    else:
        for name, why in checked.problems:
            click.echo(f"{name}: {why}")
        wrong = counted(len(checked.problems), "problem") if checked.problems else "all as it should be"
        records = f", {counted(checked.deliveries, 'delivery record')}" if checked.deliveries else ""
        click.echo(f"{counted(checked.invocations, 'invocation')}, {counted(checked.marks, 'mark')}{records}: {wrong}")
    return PROBLEMS if checked.problems else 0


@click.command("prune", epilog="Example: meshkit-chaos history prune --keep 90d --keep-subject version --yes")
@placed
@click.option("--keep", default="90d", show_default=True, metavar="DURATION", help="Keep whatever is younger.")
@click.option(
    "--keep-failing", default="365d", show_default=True, metavar="DURATION", help="Keep what did not pass for so long."
)
@click.option(
    "--keep-last",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Keep so many results of each scenario and class.",
)
@click.option("--keep-logs", default="30d", show_default=True, metavar="DURATION", help="Keep what members said for so long.")
@click.option("--keep-subject", metavar="KEY[=VALUE]", multiple=True, help="Keep what has this in its subject; repeatable.")
@click.option(
    "--policy",
    "policy",
    type=click.Path(path_type=Path),
    help=f"Keep what this gate's policy makes baselines of.  [default: {POLICY}, where there is one]",
)
@click.option("--yes", is_flag=True, help="Do it. Without this it is only shown.")
@FORMAT
def prune_command(
    history: str,
    artifacts: str | None,
    keep: str,
    keep_failing: str,
    keep_last: int,
    keep_logs: str,
    keep_subject: tuple[str, ...],
    policy: Path | None,
    yes: bool,
    form: str,
) -> int:
    """Show what is old enough to go, and with --yes throw it away here. The last good result of each scenario stays,
    and so does what the gate's policy compares with.

    What was pruned stays away when it is pulled again. Remotes are not touched.
    """
    file = policy or (Path(POLICY) if Path(POLICY).is_file() else None)
    rules = Rules(
        keep=duration(keep, option="--keep"),
        keep_failing=duration(keep_failing, option="--keep-failing"),
        keep_last=keep_last,
        keep_subjects={key: value for key, _, value in (text.partition("=") for text in keep_subject)},
        compared=_compared(file, SystemClock().wall_ns()) if file else None,
    )
    with open_history(history, artifacts=artifacts) as opened:
        fates = plan_prune(opened, rules)
        going = [fate for fate in fates if not fate.kept]
        told = old_deliveries(opened, rules)
        logs = old_logs(opened, duration(keep_logs, option="--keep-logs"))
        files = carry_out(opened, going) + forget_deliveries(opened, told) + forget_logs(opened, logs) if yes else 0
    if form == "json":
        which = [{"invocation": fate.invocation.invocation, "kept": fate.kept, "goes": not fate.kept} for fate in fates]
        click.echo(json_text({"done": yes, "invocations": which, "deliveries": len(told), "logs": len(logs), "files": files}))
        return 0
    for line in columns([_row(fate) for fate in fates]) if fates else ():
        click.echo(line)
    did = f"pruned; {counted(files, 'file')} removed" if yes else "would go; --yes does it"
    records = f" and {counted(len(told), 'delivery record')}" if told else ""
    records += f" and the logs of {len(logs)}" if logs else ""
    click.echo(f"{counted(len(going), 'invocation')}{records} {did}")
    return 0


def _compared(file: Path, now: int) -> Compared | None:
    """What the policy's comparisons stand on, now and later."""
    from meshkit_chaos.cli.gate_reading import read_policy  # noqa: PLC0415  # start-up time
    from meshkit_chaos.gate.evidence import BASELINE_RESULTS  # noqa: PLC0415  # start-up time

    regression = read_policy(file, None).regression
    if regression is None:
        return None
    baseline = regression.baseline
    before = now - baseline.lag.ns if baseline.until is None else min(baseline.until, now - baseline.lag.ns)
    return Compared(subject=baseline.subject, before=before, newest=BASELINE_RESULTS)


def _row(fate: Fate) -> tuple[str, str, str, str]:
    one = fate.invocation
    return when(one.at), one.verdict, one.invocation, f"kept: {fate.kept}" if fate.kept else "goes"


@click.command(
    "invalidate", epilog="Example: meshkit-chaos history invalidate 01KDVDNA00DECB4G9W1MCZ50J3 --reason 'the lab lost a disk'"
)
@click.argument("run")
@placed
@click.option("--reason", required=True, help="Why; everybody who looks at the run later reads it.")
@click.option("--by", help="Who says so.  [default: the user's name]")
@click.option("--undo", is_flag=True, help="It counts after all.")
@FORMAT
def invalidate_command(
    run: str, history: str, artifacts: str | None, reason: str, by: str | None, undo: bool, form: str
) -> int:
    """Mark RUN as one that does not count: it leaves the baselines, and no gate opens on it. Nothing is deleted.

    The mark travels with push and pull.
    """
    with open_history(history, artifacts=artifacts) as opened:
        mark = opened.mark(run, counts=undo, reason=reason, by=by or _user())
    if form == "json":
        click.echo(json_text({"mark": mark.mark, "run": run, "counts": mark.counts, "reason": mark.reason, "by": mark.by}))
    else:
        click.echo(f"{run} {'counts again' if undo else 'does not count any more'}: {mark.reason} ({mark.by})")
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        say("nobody's name is known here; --by says who")
        return "unknown"
