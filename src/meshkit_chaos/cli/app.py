"""The command group: names and one-line summaries only. A command's module is imported when that command is asked for."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from meshkit_chaos.cli.groups import Group
from meshkit_chaos.errors import ChaosError, DocumentError

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "Break a small real mesh and look at the report."),
    "doctor": ("doctor", "Say what this machine can and cannot run."),
    "init": ("init", "Write a first scenario file with its tests and its environment."),
    "new": ("new", "Add a scenario and its tests to a scenario file."),
    "test": ("rehearse", "Test scenarios in virtual time: which mesh passes them, and which fails."),
    "mutate": ("mutate", "Distort the samples of a stored run: which objectives notice?"),
    "shrink": ("shrink", "Find the fewest and gentlest faults with which a run still fails."),
    "rule": ("rule", "Explain a lint rule."),
    "lint": ("documents", "Check scenario, test, environment, policy and override files."),
    "schema": ("documents", "Print the JSON Schema of a document, for editors."),
    "plan": ("documents", "Show what a run would do, and why it could not."),
    "run": ("run", "Run scenarios and judge them."),
    "judge": ("records", "Judge a stored run again."),
    "report": ("records", "Write the documents of stored runs again."),
    "recover": ("records", "Undo what a crashed run left behind."),
    "pipelines": ("pipelines", "Write CI pipelines, and find what makes them look green."),
    "history": ("history", "Keep what runs said: list, compare, carry between machines."),
    "gate": ("gate", "Decide whether a release may go out, by what history knows of it."),
    "notify": ("notify", "Tell people and open tickets: once, where the routes say."),
    "native": ("native", "Prove that binaries are compiled ahead of time, build and compare them."),
    "dashboard": ("dashboard", "Show all runs as pages: outcomes, trends."),
    "env": ("env", "Start, stop and look at an environment that outlives a run."),
}
DIRTY, USAGE, INTERNAL = 3, 4, 5


class _Lazy(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"meshkit_chaos.cli.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """From the table: no command is imported to print the list."""
        del ctx
        return ((name, summary) for name, (_, summary) in _COMMANDS.items())


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 pass · 1 fail · 2 inconclusive, invalid, not run · 3 environment left dirty · "
    "4 usage or document wrong · 5 our own error",
)
@click.version_option(package_name="meshkit-chaos", message="%(prog)s %(version)s", prog_name="meshkit-chaos")
def cli() -> None:
    """Break a mesh on purpose, measure how long it takes to converge, and judge that against objectives.

    Start with:  meshkit-chaos demo
    """


@dataclass(slots=True)
class _Ending:
    """What counts for the exit code besides what the command itself gives."""

    results: Path | None = None
    own_error: bool = False


def runs_in(out: Path) -> None:
    """From now on runs are at work in ``out``: whatever breaks, that they left something broken comes before it."""
    if (context := click.get_current_context(silent=True)) is not None:
        context.ensure_object(_Ending).results = out


def admit(error: Exception) -> None:
    """Say an error of ours that keeps the command from nothing else; it then ends with 5, if not with 3.

    Where there is no command that could end so, the error is raised.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        raise error
    context.ensure_object(_Ending).own_error = True
    _show_internal(error)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; no traceback for what is not our own mistake."""
    ending = _Ending()
    code, broke = _run(arguments, ending)
    if broke and code != DIRTY and ending.results is not None and _left_dirty(ending.results):
        return DIRTY
    return INTERNAL if ending.own_error and code != DIRTY else code


def _run(arguments: Sequence[str], ending: _Ending) -> tuple[int, bool]:
    """The exit code, and whether the command broke before it could give one itself."""
    try:
        result = cli.main(args=list(arguments), prog_name="meshkit-chaos", standalone_mode=False, obj=ending)
    except click.ClickException as error:
        error.show()
        return USAGE, True
    except click.Abort:
        say("interrupted")
        return 2, True
    except ChaosError as error:
        _show(error)
        return error.exit_code, True
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERNAL, True
    except Exception as error:  # noqa: BLE001  # the border: whatever comes here is ours, and has its own exit code
        _show_internal(error)
        return INTERNAL, True
    return result if isinstance(result, int) else 0, False


def _left_dirty(out: Path) -> bool:
    """Look into the journals, and into nothing else: the rest may be what broke."""
    from meshkit_chaos.campaign.results import left_dirty  # noqa: PLC0415  # only where something broke

    runs = left_dirty(out)
    for folder in runs:
        say(f"the run in {folder} left its environment dirty; hint: meshkit-chaos recover {out}")
    return bool(runs)


def _as_it_is(text: str) -> str:
    return text


_hide: Callable[[str], str] = _as_it_is


def conceal(hide: Callable[[str], str]) -> None:
    """Let whatever is said from now on go through ``hide``: whoever reads secrets keeps them from the terminal, too."""
    global _hide  # noqa: PLW0603  # a process talks to one terminal, and an error anywhere in it may hold a secret
    _hide = hide


def say(text: str) -> None:
    """Talk goes to stderr; stdout is data. That nobody listens any more (a closed pipe, a terminal gone) stops nothing."""
    try:
        click.echo(_hide(text).replace("##vso[", "# #vso[").replace("##[", "# #["), err=True)  # no command to a CI agent
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _show(error: ChaosError) -> None:
    if isinstance(error, DocumentError):
        say(error.message)
        return
    say(f"error ({error.who} must act): {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")


def _show_internal(error: Exception) -> None:
    say(f"internal error (ours): {type(error).__name__}: {error}")
    if os.environ.get("MESHKIT_CHAOS_TRACEBACK"):
        say(traceback.format_exc())
    else:
        say("hint: set MESHKIT_CHAOS_TRACEBACK=1 to see where, and report it")
