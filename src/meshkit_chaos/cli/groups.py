"""A group of commands as a newcomer reads it: whole summaries in its help, and the nearest name for a misspelt one.

Takes the commands that a group lists; gives their first sentences uncut, where click would cut them to a line. Refuses an
unknown command as click does, with the name that was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

_WHOLE: Final = 1000  # letters; click cuts a summary at 45 unless told otherwise


class Group(click.Group):
    """Lists its commands with whole summaries, and knows what was meant."""

    def summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """Name and first sentence of each command."""
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None:
                yield name, command.get_short_help_str(_WHOLE)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries(ctx)))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches  # noqa: PLC0415  # start-up time

            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)
