"""Where commands find history: a folder of results folders, each of one invocation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshkit_chaos.errors import UsageError

if TYPE_CHECKING:
    from meshkit_chaos.history.model import HistoryReader

HISTORY = click.option(
    "--history",
    "history",
    metavar="PLACE",
    default="chaos-history",
    show_default=True,
    envvar="MESHKIT_CHAOS_HISTORY",
    show_envvar=True,
    help="Where history is.",
)


@contextmanager
def open_history(location: str) -> Iterator[HistoryReader]:
    """The history at a place. Raises UsageError where there is none."""
    from meshkit_chaos.campaign.log import LOG  # noqa: PLC0415  # start-up time
    from meshkit_chaos.campaign.results import read_results  # noqa: PLC0415  # start-up time
    from meshkit_chaos.history.deriving import past  # noqa: PLC0415  # start-up time
    from meshkit_chaos.history.memory import MemoryHistory  # noqa: PLC0415  # start-up time

    folder = Path(location)
    if not folder.is_dir():
        raise UsageError(f"there is no history at {location}", hint="name it with --history")
    history = MemoryHistory()
    for log in sorted(folder.glob(f"*/{LOG}")):
        history.add(*past(read_results(log.parent)))
    yield history
