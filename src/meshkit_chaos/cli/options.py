"""Options that several commands share, and how values are given on a command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from meshkit_chaos.errors import UsageError
from meshkit_chaos.slo.quantities import Duration

FILE = click.option(
    "--file",
    "-f",
    "file",
    type=click.Path(path_type=Path),
    default=Path("chaos-scenarios.yaml"),
    show_default=True,
    help="The scenario file.",
)
ENVIRONMENT = click.option(
    "--env",
    "environment",
    metavar="FILE|ID",
    help="Another environment than the file names: an environment file, or the id of one that is up.",
)
VARS = click.option("--var", "given", metavar="KEY=VALUE", multiple=True, help="Set a variable of the environment; repeatable.")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), help="Decides every draw; printed and recorded.  [default: random]"
)
TAGS = click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only scenarios with this tag; repeatable.")
ALLOW = click.option(
    "--allow-commands",
    "allow",
    is_flag=True,
    envvar="MESHKIT_CHAOS_ALLOW_COMMANDS",
    show_envvar=True,
    help="Run the commands that scenarios and environments hold. Without it they are shown and refused.",
)
FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)


def pairs(values: Sequence[str], *, option: str) -> dict[str, str]:
    """``KEY=VALUE`` texts as a dict. Raises UsageError for anything else, and for a key given twice with different values."""
    found: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} {value!r} is not KEY=VALUE", hint=f"such as {option} version=1.4.2")
        if found.get(key, text) != text:
            raise UsageError(f"{option} {key} is given twice: {found[key]!r} and {text!r}")
        found[key] = text
    return found


def json_text(value: Any) -> str:
    """Indented JSON for people and machines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def duration(text: str, *, option: str) -> Duration:
    """A duration given on the command line. Raises UsageError."""
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
