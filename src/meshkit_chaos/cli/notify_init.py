"""``notify init``: a first routes file, for a chat and for tickets."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.cli.reading import ROUTES
from meshkit_chaos.errors import UsageError


@click.command("init", epilog="Example: meshkit-chaos notify init && meshkit-chaos notify preview")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path), default=Path())
@FORMAT
def init_command(folder: Path, form: str) -> int:
    """Write a first chaos-notify.yaml into DIR (default: here): a chat that is told everything, and tickets of what fails.

    Nothing is overwritten: ends with 4 if there is one.
    """
    place = folder / ROUTES
    text = (importlib.resources.files("meshkit_chaos") / "starter" / ROUTES).read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"nothing was written: {place} is there", hint="edit it, or name another folder") from error
    except OSError as error:
        raise UsageError(f"{place} cannot be written: {error.strerror}", hint="name another folder") from error
    click.echo(json_text([str(place)]) if form == "json" else str(place))
    say("next: name your channels in it; `meshkit-chaos notify preview RESULTS` shows what would be sent")
    return 0
