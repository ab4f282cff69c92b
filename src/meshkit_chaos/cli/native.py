"""``native verify | build | compare``: binaries that are compiled ahead of time, proved to be, and built under a time limit."""

from __future__ import annotations

import importlib.metadata
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.histories import HISTORY
from meshkit_chaos.cli.options import ALLOW, FORMAT, VARS, json_text, pairs
from meshkit_chaos.errors import CannotRun, UsageError
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.journal.binaries import BinaryFacts
    from meshkit_chaos.native.results import BuildReport
    from meshkit_chaos.scenario.environment import BinaryDescription, Demand, EnvironmentDescription

REFUSED: Final = 1
NOTHING_SHOWN: Final = 2
RESULT: Final = "native-build.json"
_MOST_RESULT_BYTES: Final = 16 * 1024 * 1024


@click.group("native", cls=Group, epilog="Example: meshkit-chaos native verify out/meshkit")
def native_command() -> None:
    """Prove that binaries are compiled ahead of time, build them, and compare them."""


@native_command.command("verify", epilog="Example: meshkit-chaos native verify out/meshkit --runtime linux-x64 --format json")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--runtime", metavar="RID", help="The platform that they must be for.  [default: that of this machine]")
@click.option(
    "--demand",
    type=click.Choice(["required", "embeds-interpreter", "any"]),
    default="required",
    show_default=True,
    help="What is accepted: native code only; also a program with its interpreter inside; or whatever it is.",
)
@click.option("--digest", metavar="SHA256", help="The SHA-256 that the file must have (only with one PATH).")
@FORMAT
def verify_command(paths: tuple[Path, ...], runtime: str | None, demand: Demand, digest: str | None, form: str) -> int:
    """Say of each of PATHS what it is, on what evidence, and whether it is accepted. Executes nothing.

    Ends with 0 where all are accepted, with 1 where one is not, with 4 where one cannot be read.
    """
    from meshkit_chaos.native.verify import host_platform, objections, verify  # noqa: PLC0415  # start-up time
    from meshkit_chaos.report.builds import facts_text  # noqa: PLC0415  # start-up time

    if digest is not None and len(paths) != 1:
        raise UsageError("--digest is about one file", hint="verify the files one by one")
    wanted = runtime or host_platform()
    found = [(facts, objections(facts, demand=demand, wanted=wanted, digest=digest or "")) for facts in map(verify, paths)]
    if form == "json":
        click.echo(
            json_text([{**builtins(facts), "accepted": not against, "against": list(against)} for facts, against in found])
        )
    else:
        click.echo("\n".join(facts_text(facts, against) for facts, against in found))
    return REFUSED if any(against for _, against in found) else 0


@native_command.command("build", epilog="Example: meshkit-chaos native build --env etcd-load.yaml --out built --allow-commands")
@click.argument("names", nargs=-1)
@click.option("--env", "environment", required=True, type=click.Path(path_type=Path), help="The environment file.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("native-build"), show_default=True, help="Where results and logs go."
)
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit there, too.")
@VARS
@ALLOW
@FORMAT
def build_command(
    names: tuple[str, ...],
    environment: Path,
    out: Path,
    junit: Path | None,
    given: tuple[str, ...],
    allow: bool,
    form: str,
) -> int:
    """Build the binaries of an environment (all, or those of NAMES), each with its log and time limit, and verify the results.

    Writes native-build.json, which `run --built` and `env up --built` read: they run exactly these bytes and no others.

    Ends with 0 where every binary is what is demanded, with 1 where one is not.
    """
    from meshkit_chaos.cli.reading import load_environment_alone  # noqa: PLC0415  # start-up time
    from meshkit_chaos.journal.durable import write_durably  # noqa: PLC0415  # start-up time
    from meshkit_chaos.report.builds import build_junit, build_text  # noqa: PLC0415  # start-up time
    from meshkit_chaos.slo.codec import encode_pretty  # noqa: PLC0415  # start-up time

    described = load_environment_alone(environment)
    chosen = _chosen(described, names)
    _permit(described, chosen, allow=allow)
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULT).unlink(missing_ok=True)  # that of an earlier build must not be taken for this one's
    report = _carried_out(described, chosen, out, pairs(given, option="--var"))
    write_durably(out / RESULT, encode_pretty(report))
    if junit is not None:
        junit.parent.mkdir(parents=True, exist_ok=True)
        write_durably(junit, build_junit(report))
    click.echo(json_text(builtins(report)) if form == "json" else build_text(report))
    return 0 if report.ok else REFUSED


def _chosen(described: EnvironmentDescription, names: tuple[str, ...]) -> tuple[BinaryDescription, ...]:
    if not described.binaries:
        raise UsageError(f"environment {described.name} names no binaries", hint="add `binaries:` to it")
    unknown = [name for name in names if name not in described.binaries]
    if unknown:
        known = ", ".join(described.binaries)
        raise UsageError(f"environment {described.name} has no binary {unknown[0]!r}", hint=f"it has: {known}")
    return tuple(binary for name, binary in described.binaries.items() if not names or name in names)


def _permit(described: EnvironmentDescription, chosen: tuple[BinaryDescription, ...], *, allow: bool) -> None:
    from meshkit_chaos.environments.permission import CommandUse, refuse  # noqa: PLC0415  # start-up time

    if not allow:
        uses = [CommandUse(f"environment {described.name}, build of {one.name}", one.build) for one in chosen if one.build]
        refuse(uses)


def _carried_out(
    described: EnvironmentDescription, chosen: tuple[BinaryDescription, ...], out: Path, given: dict[str, str]
) -> BuildReport:
    """Build one after the other; a signal ends the build that goes on, and us."""
    from meshkit_chaos.clock import SystemClock  # noqa: PLC0415  # start-up time
    from meshkit_chaos.environments.resolving import merged_vars  # noqa: PLC0415  # start-up time
    from meshkit_chaos.environments.templates import render  # noqa: PLC0415  # start-up time
    from meshkit_chaos.native.build import Workplace, build  # noqa: PLC0415  # start-up time
    from meshkit_chaos.native.results import BuildReport  # noqa: PLC0415  # start-up time
    from meshkit_chaos.native.verify import host_platform  # noqa: PLC0415  # start-up time

    values = {f"var.{name}": text for name, text in merged_vars(described, given).items()}
    place = Workplace(base=Path(described.path).parent, logs=out, seen=os.environ, clock=SystemClock())
    done = []
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        for binary in chosen:
            say(f"{binary.name}: {' '.join(binary.build) or 'nothing to build'}")
            done.append(build(binary, path=render(binary.path, values), place=place))
    except KeyboardInterrupt:
        raise CannotRun("interrupted; the build that went on was killed, and no result was written") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return BuildReport(
        environment=described.name,
        environment_digest=described.digest,
        platform=host_platform(),
        tool=importlib.metadata.version("meshkit-chaos"),
        ok=bool(done) and all(one.ok for one in done),
        binaries=tuple(done),
    )


@native_command.command("compare", epilog="Example: meshkit-chaos native compare version=1.4.1 native-build --max-growth 10%")
@click.argument("then")
@click.argument("now")
@HISTORY
@click.option("--max-growth", metavar="SHARE", help="End with 1 where a binary grew by more than this, such as 10%.")
@FORMAT
def compare_command(then: str, now: str, history: str, max_growth: str | None, form: str) -> int:
    """Show what changed from THEN to NOW: size, class, needed libraries.

    Each is a binary, a result of `native build`, or KEY=VALUE: the binaries of the newest run of that subject in the history.

    Ends with 1 where a native binary is gone or no longer native, or grew by more than is allowed.
    """
    from meshkit_chaos.native.compare import compare  # noqa: PLC0415  # start-up time
    from meshkit_chaos.report.builds import comparison_text  # noqa: PLC0415  # start-up time
    from meshkit_chaos.slo import Ratio  # noqa: PLC0415  # start-up time

    try:
        limit = Ratio.parse(max_growth).value if max_growth is not None else None
    except ValueError as error:
        raise UsageError(f"--max-growth: {error}", hint="write --max-growth 10%") from error
    before, after = _binaries_of(then, history), _binaries_of(now, history)
    if len(before) == len(after) == 1:  # two files are compared whatever they are called
        before = dict(zip(after, before.values(), strict=True))
    names = dict.fromkeys((*before, *after))
    found = [compare(name, before.get(name), after.get(name)) for name in names]
    if form == "json":
        click.echo(json_text(builtins(found)))
    elif found:
        click.echo(comparison_text(found))
    if not found:
        say("there is no binary on either side")
        return NOTHING_SHOWN
    grown = [one.name for one in found if limit is not None and one.growth is not None and one.growth > limit]
    for name in grown:
        say(f"{name} grew by more than {max_growth}")
    return REFUSED if grown or any(one.worse for one in found) else 0


def _binaries_of(given: str, history: str) -> dict[str, BinaryFacts | None]:
    from meshkit_chaos.native.verify import verify  # noqa: PLC0415  # start-up time

    path = Path(given)
    if "=" in given and not path.exists():
        return _released(given, history)
    document = path / RESULT if path.is_dir() else path
    if document.suffix != ".json":
        return {document.name: verify(document)}
    return {one.name: one.facts for one in read_built(document).binaries}


def _released(subject: str, history: str) -> dict[str, BinaryFacts | None]:
    """The binaries of the newest run of a subject whose record describes any. Raises UsageError where there is none."""
    from meshkit_chaos.cli.histories import open_history  # noqa: PLC0415  # start-up time
    from meshkit_chaos.history.model import Ask  # noqa: PLC0415  # start-up time

    with open_history(history) as reader:
        results = reader.results(Ask(subject=pairs([subject], option="THEN and NOW")))
    told = [run.executables for result in results for run in result.runs if run.executables]
    if not told:
        raise UsageError(
            f"history knows {counted(len(results), 'result')} of {subject}, and no binary is described there",
            hint="binaries are described by runs on an environment with `binaries:`; `history list` shows what is known",
        )
    return {facts.name: facts for facts in told[0]}


def read_built(path: Path) -> BuildReport:
    """The result of a build, by its file or its folder. Raises UsageError."""
    from meshkit_chaos.native.results import read_report  # noqa: PLC0415  # start-up time

    document = path / RESULT if path.is_dir() else path
    try:
        with document.open("rb") as file:
            data = file.read(_MOST_RESULT_BYTES)
    except OSError as error:
        raise UsageError(f"{document} cannot be read: {error.strerror}", hint="`native build --out` writes it") from error
    return read_report(data, path=str(document))
