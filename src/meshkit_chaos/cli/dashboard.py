"""``dashboard``: all runs as pages, from a server or as files."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.gate_reading import read_file, read_policy
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.histories import open_history, placed
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import UsageError
from meshkit_chaos.judge.phrases import counted

if TYPE_CHECKING:
    from meshkit_chaos.dashboard.sources import Sources
    from meshkit_chaos.history.index import History

_POLICY = click.option(
    "--policy", type=click.Path(path_type=Path), help="The gate's policy: what a release needs, and when nights are due."
)
_OVERRIDES = click.option(
    "--overrides",
    type=click.Path(path_type=Path),
    help="What people accepted.  [default: chaos-overrides.yaml, if it is there]",
)
_OVERRIDES_REF = click.option(
    "--overrides-ref",
    metavar="REF",
    help="Read them as they are at this ref of git: the protected branch. Without it they are shown, and decide nothing.",
)
_LOG = click.option(
    "--log", "log", type=click.Path(path_type=Path), envvar="MESHKIT_CHAOS_GATE_LOG", show_envvar=True, help="The gate's log."
)
_COMPARE = click.option(
    "--compare-url",
    "compare",
    default="",
    metavar="URL",
    help="Where a forge shows what lies between two commits, with {last} and {first} in it.",
)
_PROJECT = click.option("--project", default="mesh", show_default=True, help="What people call what is tested.")
_MANY = 500


@click.group("dashboard", cls=Group, epilog="Example: meshkit-chaos dashboard export site && xdg-open site/index.html")
def dashboard_command() -> None:
    """Show all runs as pages: what fails, since when, and how times develop."""


@dashboard_command.command("export", epilog="Example: meshkit-chaos dashboard export site --policy chaos-gate.yaml")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@placed
@_POLICY
@_OVERRIDES
@_OVERRIDES_REF
@_LOG
@_COMPARE
@_PROJECT
@click.option(
    "--drawn",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="How many of the newest runs are drawn from their evidence; the others tell what the index knows.",
)
@click.option("--evidence", "files", is_flag=True, help="Write the evidence and the logs of those runs beside the pages.")
@FORMAT
def export_command(folder: Path, history: str, artifacts: str | None, drawn: int, files: bool, form: str, **shown: Any) -> int:
    """Write the pages as files into DIR, which is new, empty or an earlier export. They need no server."""
    from meshkit_chaos.dashboard.downloads import download  # noqa: PLC0415  # as below
    from meshkit_chaos.dashboard.export import export  # noqa: PLC0415  # templates are for those who need them
    from meshkit_chaos.dashboard.feeds import Feeds  # noqa: PLC0415  # as above
    from meshkit_chaos.dashboard.site import Site  # noqa: PLC0415  # as above
    from meshkit_chaos.dashboard.taken_along import evidence_files  # noqa: PLC0415  # as above

    def progress(count: int) -> None:
        if count % _MANY == 0:
            say(f"{count} pages written")

    with open_history(history, artifacts=artifacts) as opened:
        made_of = sources(opened, files=files, **shown)
        get = partial(download, opened.database, opened.store)
        beside = evidence_files(made_of.reader, get, drawn=drawn) if files else ()
        more: Iterable[tuple[str, str | bytes]] = chain(Feeds(made_of).badges(), beside)
        pages = export(Site(made_of), folder, progress=progress, drawn=drawn, more=more)
    if form == "json":
        click.echo(json_text({"folder": str(folder), "pages": pages}))
    else:
        click.echo(f"{counted(pages, 'page')} written; open {folder / 'index.html'}")
    return 0


@dashboard_command.command("serve", epilog="Example: meshkit-chaos dashboard serve --port 8080 --runs chaos-results")
@placed
@_POLICY
@_OVERRIDES
@_OVERRIDES_REF
@_LOG
@_COMPARE
@_PROJECT
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen. There is no login: use a proxy that has one."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0 takes a free one.")
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A name that people reach it by, such as chaos.example.org. Other names than these and loopback are refused.",
)
@click.option(
    "--runs",
    "runs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Results folders that are being written: runs in progress are shown from there.",
)
def serve_command(host: str, port: int, **options: Any) -> int:
    """Serve the pages until it is interrupted. It only reads.

    Beside the pages: /metrics for Prometheus, /badge/…, /api/v1/… (described by /api/openapi.json), /evidence/…, /healthz.
    """
    from meshkit_chaos.cli.dashboard_serving import serve  # noqa: PLC0415  # what serves is for those who need it

    serve(host=host, port=port, **options)
    return 0


@dashboard_command.command("metrics", epilog="Example: meshkit-chaos dashboard metrics /var/lib/textfile/meshkit_chaos.prom")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@placed
@_POLICY
@_OVERRIDES
@_OVERRIDES_REF
@_LOG
def metrics_command(file: Path, history: str, artifacts: str | None, **shown: Any) -> int:
    """Write how things stand for Prometheus into FILE, at once and whole; - writes to standard output.

    For the textfile collector of a node exporter, where no server runs.
    """
    from meshkit_chaos.dashboard.feeds import Feeds  # noqa: PLC0415  # templates are for those who need them

    with open_history(history, artifacts=artifacts) as opened:
        text = Feeds(sources(opened, **shown, compare="", project="mesh")).metrics()
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        write_whole(file, text)
    return 0


@dashboard_command.command("grafana", epilog="Example: meshkit-chaos dashboard grafana monitoring")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@FORMAT
def grafana_command(folder: Path, form: str) -> int:
    """Write a Grafana dashboard and Prometheus alert rules over what this tool tells into DIR."""
    from meshkit_chaos.dashboard.grafana import files  # noqa: PLC0415  # only here

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}", hint="name a folder that you may write") from error
    for name, text in files().items():
        write_whole(folder / name, text)
    written = [str(folder / name) for name in files()]
    click.echo(json_text(written) if form == "json" else "\n".join(written))
    return 0


def write_whole(file: Path, text: str) -> None:
    """Who reads the file meanwhile sees the old one or the new one, never half of it."""
    temporary = file.with_name(f".{file.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(file)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}", hint="name a file in a folder that you may write"
        ) from error


def sources(
    history: History,
    *,
    policy: Path | None,
    overrides: Path | None,
    overrides_ref: str | None = None,
    log: Path | None,
    compare: str,
    project: str,
    runs: Path | None = None,
    served: bool = False,
    files: bool = False,
) -> Sources:
    """What the pages of a history are made from. ``runs``: where some are in progress. ``files``: evidence lies beside them."""
    from meshkit_chaos.dashboard.deciding import Beside, Decider  # noqa: PLC0415  # templates are for those who need them
    from meshkit_chaos.dashboard.evidence import one_at_a_time  # noqa: PLC0415  # as above
    from meshkit_chaos.dashboard.live import Watch  # noqa: PLC0415  # as above
    from meshkit_chaos.dashboard.remembered import Remembered  # noqa: PLC0415  # as above
    from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources  # noqa: PLC0415  # as above
    from meshkit_chaos.deliver.outbox import Outbox  # noqa: PLC0415  # as above
    from meshkit_chaos.gate.log import GateLog  # noqa: PLC0415  # as above
    from meshkit_chaos.history.changed import changed_since  # noqa: PLC0415  # as above
    from meshkit_chaos.history.logs import read_logs  # noqa: PLC0415  # as above
    from meshkit_chaos.history.overview import Overview  # noqa: PLC0415  # as above
    from meshkit_chaos.history.unpacked import results_of  # noqa: PLC0415  # as above

    rules = read_policy(policy, None) if policy else None
    kept = GateLog(log) if log is not None else None
    clock = SystemClock()
    return Sources(
        reader=Remembered(Overview(history.database), history.database.state, partial(changed_since, history.database)),
        settings=Settings(project=project, policy=rules, compare=compare, served=served, files=files),
        clock=clock,
        decider=Beside(history.database.state, clock) if served else Decider(),
        evidence=one_at_a_time(lambda invocation: results_of(history.database, history.store, invocation)),
        logs=lambda invocation: read_logs(history.database, history.store, invocation),
        told=Outbox(history.database).newest,
        underway=(lambda: Watch(runs, clock).look().runs) if runs is not None else None,
        gate_files=GateFiles(
            overrides=lambda: read_file(overrides, overrides_ref), log=lambda: kept.read() if kept is not None else None
        ),
    )
