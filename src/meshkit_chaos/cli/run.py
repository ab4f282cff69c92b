"""``run``: select, deploy, break, measure, judge, report."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshkit_chaos.campaign.campaign import Campaign, run_campaign
from meshkit_chaos.campaign.log import LOG
from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.campaign.selection import select
from meshkit_chaos.campaign.sharding import Shard
from meshkit_chaos.cli.app import conceal, runs_in, say
from meshkit_chaos.cli.built import BUILT, as_built
from meshkit_chaos.cli.histories import HISTORY
from meshkit_chaos.cli.options import ALLOW, ENVIRONMENT, FILE, FORMAT, SEED, TAGS, VARS, duration, pairs
from meshkit_chaos.cli.outcome import show, write_documents
from meshkit_chaos.cli.places import DeployedPlace, Place, SimulatedPlace, StandingPlace, Talk, attach, environment_class
from meshkit_chaos.cli.reading import load_both, load_scenarios_for
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.environments.registry import environment_folder, registered
from meshkit_chaos.environments.secrets import HIDES_NOTHING, Redactor
from meshkit_chaos.errors import CannotRun, DocumentError, EnvironmentDirty, JournalUnwritable, UsageError
from meshkit_chaos.journal import events as ev
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.report.live import LiveView
from meshkit_chaos.scenario.model import Repeats, Scenario, ScenarioFile
from meshkit_chaos.slo import Duration

if TYPE_CHECKING:
    from rich.console import Console

    from meshkit_chaos.cli.leasing import HeldLease

NOTHING_JUDGED = 2


@click.command(
    "run",
    epilog="Example: meshkit-chaos run 'leader-*' --file chaos-scenarios.yaml --out results --subject commit=4f1c9e2",
)
@click.argument("selection", nargs=-1)
@FILE
@ENVIRONMENT
@TAGS
@SEED
@VARS
@click.option(
    "--repeat", type=click.IntRange(1, 100), help="Run each scenario up to this often, and fail at the first failure."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="An empty or new folder for results.  [default: chaos-results/TIME]"
)
@click.option("--shard", metavar="I/N", help="Only the I-th of N parts of the selection, for jobs that share the work.")
@click.option("--subject", metavar="KEY=VALUE", multiple=True, help="What is tested (version, commit, branch …); repeatable.")
@click.option("--wait", default="0s", metavar="DURATION", help="How long to wait for an environment that another run holds.")
@click.option("--lease", "lease_name", metavar="NAME", help="Hold this lease of a shared environment, kept in --history.")
@HISTORY
@BUILT
@ALLOW
@FORMAT
def run_command(
    selection: tuple[str, ...],
    file: Path,
    environment: str | None,
    tags: tuple[str, ...],
    seed: int | None,
    given: tuple[str, ...],
    repeat: int | None,
    out: Path | None,
    shard: str | None,
    subject: tuple[str, ...],
    wait: str,
    lease_name: str | None,
    history: str,
    built: Path | None,
    allow: bool,
    form: str,
) -> int:
    """Run the SELECTION of scenarios (ids or globs; all, where there is none) and judge them.

    Exit codes: 0 every scenario passed, 1 one failed, 2 something was inconclusive, invalid or not run, 3 the environment was
    left dirty, 4 the command line or a document is wrong.
    """
    variables, about = pairs(given, option="--var"), pairs(subject, option="--subject")
    waiting = duration(wait, option="--wait")
    share = Shard.parse(shard) if shard is not None else None
    with lease_of(history, lease_name, wait=waiting) as lease, LiveView(echo=say, console=console()) as view:
        teller = Teller(view)
        place, scenarios = open_place(file, environment, variables, teller.talk(), wait=waiting, allow=allow, built=built)
        with closing(place):
            chosen = select(scenarios.scenarios, patterns=selection, tags=tags)
            if not chosen:
                say(f"nothing was judged: the selection fits none of {', '.join(item.id for item in scenarios.scenarios)}")
                return NOTHING_JUDGED
            chosen = share.part(chosen) if share else chosen
            place.permit(chosen, allow=allow)
            hide = place.redactor.text
            conceal(hide)
            campaign = Campaign(
                out=fresh_folder(out),
                scenarios=tuple(repeated(scenario, repeat) for scenario in chosen),
                environment=place.description,
                environment_class=environment_class(place.description),
                capabilities=place.capabilities,
                seed=secrets.randbelow(10**6) if seed is None else seed,
                subject={key: hide(value) for key, value in about.items()},
                selection=(*selection, *(f"tag:{tag}" for tag in tags), *((f"shard:{share}",) if share else ())),
                file=str(file),
                file_digest=scenarios.digest,
                execute=lease.guarded(place.execute) if lease else place.execute,
                lease=lease.lease.name if lease else "",
                fencing=lease.lease.token if lease else 0,
                listener=teller,
            )
            carry_out(campaign)
    return conclude(campaign.out, form=form, redactor=place.redactor)


def lease_of(history: str, name: str | None, *, wait: Duration) -> AbstractContextManager[HeldLease | None]:
    """Hold the lease that was asked for, if one was."""
    if name is None:
        return nullcontext()
    from meshkit_chaos.cli.leasing import holding  # noqa: PLC0415  # only whoever holds a lease pays for a database

    return holding(history, name, wait=wait)


def carry_out(campaign: Campaign) -> None:
    """Run it. A log that can no longer be written ends it early; whatever is on disk is judged all the same."""
    runs_in(campaign.out)
    try:
        run_campaign(campaign, SystemClock())
    except JournalUnwritable as error:
        if not (campaign.out / LOG).exists():
            raise
        say(f"error ({error.who} must act): {error.message}\nhint: {error.hint}")


def conclude(out: Path, *, form: str, redactor: Redactor = HIDES_NOTHING) -> int:
    """Derive everything from what is on disk: the same path as ``judge`` and ``report``."""
    recover = f"meshkit-chaos recover {out}"
    results = read_results(out)
    places = write_documents(out, results, recover=recover, redactor=redactor)
    return show(results, places, form=form, recover=recover)


def open_place(
    file: Path,
    environment: str | None,
    given: dict[str, str],
    talk: Talk,
    *,
    wait: Duration,
    allow: bool = False,
    built: Path | None = None,
) -> tuple[Place, ScenarioFile]:
    """Find out where runs happen: an environment file (deployed for each run, or attached), or the id of one that is up."""
    if environment is not None and not Path(environment).is_file() and not {os.sep, "."} & set(environment):
        if not environment_folder(environment).exists():
            hint = f"up are: {', '.join(registered()) or 'none'}; `meshkit-chaos env up FILE` starts one"
            raise UsageError(f"{environment} is neither an environment file nor the id of an environment that is up", hint=hint)
        if built is not None:
            hint = f"give --built to `env up`, which starts {environment}"
            raise UsageError("--built is about binaries that are deployed, and this environment is up already", hint=hint)
        place = StandingPlace(environment, talk, wait=wait)
        try:
            return place, load_scenarios_for(file, place.description)
        except DocumentError:
            place.close()
            raise
    scenarios, described, _ = load_both(file, Path(environment) if environment else None)
    if built is not None and described.kind != "process":
        raise UsageError(f"--built is about binaries that are deployed, and kind: {described.kind} deploys none")
    if described.kind == "simulated":
        return SimulatedPlace(described, given, talk), scenarios
    if described.kind == "attached":
        state = attach(described, given, environment_id=described.name, allow=allow, wait=wait)
        return StandingPlace(state.id, talk, wait=wait), scenarios
    refusal = None
    try:
        described = as_built(described, built)
    except CannotRun as error:  # it is a result of every scenario: whoever reads results must find it there
        refusal = error
    return DeployedPlace(described, given, talk, refusal=refusal), scenarios


def repeated(scenario: Scenario, times: int | None) -> Scenario:
    """The scenario with another repeat plan, where one was given."""
    import msgspec  # noqa: PLC0415  # only here

    return scenario if times is None else msgspec.structs.replace(scenario, repeats=Repeats(up_to=times, fail_at=1))


def fresh_folder(out: Path | None) -> Path:
    """The folder for results.

    Raises UsageError for one that is not empty, EnvironmentDirty if a run in it still has to be undone.
    """
    folder = out or Path("chaos-results") / time.strftime("%Y%m%d-%H%M%S")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name a new or empty folder with --out")
    if not folder.exists() or not any(folder.iterdir()):
        return folder
    from meshkit_chaos.cli.records import runs_to_recover  # noqa: PLC0415  # only for a folder that is in use

    if runs_to_recover(folder):
        raise EnvironmentDirty(f"a run in {folder} crashed and was never undone", hint=f"meshkit-chaos recover {folder}")
    raise UsageError(f"{folder} is not empty", hint="name another folder with --out: results are never mixed or overwritten")


def console() -> Console | None:
    """A terminal to draw on, where there is one. Talk goes to stderr."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from rich.console import Console  # noqa: PLC0415  # only terminals pay for it

    return Console(stderr=True)


class Teller:
    """Tells people what happens: reads the journals, and listens to the campaign."""

    def __init__(self, view: LiveView, *, echo: Callable[[str], None] = say) -> None:
        self._view = view
        self._echo = echo
        self._scenario = ""

    def talk(self) -> Talk:
        return Talk(readers=(self._entry,), on_second_signal=self._second_signal)

    def _entry(self, entry: ev.Entry) -> None:
        if isinstance(entry.event, ev.RunStarted):
            self._scenario = entry.event.plan.scenario.id
        self._view.entry(self._scenario, entry)

    def _second_signal(self) -> None:
        self._echo(
            f"rollback goes on; to force an end: kill -9 {os.getpid()} (the watchdog then undoes what is left, "
            "or `meshkit-chaos recover` does)"
        )

    def began(self, scenario: Scenario, number: int) -> None:
        self._echo("" if scenario.repeats.up_to == 1 else f"\nrun {number} of up to {scenario.repeats.up_to}")

    def judged(self, verdict: Verdict) -> None:
        self._echo(f"          → {verdict.verdict}")

    def refused(self, scenario: Scenario, reason: str) -> None:
        self._echo(f"  {scenario.id} cannot run: {reason}")
