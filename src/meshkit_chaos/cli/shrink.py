"""``shrink``: a run that failed becomes the smallest scenario that still fails, with how often it does."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshkit_chaos.cli.app import conceal, say
from meshkit_chaos.cli.options import ALLOW, FORMAT, VARS, duration, json_text, pairs
from meshkit_chaos.errors import CannotRun, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshkit_chaos.campaign.attempts import Attempts
    from meshkit_chaos.campaign.campaign import Campaign
    from meshkit_chaos.campaign.sequential import SequentialTest
    from meshkit_chaos.campaign.shrinking import Shrunk
    from meshkit_chaos.cli.places import Place
    from meshkit_chaos.journal import events as ev
    from meshkit_chaos.judge.verdict import Verdict
    from meshkit_chaos.scenario.environment import EnvironmentDescription
    from meshkit_chaos.scenario.model import Scenario

SMALLEST, FAILING = "smallest.yaml", "failing.yaml"
FOUND, NOT_SURE, DIRTY = 0, 2, 3


@click.command(
    "shrink",
    epilog="Example: meshkit-chaos shrink chaos-results/night/runs/leader-killed/001 --out smaller --budget 30m",
)
@click.argument("place", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new or empty folder for the runs that are made.")
@click.option("--objective", metavar="ID", help="Which missed objective it is about.  [default: the first]")
@click.option("--env", "environment", metavar="FILE|ID", help="Where to run.  [default: where RUN ran]")
@VARS
@click.option("--runs", "most", type=click.IntRange(min=1), help="The search makes so many runs at most.")
@click.option("--budget", metavar="DURATION", help="The search begins no run after so long.")
@click.option(
    "--first",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="So many runs at most to see the failure again.",
)
@click.option(
    "--confirm", type=click.IntRange(2, 1000), default=10, show_default=True, help="So many runs of what was found, afterwards."
)
@click.option(
    "--error",
    type=click.FloatRange(0.001, 0.3),
    default=0.05,
    show_default=True,
    help="How often a reduction may be kept or dropped wrongly.",
)
@click.option("--resume", is_flag=True, help="Take an interrupted search in --out up again.")
@ALLOW
@FORMAT
def shrink_command(
    place: Path,
    out: Path,
    objective: str | None,
    environment: str | None,
    given: tuple[str, ...],
    most: int | None,
    budget: str | None,
    first: int,
    confirm: int,
    error: float,
    resume: bool,
    allow: bool,
    form: str,
) -> int:
    """Find the fewest faults, and the gentlest, with which RUN (the folder of a run that failed) still fails.

    Steps are left out, then numbers are turned down, as long as the same objective is missed. Failures are random: the
    failure is first repeated to see how often it comes, every reduction is decided by several runs, and what was found is run
    again. Printed is a scenario, with the share of runs that failed and its exact interval.

    All runs are kept in --out. Ctrl-C ends the search; what was found until then is printed, and --resume goes on from there.

    Ends with 0 when the search came to its end, with 2 when it was cut short or the failure was not seen again, with 3 when an
    environment was left dirty.
    """
    failed = _failed_run(place, objective)
    variables = pairs(given, option="--var")
    _prepare(out, failed, resume=resume)
    where = environment or _where(failed.started)
    with closing(_open(out / FAILING, where, variables, allow=allow)) as opened:
        conceal(opened.redactor.text)
        scenario = _reduced_to(failed, opened.description)
        opened.permit([scenario], allow=allow)
        attempts = _attempts(
            failed,
            opened,
            out,
            error=error,
            most=most,
            budget=None if budget is None else duration(budget, option="--budget"),
            resume=resume,
        )
        with closing(attempts):
            from meshkit_chaos.campaign.shrinking import Asked, shrink  # noqa: PLC0415  # start-up time

            asked = Asked(
                sound=_until_interrupted(_soundness(scenario, opened, failed.seed)),
                attempt=_until_interrupted(attempts.search),
                again=_until_interrupted(attempts.confirm),
                told=_Told(attempts),
                error=error,
                first=first,
                confirm=confirm,
            )
            found = shrink(scenario, asked)
    return _conclude(found, failed, attempts, out, where=where, form=form)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """The run that failed, and the objective that it is about."""

    folder: Path
    started: ev.RunStarted
    objective: str

    @property
    def scenario(self) -> Scenario:
        return self.started.plan.scenario

    @property
    def seed(self) -> int:
        return self.started.plan.seed


def _failed_run(place: Path, objective: str | None) -> _Failed:
    from meshkit_chaos.journal.reading import read_record  # noqa: PLC0415  # start-up time
    from meshkit_chaos.judge.judge import judge  # noqa: PLC0415  # start-up time

    record = read_record(place)
    verdict = judge(record)
    if record.started is None:
        raise UsageError(f"the record in {place} does not say what was run")
    missed = _missed(verdict)
    if not missed:
        raise UsageError(
            f"the run in {place} missed no objective: its verdict is {verdict.verdict}",
            hint="only a fail can be shrunk: an invalid or inconclusive run says nothing that could be seen again",
        )
    if objective is not None and objective not in missed:
        raise UsageError(f"the run missed no objective {objective!r}", hint=f"it missed: {', '.join(missed)}")
    return _Failed(folder=place, started=record.started, objective=objective or missed[0])


def _missed(verdict: Verdict) -> list[str]:
    from meshkit_chaos.judge.repeats import objective_verdicts  # noqa: PLC0415  # start-up time

    return [name for name, said in objective_verdicts(verdict).items() if said == "fail"]


def _prepare(out: Path, failed: _Failed, *, resume: bool) -> None:
    """Make the folder, with the scenario of the failed run as a document. Raises UsageError for one that is in use."""
    from meshkit_chaos.scenario.written import written_scenario  # noqa: PLC0415  # start-up time

    if not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not an empty folder", hint="name another one with --out, or go on in it with --resume")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / FAILING).write_text(written_scenario(failed.scenario, environment=None), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", hint="name another folder with --out") from error


def _where(started: ev.RunStarted) -> str:
    """The environment of the run: the document that it named, or the id of the one that was up."""
    if not started.deployed:
        return started.environment_id
    path = Path(started.plan.environment.path)
    if not path.is_file():
        raise UsageError(
            f"the run's environment, {path}, is not here", hint="go where it was run, or name the document with --env"
        )
    return str(path)


def _open(file: Path, where: str, variables: dict[str, str], *, allow: bool) -> Place:
    from meshkit_chaos.cli.places import Talk  # noqa: PLC0415  # start-up time
    from meshkit_chaos.cli.run import open_place  # noqa: PLC0415  # start-up time
    from meshkit_chaos.slo import Duration  # noqa: PLC0415  # start-up time

    return open_place(file, where, variables, Talk(), wait=Duration(0), allow=allow)[0]


def _reduced_to(failed: _Failed, description: EnvironmentDescription) -> Scenario:
    """The scenario about the one objective. Raises CannotRun where it cannot be written as a document."""
    from meshkit_chaos.campaign.reducing import about_only  # noqa: PLC0415  # start-up time

    scenario = about_only(failed.scenario, failed.objective)
    if (problem := _unsound(scenario, description, admitted=None)) is not None:
        raise CannotRun(f"the scenario of the run cannot be run as a document of today: {problem}", hint="run it anew first")
    return scenario


def _unsound(scenario: Scenario, description: EnvironmentDescription, *, admitted: frozenset[str] | None) -> str | None:
    """What keeps a form from being a document: a problem (but for warnings that are ``admitted``), or that it says less."""
    from meshkit_chaos.scenario.load import load_scenarios  # noqa: PLC0415  # start-up time
    from meshkit_chaos.scenario.written import written_scenario  # noqa: PLC0415  # start-up time

    loaded = load_scenarios(written_scenario(scenario, environment=None).encode(), path="smaller.yaml", environment=description)
    for problem in loaded.problems:
        if problem.severity == "error" or (admitted is not None and problem.rule not in admitted):
            return f"{problem.message} [{problem.rule}]"
    return (
        None if loaded.value is not None and loaded.value.scenarios == (scenario,) else "it says something else when read again"
    )


def _until_interrupted(ask: Callable[[Scenario], bool]) -> Callable[[Scenario], bool]:
    """Ctrl-C where no run is under way that hears of it: the search ends, and what was found is kept."""
    from meshkit_chaos.campaign.shrinking import Stopped  # noqa: PLC0415  # start-up time

    def asked(form: Scenario) -> bool:
        try:
            return ask(form)
        except KeyboardInterrupt:
            raise Stopped("interrupted", over=True) from None

    return asked


def _soundness(scenario: Scenario, place: Place, seed: int) -> Callable[[Scenario], bool]:
    """Whether a form lints as clean as the scenario itself, still breaks something, and can be planned."""
    from meshkit_chaos.plan import make_plan  # noqa: PLC0415  # start-up time
    from meshkit_chaos.scenario.load import load_scenarios  # noqa: PLC0415  # start-up time
    from meshkit_chaos.scenario.written import written_scenario  # noqa: PLC0415  # start-up time

    text = written_scenario(scenario, environment=None).encode()
    admitted = frozenset(found.rule for found in load_scenarios(text, path="", environment=place.description).problems)

    def sound(form: Scenario) -> bool:
        if _unsound(form, place.description, admitted=admitted) is not None:
            return False
        try:
            make_plan(form, place.description, place.capabilities, seed=seed)
        except CannotRun:
            return False
        return True

    return sound


def _attempts(failed: _Failed, place: Place, out: Path, *, error: float, **limits: Any) -> Attempts:
    from meshkit_chaos.campaign.attempts import Attempts, SearchStarted  # noqa: PLC0415  # start-up time
    from meshkit_chaos.clock import SystemClock  # noqa: PLC0415  # start-up time

    started = SearchStarted(
        run=failed.started.run,
        scenario=failed.scenario.id,
        objective=failed.objective,
        seed=failed.seed,
        environment=place.description.digest,
        error=error,
    )
    return Attempts(_campaign(failed, place, out), started, clock=SystemClock(), **limits)


def _campaign(failed: _Failed, place: Place, out: Path) -> Campaign:
    """What every run is made like: the same seed, so that only the mesh is left to chance."""
    from meshkit_chaos.campaign.campaign import Campaign  # noqa: PLC0415  # start-up time
    from meshkit_chaos.cli.places import environment_class  # noqa: PLC0415  # start-up time

    return Campaign(
        out=out,
        scenarios=(),
        environment=place.description,
        environment_class=environment_class(place.description),
        capabilities=place.capabilities,
        seed=failed.seed,
        subject=failed.started.subject,
        selection=(failed.scenario.id,),
        file=str(out / FAILING),
        file_digest="",
        execute=place.execute,
        listener=_Quiet(),
    )


class _Quiet:
    """The search tells what came of the runs."""

    def began(self, scenario: Scenario, number: int) -> None: ...
    def judged(self, verdict: Verdict) -> None: ...
    def refused(self, scenario: Scenario, reason: str) -> None:
        say(f"  {scenario.id} cannot run: {reason}")


class _Told:
    """Says how the search goes, one line a decision."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    def measured(self, failures: int, runs: int, test: SequentialTest | None) -> None:
        from meshkit_chaos.campaign.sequential import rate_told  # noqa: PLC0415  # start-up time

        say(f"the scenario itself: {rate_told(failures, runs)}")
        if test is not None:
            say(test.sentence())

    def decided(self, what: str, kept: bool, failures: int, runs: int) -> None:
        sign = "✓ still fails" if kept else "✗ no longer  "
        say(f"{self._attempts.made:4} runs  {sign}  {failures} of {runs}  {what}")


def _conclude(found: Shrunk, failed: _Failed, attempts: Attempts, out: Path, *, where: str, form: str) -> int:
    """Write and print what was found, unless nothing was."""
    from meshkit_chaos.campaign.sequential import interval  # noqa: PLC0415  # start-up time
    from meshkit_chaos.scenario.written import written_scenario  # noqa: PLC0415  # start-up time

    if found.stopped:
        say(f"the search was cut short: {found.stopped}")
    low, high = interval(found.failures, found.runs)
    if found.test is None:
        seldom = f"; it fails less often than {high:.0%}, or not any more" if found.runs else ""
        say(f"{failed.scenario.id} did not miss {failed.objective} again in {found.runs} runs{seldom}: nothing was reduced")
        return DIRTY if attempts.dirty else NOT_SURE
    named = where if Path(where).is_file() else None
    beside = os.path.relpath(named, out) if named is not None else None
    head = "".join(f"# {line}\n" for line in _remarks(found, failed))
    (out / SMALLEST).write_text(head + written_scenario(found.scenario, environment=beside), encoding="utf-8")
    text = head + written_scenario(found.scenario, environment=named)
    document = {
        "scenario": failed.scenario.id,
        "objective": failed.objective,
        "run": failed.started.run,
        "seed": failed.seed,
        "failures": found.failures,
        "runs": found.runs,
        "interval": [low, high],
        "reductions": list(found.kept),
        "runs_made": attempts.made,
        "test": {"still": found.test.still, "seldom": found.test.seldom, "kept_wrongly": found.test.kept(found.test.seldom)},
        "stopped": found.stopped,
        "document": text,
        "file": str(out / SMALLEST),
    }
    click.echo(json_text(document) if form == "json" else text, nl=form == "json")
    say(f"{attempts.made} runs were made; they are in {out}, and the scenario is {out / SMALLEST}")
    if attempts.dirty:
        return DIRTY
    return FOUND if not found.stopped and found.confirmed else NOT_SURE


def _remarks(found: Shrunk, failed: _Failed) -> list[str]:
    from meshkit_chaos.campaign.sequential import rate_told  # noqa: PLC0415  # start-up time

    return [
        f"The smallest form that was found of {failed.scenario.id} that still misses {failed.objective}.",
        f"{rate_told(found.failures, found.runs)}; only runs made after it was chosen count.",
        *([f"The search was cut short: {found.stopped}."] if found.stopped else []),
        f"Run it with --seed {failed.seed}: the seed decides what is drawn.",
        *(["What was done to it:"] if found.kept else ["Nothing was taken away: no smaller form was seen to fail."]),
        *(f"  {line}" for line in found.kept),
    ]
