"""The live view of running scenarios in a terminal; elsewhere the same events as plain lines.

Takes journal entries as they happen (and, where the caller has them, indicator states). On a terminal it redraws one block a
scenario; where the output is not a terminal, or the drawing library cannot be loaded, it writes the progress lines of
``ConsoleLines`` instead. It has no thread and no timer: it redraws when it is told something.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from meshkit_chaos.journal import events as ev
from meshkit_chaos.report.console import ConsoleLines
from meshkit_chaos.report.escape import clipped, one_line
from meshkit_chaos.report.progress import Progress, advance, passed
from meshkit_chaos.slo import Goodness

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

_SIGN: Final[dict[Goodness, str]] = {"good": "✓", "bad": "✗", "unknown": "?"}
_STYLE: Final[dict[Goodness, str]] = {"good": "green", "bad": "bold red", "unknown": "yellow"}


class LiveView:
    """Use as a context; then ``entry`` for each journal entry of each scenario.

    ``echo`` takes one plain line (without newline) where there is no live drawing. ``console`` None, or one that is not a
    terminal, means plain lines.
    """

    def __init__(self, *, echo: Callable[[str], None], console: Console | None = None) -> None:
        self._echo = echo
        self._console = console
        self._live: Live | None = None
        self._runs: dict[str, Progress] = {}
        self._lines: dict[str, ConsoleLines] = {}

    def __enter__(self) -> Self:
        if self._console is not None and self._console.is_terminal:
            try:
                from rich.live import Live  # noqa: PLC0415  # only terminals pay for it
            except ImportError:
                return self
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def entry(self, scenario: str, entry: ev.Entry) -> None:
        """One more journal entry of a scenario's run."""
        before = self._runs.get(scenario, Progress())
        if isinstance(entry.event, ev.RunStarted):
            before, self._lines[scenario] = Progress(), ConsoleLines()
        self._runs[scenario] = advance(before, entry)
        line = self._lines.setdefault(scenario, ConsoleLines()).line(entry)
        if self._live is None:
            if line is not None:
                self._echo(line)
            return
        self._draw()

    def tick(self, now: int) -> None:
        """Time went by; ``now`` in monotonic ns."""
        self._runs = {name: run if run.ended else passed(run, now) for name, run in self._runs.items()}
        self._draw()

    def _draw(self) -> None:
        if self._live is not None:
            from rich.console import Group  # noqa: PLC0415  # only terminals pay for it

            self._live.update(Group(*(run_text(name, run) for name, run in self._runs.items())), refresh=True)


def run_text(scenario: str, run: Progress) -> Text:
    """One run as it is drawn: where it is, what is in force, how the indicators are, and the latest bad news."""
    from rich.text import Text  # noqa: PLC0415  # only terminals pay for it

    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{run.elapsed:7.1f}s  ", style="dim")
    text.append(f"{run.ended or run.phase:<13} ", style="bold")
    text.append(one_line(scenario))
    for _, fault in run.faults:
        text.append(f"\n{'':10}⚡ {one_line(fault)}", style="magenta")
    if run.indicators:
        text.append(f"\n{'':10}")
    for name, state in run.indicators:
        text.append(f"{_SIGN[state]} {one_line(name)} {state}   ", style=_STYLE[state])
    if run.last.text:
        text.append(f"\n{'':10}{run.last.word}: {clipped(run.last.text, 160)}", style="dim")
    if run.alarm:
        text.append(f"\n{'':10}! {clipped(run.alarm, 160)}", style="bold red")
    return text
