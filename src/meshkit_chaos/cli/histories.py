"""The options that say where history is, and opening it: for every command that reads or writes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import click

from meshkit_chaos.clock import SystemClock

if TYPE_CHECKING:
    from meshkit_chaos.campaign.results import Results
    from meshkit_chaos.history.index import History

PLACE: Final = "chaos-history"
HISTORY = click.option(
    "--history",
    metavar="LOCATION",
    default=PLACE,
    show_default=True,
    envvar="MESHKIT_CHAOS_HISTORY",
    show_envvar=True,
    help="Where history is kept: a folder, sqlite:///FILE or postgresql://….",
)
ARTIFACTS = click.option(
    "--artifacts",
    metavar="LOCATION",
    envvar="MESHKIT_CHAOS_ARTIFACTS",
    show_envvar=True,
    help="Where bundles and documents lie: a folder or s3://bucket/prefix.  [default: beside the index]",
)
_Command = TypeVar("_Command", bound=Callable[..., object])


def placed(command: _Command) -> _Command:
    """Give a command ``--history`` and ``--artifacts``."""
    return HISTORY(ARTIFACTS(command))


def open_history(location: str = PLACE, *, artifacts: str | None = None, make: bool = False) -> History:
    """Open a history; with ``make``, begin one where there is none. Close it when done.

    Raises HistoryProblem (exit 2) where there is none or it cannot be used, UsageError (exit 4) for what is no location.
    """
    from meshkit_chaos.history.places import open_place  # noqa: PLC0415  # SQLAlchemy is for those who need it

    return open_place(location, SystemClock(), artifacts=artifacts, make=make)


def derived_documents(results: Results) -> Mapping[str, bytes]:
    """The documents that history keeps beside the evidence, by name."""
    from meshkit_chaos.cli.outcome import makers  # noqa: PLC0415  # report templates are for those who need them

    return {name: make() for name, make in makers(results, recover="meshkit-chaos recover").items()}
