"""The order of the rooms holds, says so understandably when it does not, and every room can be imported first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_sources import PACKAGE, ROOT, SRC, shipped

LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def lint(folder: Path, src: Path) -> subprocess.CompletedProcess[str]:
    """Run the import contract of ``folder`` over the package in ``src``."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--config", str(folder / "pyproject.toml"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(src), "NO_COLOR": "1", "COLUMNS": "200", "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def copy_of(folder: Path) -> Path:
    """The project's configuration and modules, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(PACKAGE, folder / "src" / "meshkit_chaos", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "src"


def test_rooms_import_only_from_rooms_above() -> None:
    """The contract holds for the project as it is."""
    result = lint(ROOT, SRC)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(("room", "other"), [("slo", "cli"), ("journal", "run"), ("measure", "environments")])
def test_a_wrong_import_is_told_with_both_rooms(tmp_path: Path, room: str, other: str) -> None:
    """Whoever imports against the order reads which room may not import which, and in which line it stands."""
    src = copy_of(tmp_path)
    wrong = src / "meshkit_chaos" / room / "wrongly_placed.py"
    wrong.write_text(f'"""Stands in the wrong room."""\n\nimport meshkit_chaos.{other}\n', encoding="utf-8")
    result = lint(tmp_path, src)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"meshkit_chaos.{room} is not allowed to import meshkit_chaos.{other}" in result.stdout
    assert f"meshkit_chaos.{room}.wrongly_placed -> meshkit_chaos.{other}" in result.stdout
    assert "l.3" in result.stdout


def test_a_new_room_must_be_given_its_place(tmp_path: Path) -> None:
    """A package that the order does not know breaks the contract."""
    src = copy_of(tmp_path)
    (src / "meshkit_chaos" / "attic").mkdir()
    (src / "meshkit_chaos" / "attic" / "__init__.py").write_text('"""A room without a place."""\n', encoding="utf-8")
    result = lint(tmp_path, src)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "attic" in result.stdout


IMPORT_EACH_ROOM_FIRST = """
import importlib, json, sys
for room, modules in json.load(sys.stdin).items():
    for loaded in [one for one in sys.modules if one.split(".")[0] == "meshkit_chaos"]:
        del sys.modules[loaded]
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:
            print(f"{name}: {type(error).__name__}: {error}")
"""


def test_every_room_can_be_imported_first_and_without_a_warning() -> None:
    """No room depends on another having been imported before, no module is left out, and none warns."""
    rooms: dict[str, list[str]] = {}
    for source in shipped():
        if not source.module.endswith("__main__"):
            rooms.setdefault(".".join(source.module.split(".")[:2]), []).append(source.module)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_EACH_ROOM_FIRST],
        input=json.dumps(rooms),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr
