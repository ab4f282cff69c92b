"""What the tutorial and the how-tos tell a reader to type is typed here, and says what they say it does.

A ``console`` block has lines that begin with ``$ `` and, below each, fragments that its output holds in that order. A YAML
block with ``file=NAME`` is saved first. All blocks of a page share a folder. ``console lab`` needs a real etcd; what is in
``console slow`` takes long, and is typed by ``test_dashboard_walk.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from documentation import Block, Page, pages

from meshkit_chaos.environments.resolving import lab_folder

RUNNABLE = [page for page in pages() if any(block.language == "console" and not block.slow for block in page.blocks())]
REAL = [page for page in RUNNABLE if any(block.lab for block in page.blocks())]
FIRST = {"README.md", "docs/tutorial.md", "docs/howto/run-in-ci.md"}
"""What a newcomer reads first is typed in every run of the tests; the other pages, a second a command, in the slow one."""

SIGN = "@@next@@"


@dataclass(frozen=True)
class Typed:
    """One command and the fragments that are expected below it."""

    command: str
    expected: tuple[str, ...]


def typed(block: Block) -> Iterator[Typed]:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *expected = part.rstrip("\n").split("\n")
        yield Typed(command, tuple(line.strip() for line in expected))


def play(page: Page, folder: Path, *, lab: bool, slow: bool = False) -> None:
    """Save the files of a page, type its commands in one shell, and look at what each of them printed.

    What lies beside the page of an example is there for its reader.
    """
    if page.name.startswith("examples/"):
        shutil.copytree(page.path.parent, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
    steps: list[Typed] = []
    for block in page.blocks():
        if block.language == "yaml" and block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "console" and block.lab is lab and block.slow is slow:
            steps += typed(block)
    outputs = shell([step.command for step in steps], folder, timeout=900 if slow else 110)
    for step, output in zip(steps, outputs, strict=True):
        position = 0
        for fragment in step.expected:
            found = output.find(fragment, position)
            assert found >= 0, f"{page.name}: `{step.command}` did not say {fragment!r} (in this place):\n{output}"
            position = found + len(fragment)


def shell(commands: list[str], folder: Path, *, timeout: int = 110) -> list[str]:
    """Run commands one after another in one shell; what each printed, both streams. ``$?`` is as a reader would see it."""
    script = "".join(f"{command}\nstatus=$?; echo; echo '{SIGN}'; (exit $status)\n" for command in commands)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MESHKIT_CHAOS_STATE": str(folder / "state"),
        "LC_ALL": "C",
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "140",
    }
    done = subprocess.run(
        ["bash"], input=script, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", timeout=timeout, check=False,
    )  # fmt: skip
    return done.stdout.split(SIGN)[: len(commands)]


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.name, marks=() if page.name in FIRST else pytest.mark.slow) for page in RUNNABLE],
)
def test_what_a_reader_types_does_what_the_page_says(page: Page, tmp_path: Path) -> None:
    """Every console block that needs no real mesh prints what the page shows."""
    play(page, tmp_path, lab=False)


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.skipif(lab_folder() is None, reason="no etcd binaries: the extra 'lab' is not installed")
@pytest.mark.parametrize("page", REAL, ids=lambda page: page.name)
def test_what_a_reader_types_on_a_real_mesh_does_what_the_page_says(page: Page, tmp_path: Path) -> None:
    """Every console block marked ``lab`` prints what the page shows, on real etcd processes."""
    play(page, tmp_path, lab=True)


def test_the_tutorial_is_run() -> None:
    """The pages with something to type are found; an empty list would prove nothing."""
    assert {*FIRST, "docs/howto/standing-environment.md"} <= {page.name for page in RUNNABLE}


def test_a_wrong_page_is_noticed(tmp_path: Path) -> None:
    """The runner itself fails where a command prints something else than the page says."""
    wrong = tmp_path / "wrong.md"
    wrong.write_text("```console\n$ echo one\ntwo\n```\n", encoding="utf-8")
    page = Wrong(wrong)
    with pytest.raises(AssertionError, match="did not say 'two'"):
        play(page, tmp_path, lab=False)


class Wrong(Page):
    """A page that is not part of the project."""

    @property
    def name(self) -> str:
        return self.path.name
