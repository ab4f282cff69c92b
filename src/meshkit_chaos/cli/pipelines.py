"""``pipelines``: write CI definitions, check a user's own, publish a verdict where CI shows it."""

from __future__ import annotations

import dataclasses
import os
import shlex
from pathlib import Path
from typing import Final

import click

from meshkit_chaos import __version__
from meshkit_chaos.cli.app import USAGE, say
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.cli.reading import refused
from meshkit_chaos.errors import DocumentError, Problem, UsageError
from meshkit_chaos.pipelines.settings import PLATFORMS, Platform, Settings, checked

FOUND, NOTHING_CHECKED = 1, 2
_OWN: Final = "GITHUB_TOKEN"
_USUAL: Final = (
    ".github/workflows/*.yml",
    ".github/workflows/*.yaml",
    "action.yml",
    "action.yaml",
    "azure-pipelines*.yml",
    "azure-pipelines*.yaml",
    "azure-pipelines/*.yml",
    "azure-pipelines/*.yaml",
)


@click.group("pipelines", cls=Group, epilog="Example: meshkit-chaos pipelines init github --env etcd-lab.yaml")
def pipelines_command() -> None:
    """Write CI pipelines for GitHub or Azure, and find what makes a pipeline look green."""


@pipelines_command.command(
    "init", epilog="Example: meshkit-chaos pipelines init github --env etcd-lab.yaml --shards 2 --tag smoke"
)
@click.argument("platform", type=click.Choice(PLATFORMS))
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path(), help="The repository.  [default: here]")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--file", "-f", "file", default="chaos-scenarios.yaml", show_default=True, help="The scenario file.")
@click.option("--tests", default="chaos-scenarios.test.yaml", show_default=True, help="Its tests.")
@click.option("--env", "environments", metavar="FILE|ID", multiple=True, help="Where the nightly runs; repeatable.  [required]")
@click.option("--tag", "tags", multiple=True, help="Only scenarios with this tag; repeatable.")
@click.option(
    "--shards", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs that share each environment's work."
)
@click.option("--simulated", metavar="FILE", default="", help="A simulated environment for pull requests.")
@click.option("--native", is_flag=True, help="Build the binaries that the environments name first, and run exactly those.")
@click.option("--policy", default="chaos-gate.yaml", show_default=True, help="The gate's policy.")
@click.option(
    "--branch", default="main", show_default=True, help="The protected branch: policy and overrides are read from it."
)
@click.option("--install", "install", metavar="LINE", multiple=True, help="Shell that installs meshkit-chaos; repeatable.")
@click.option("--python", default="3.13", show_default=True, help="The Python to run with.")
@click.option("--cron", default="17 2 * * *", show_default=True, help="When the nightly runs, in UTC.")
@click.option("--routes", metavar="FILE", default="", help="Tell people as this file says, such as chaos-notify.yaml.")
@click.option(
    "--watch-cron", default="47 8 * * *", show_default=True, help="When a missing nightly is looked for, in UTC; with --routes."
)
@click.option("--pages", is_flag=True, help="Deploy the dashboard to GitHub Pages: read by all who may see those.")
@click.option("--allow-commands", is_flag=True, help="Runs may start commands that documents name; pull requests never may.")
@FORMAT
def init_command(platform: Platform, folder: Path, force: bool, form: str, **given: object) -> int:
    """Write the nightly, on-demand, release-gate and pull-request pipelines into a repository.

    The nightly keeps all runs as pages, too: the artifact chaos-dashboard. With --routes they tell people, and there are two
    more: one for the workflow that releases, and one that tells when the nightly did not come. The file must be there: the
    names of the secrets come from it.
    Nothing is overwritten without --force: ends with 4, and says what is in the way, if one of the files is there.
    """
    from meshkit_chaos.pipelines.writing import definitions  # noqa: PLC0415  # templates are only needed here

    if given["pages"] and platform != "github":
        raise UsageError("--pages is for GitHub only", hint="on Azure the pages are the artifact chaos-dashboard")
    settings = _settings(platform, folder, given)
    texts = definitions(platform, settings)
    taken = [str(folder / name) for name in texts if (folder / name).exists() or (folder / name).is_symlink()]
    if taken and not force:
        raise UsageError(f"nothing was written: {', '.join(taken)} would be overwritten", hint="--force writes over them")
    for name, text in texts.items():
        _write(folder / name, text)
    written = [str(folder / name) for name in texts]
    click.echo(json_text(written) if form == "json" else "\n".join(written))
    for name in _not_there(settings, folder):
        say(f"note: {name} is not there yet; jobs that need it fail until it is")
    if settings.routes and not _has_schedule(folder / settings.policy):
        say(f"note: {settings.policy} says of no nightly when it is expected (`nightly:`); chaos-watch fails until it does")
    say("next: commit them; `meshkit-chaos pipelines check` after every edit")
    return 0


def _not_there(settings: Settings, folder: Path) -> list[str]:
    """Documents that the pipelines name and the repository does not hold. An environment may be an id and no file."""
    files = [name for name in settings.environments if name.endswith((".yaml", ".yml"))]
    named = dict.fromkeys((settings.file, settings.tests, *files, settings.simulated, settings.policy))
    return [name for name in named if name and not (folder / name).exists()]


def _has_schedule(policy: Path) -> bool:
    """Whether the policy says when a nightly is expected; a policy that is not there yet, or wrong, is told elsewhere."""
    from meshkit_chaos.gate.load import load_policy  # noqa: PLC0415  # only here

    loaded = load_policy(_bytes(policy), path=str(policy)).value if policy.is_file() else None
    return loaded is None or loaded.nightly is not None


def _settings(platform: Platform, folder: Path, given: dict[str, object]) -> Settings:
    """The settings of a command line, and that line itself, so that the files can be written again."""
    words = ["meshkit-chaos", "pipelines", "init", platform]
    for parameter in init_command.params:
        value = given.get(parameter.name or "")
        if parameter.name not in given or value in (parameter.default, (), parameter.get_default(click.Context(init_command))):
            continue
        if isinstance(value, bool):
            words += [parameter.opts[0]]
        else:
            words += [f"{parameter.opts[0]}={item}" for item in (value if isinstance(value, tuple) else (value,))]
    install = given.pop("install") or (f"python -m pip install --disable-pip-version-check 'meshkit-chaos=={__version__}'",)
    if given["routes"]:
        given |= _secrets_of(folder / str(given["routes"]), platform)
    return checked(Settings(command=shlex.join(words), install=install, **given))  # type: ignore[arg-type]  # click made them


def _secrets_of(path: Path, platform: Platform) -> dict[str, object]:
    """The variables that a routes file's channels read. On GitHub its own token is none of them: every job has one."""
    from meshkit_chaos.deliver.load import load_routing  # noqa: PLC0415  # only here

    data = _bytes(path)
    loaded = load_routing(data, path=str(path))
    if loaded.value is None:
        raise refused(loaded.problems, {str(path): data})
    names = loaded.value.variables()
    if platform == "azure":
        return {"secrets": names}
    if wrong := [name for name in names if name.upper().startswith("GITHUB_") and name != _OWN]:
        raise UsageError(f"{path}: {wrong[0]} cannot be a secret on GitHub", hint="such names are GitHub's own: rename it")
    return {"secrets": tuple(name for name in names if name != _OWN), "tickets": _OWN in names}


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name another folder with --dir") from error


@pipelines_command.command("check", epilog="Example: meshkit-chaos pipelines check .github/workflows --format github")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True, help="How to print."
)
def check_command(paths: tuple[Path, ...], form: str) -> int:
    """Find what lets a failure look green in pipeline definitions (default: those of the repository here).

    Ends with 0 when nothing was found, with 1 otherwise; with 2 when no file calls meshkit-chaos, so nothing was checked; with
    4 when a file cannot be read.
    """
    from meshkit_chaos.pipelines.definition import read_definition  # noqa: PLC0415  # only here
    from meshkit_chaos.pipelines.false_greens import false_greens, runs_chaos  # noqa: PLC0415  # only here
    from meshkit_chaos.scenario.render import github_annotations, render_problems  # noqa: PLC0415  # only here

    problems: list[Problem] = []
    sources: dict[str, bytes] = {}
    unreadable = used = 0
    for path in _files(paths):
        sources[str(path)] = _bytes(path)
        try:
            definition = read_definition(sources[str(path)], path=str(path))
        except DocumentError as error:
            problems += error.problems
            unreadable += 1
            continue
        used += runs_chaos(definition)
        problems += false_greens(definition)
    match form:
        case "json":
            click.echo(json_text([dataclasses.asdict(problem) for problem in problems]))
        case "github":
            click.echo(github_annotations(problems), nl=False)
        case _:
            click.echo(render_problems(problems, sources), nl=False)
    say(f"{len(sources)} read, {used} of them with meshkit-chaos; {len(problems)} found")
    if unreadable:
        return USAGE
    if problems:
        return FOUND
    if not used:
        say("nothing was checked: no file calls meshkit-chaos")
        return NOTHING_CHECKED
    return 0


def _files(paths: tuple[Path, ...]) -> list[Path]:
    if not paths:
        return sorted({path for pattern in _USUAL for path in Path().glob(pattern)})
    found: list[Path] = []
    for path in paths:
        found += sorted([*path.glob("*.yml"), *path.glob("*.yaml")]) if path.is_dir() else [path]
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name files or folders of definitions") from error


@pipelines_command.command("publish", epilog="Example: meshkit-chaos pipelines publish chaos-results --to github")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(PLATFORMS), required=True, help="The CI that this runs in.")
def publish_command(out: Path, to: Platform) -> int:
    """Show the verdict of OUT where CI shows things: annotations and the summary page.

    Ends as `report` does: with 0 for a pass only. Documents are derived again from the records, so a run that was killed is
    shown, too. A log that a secret leaked into is withheld; where the record itself holds one, OUT is put aside.
    """
    from meshkit_chaos.campaign.results import read_results  # noqa: PLC0415  # only here
    from meshkit_chaos.cli.outcome import write_documents  # noqa: PLC0415  # only here
    from meshkit_chaos.cli.withholding import withhold  # noqa: PLC0415  # only here
    from meshkit_chaos.judge.exit_code import exit_code  # noqa: PLC0415  # only here
    from meshkit_chaos.pipelines.announcing import announcements, summary_upload  # noqa: PLC0415  # only here

    results = read_results(out)
    for sentence in withhold(out, results):
        say(sentence)
    write_documents(out, results, recover=f"meshkit-chaos recover {out}")
    click.echo(announcements(results.verdict, to=to), nl=False)
    summary = out / "summary.md"
    if to == "azure":
        click.echo(summary_upload(str(summary.resolve())), nl=False)
    elif page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("ab") as file:
            file.write(summary.read_bytes())
    else:
        say("GITHUB_STEP_SUMMARY is not set: there is no summary page to write to")
    return exit_code(results.verdict)


@pipelines_command.command(
    "approver", epilog="Example: meshkit-chaos pipelines approver approvals.json --environment chaos-override --author kim"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--from", "platform", type=click.Choice(PLATFORMS), default="github", show_default=True, help="Whose answer it is."
)
@click.option("--environment", default="", help="The protected environment; needed for GitHub, and only there.")
@click.option(
    "--author",
    "authors",
    multiple=True,
    required=True,
    help="Who asks for the override: another person must have approved. Repeatable for Azure: each name and id of that person.",
)
def approver_command(file: Path, platform: Platform, environment: str, authors: tuple[str, ...]) -> int:
    """Print who approved a protected environment, from GitHub's or Azure's list of approvals of a run.

    Ends with 2 where nobody did, where it was rejected, or where only the author did.
    """
    from meshkit_chaos.pipelines.approvals import approver, azure_approver  # noqa: PLC0415  # only here

    if platform == "azure":
        if environment:
            raise UsageError("Azure's answer names no environment", hint="leave --environment out")
        click.echo(azure_approver(_bytes(file), authors=authors))
        return 0
    if not environment:
        raise UsageError("--environment is missing", hint="GitHub's answer is about every environment of the run")
    if len(authors) > 1:
        raise UsageError("--author was given more than once", hint="GitHub knows a person by one login")
    click.echo(approver(_bytes(file), environment=environment, author=authors[0]))
    return 0


@pipelines_command.command("approval-id", epilog="Example: meshkit-chaos pipelines approval-id timeline.json --stage __default")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--stage", required=True, help="The stage, as $SYSTEM_STAGENAME has it.")
def approval_id_command(file: Path, stage: str) -> int:
    """Print the id of the approval that a stage of Azure waited for, from the timeline of the run.

    Ends with 2 where it waited for none, or for more than one.
    """
    from meshkit_chaos.pipelines.approvals import approval_id  # noqa: PLC0415  # only here

    click.echo(approval_id(_bytes(file), stage=stage))
    return 0
