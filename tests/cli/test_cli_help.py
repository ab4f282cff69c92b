"""What a newcomer reads before a manual: the help of every command, and what a slip of the fingers is answered with."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from command_lines import command

from meshkit_chaos.cli.app import cli


def every(name: tuple[str, ...], group: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and everything below it."""
    yield name, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for below in group.list_commands(context):
            found = group.get_command(context, below)
            assert found is not None
            yield from every((*name, below), found)


COMMANDS = dict(every((), cli))
GROUPS = [name for name, one in COMMANDS.items() if isinstance(one, click.Group)]


@pytest.mark.parametrize("name", GROUPS, ids=" ".join)
def test_the_summary_of_a_command_is_not_cut(name: tuple[str, ...]) -> None:
    """A list of commands tells each in a whole sentence."""
    _, _, listed = command(*name, "--help").out.partition("\nCommands:\n")
    assert listed
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name], ids=" ".join)
def test_every_help_ends_with_an_example(name: tuple[str, ...]) -> None:
    """The last words of a command's help are one that can be typed."""
    _, found, example = command(*name, "--help").out.rpartition("\n\n  Example: ")
    assert found
    assert "".join(example.split()).startswith("meshkit-chaos" + "".join(name))


@pytest.mark.parametrize("name", [name for name in COMMANDS if name], ids=" ".join)
def test_no_usage_is_broken_inside_a_word(name: tuple[str, ...]) -> None:
    """The first line of a help fits a terminal, or is wrapped between words."""
    usage = command(*name, "--help").out.partition("\n\n")[0]
    assert all(not line.strip()[0].islower() for line in usage.splitlines()[1:])


@pytest.mark.parametrize(
    ("typed", "meant"), [(("runn",), "run"), (("history", "pusch"), "push"), (("history", "lease", "tak"), "take")]
)
def test_a_misspelt_command_is_answered_with_the_nearest(typed: tuple[str, ...], meant: str) -> None:
    """A slip of the fingers is a mistake of the command line, and what was meant is named."""
    ended = command(*typed)
    assert ended.code == 4
    assert f"No such command {typed[-1]!r}. Did you mean {meant!r}?" in ended.err


def test_an_unknown_command_is_not_guessed() -> None:
    """What resembles no command is refused without a suggestion."""
    ended = command("xyzzy")
    assert ended.code == 4
    assert ended.err.rstrip().endswith("No such command 'xyzzy'.")
