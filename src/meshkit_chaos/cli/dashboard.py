"""``dashboard``: all runs as pages, from a server or as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.gate_reading import read_file, read_policy
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.histories import open_history, placed
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.judge.phrases import counted

if TYPE_CHECKING:
    from meshkit_chaos.dashboard.site import Site
    from meshkit_chaos.history.index import History

_POLICY = click.option(
    "--policy", type=click.Path(path_type=Path), help="The gate's policy: what a release needs, and when nights are due."
)
_OVERRIDES = click.option(
    "--overrides",
    type=click.Path(path_type=Path),
    help="What people accepted.  [default: chaos-overrides.yaml, if it is there]",
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
@FORMAT
def export_command(folder: Path, history: str, artifacts: str | None, drawn: int, form: str, **shown: Any) -> int:
    """Write the pages as files into DIR, which is new, empty or an earlier export. They need no server."""
    from meshkit_chaos.dashboard.export import export  # noqa: PLC0415  # templates are for those who need them

    def progress(count: int) -> None:
        if count % _MANY == 0:
            say(f"{count} pages written")

    with open_history(history, artifacts=artifacts) as opened:
        pages = export(_site(opened, **shown), folder, progress=progress, drawn=drawn)
    if form == "json":
        click.echo(json_text({"folder": str(folder), "pages": pages}))
    else:
        click.echo(f"{counted(pages, 'page')} written; open {folder / 'index.html'}")
    return 0


@dashboard_command.command("serve", epilog="Example: meshkit-chaos dashboard serve --port 8080 --policy chaos-gate.yaml")
@placed
@_POLICY
@_OVERRIDES
@_LOG
@_COMPARE
@_PROJECT
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen. There is no login: use a proxy that has one."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0 takes a free one.")
def serve_command(history: str, artifacts: str | None, host: str, port: int, **shown: Any) -> int:
    """Serve the pages until it is interrupted. It only reads."""
    try:
        import uvicorn  # noqa: PLC0415  # only here

        from meshkit_chaos.dashboard.serve import application  # noqa: PLC0415  # only here
    except ImportError as error:
        raise CannotRun(
            f"serving needs {error.name}, which is not installed",
            hint="pip install 'meshkit-chaos[dashboard]', or use `meshkit-chaos dashboard export`, which needs nothing more",
        ) from error
    with open_history(history, artifacts=artifacts) as opened:
        uvicorn.run(
            application(_site(opened, served=True, **shown)), host=host, port=port, log_level="warning", server_header=False
        )
    return 0


def _site(
    history: History,
    *,
    policy: Path | None,
    overrides: Path | None,
    log: Path | None,
    compare: str,
    project: str,
    served: bool = False,
) -> Site:
    from meshkit_chaos.dashboard.site import GateFiles, Settings, Site  # noqa: PLC0415  # templates are for those who need them
    from meshkit_chaos.deliver.outbox import Outbox  # noqa: PLC0415  # as above
    from meshkit_chaos.gate.log import GateLog  # noqa: PLC0415  # as above
    from meshkit_chaos.history.overview import Overview  # noqa: PLC0415  # as above
    from meshkit_chaos.history.unpacked import results_of  # noqa: PLC0415  # as above

    rules = read_policy(policy, None) if policy else None
    kept = GateLog(log) if log is not None else None
    return Site(
        Overview(history.database),
        Settings(project=project, policy=rules, compare=compare, served=served),
        SystemClock(),
        evidence=lambda invocation: results_of(history.database, history.store, invocation),
        told=Outbox(history.database).newest,
        gate_files=GateFiles(
            overrides=lambda: read_file(overrides, None), log=lambda: kept.read() if kept is not None else None
        ),
    )
