"""``init``: a repository's first scenario file, its tests, an environment and three lines that say what to do with them."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Final

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.environments.resolving import lab_folder
from meshkit_chaos.errors import UsageError

_README: Final = "README.md"
_LAB: Final = "etcd-lab.yaml"
_SIMULATED: Final = "simulated-mesh.yaml"
_MARK: Final = "ENVIRONMENT"
_WRITTEN: Final = ("chaos-scenarios.yaml", "chaos-scenarios.test.yaml")


@click.command("init", epilog="Example: meshkit-chaos init chaos && cd chaos && meshkit-chaos test")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path), default=Path())
@click.option("--simulated", is_flag=True, help="Write a simulated mesh, even where real etcd is there.")
@FORMAT
def init_command(folder: Path, simulated: bool, form: str) -> int:
    """Write a first scenario file, its tests and an environment into DIR (default: here).

    The environment is a lab of three real etcd members where the extra `lab` is installed, a simulated mesh otherwise.
    Nothing is overwritten: ends with 4, and says what is in the way, if one of the files is there. A README.md that is there is
    left alone.
    """
    lab = lab_folder() is not None and not simulated
    environment = _LAB if lab else _SIMULATED
    files = {name: _text("starter", name).replace(_MARK, environment) for name in _WRITTEN}
    files[environment] = _text("demo" if lab else "starter", environment)
    readme = _text("starter", _README).replace(_MARK, environment)
    _refuse(folder, tuple(files))
    if not (folder / _README).exists():
        files[_README] = readme
    _write(folder, files)
    written = [str(folder / name) for name in files]
    click.echo(json_text(written) if form == "json" else "\n".join(written))
    say(f"next: {f'cd {folder} && ' if folder != Path() else ''}meshkit-chaos test && meshkit-chaos run")
    return 0


def _text(folder: str, name: str) -> str:
    return (importlib.resources.files("meshkit_chaos") / folder / name).read_text(encoding="utf-8")


def _refuse(folder: Path, names: tuple[str, ...]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a folder", hint="name another one")
    taken = [str(folder / name) for name in names if (folder / name).exists() or (folder / name).is_symlink()]
    if taken:
        raise UsageError(
            f"nothing was written: {', '.join(taken)} would be overwritten", hint="name another folder, or add with `new`"
        )


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written: {error.strerror}", hint="name another folder"
        ) from error
