"""The folder of members' data: whoever is killed while making or removing it leaves nothing that the next one cannot remove."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from meshkit_chaos.environments.data_folder import make_data, remove_data
from meshkit_chaos.errors import EnvironmentProblem

KILLED_WHILE_REMOVING = """
import os, signal, sys
from pathlib import Path
from meshkit_chaos.environments.data_folder import make_data, remove_data

def kill_me_at(number):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event in ("os.remove", "os.rmdir"):
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
    sys.addaudithook(hook)

number, killed = 0, True
while killed:
    data = Path(sys.argv[1]) / str(number)
    make_data(data, "m")
    for member in ("node-1", "node-2"):
        (data / member).mkdir()
        (data / member / "log").write_text("a line")
    child = os.fork()
    if child == 0:
        kill_me_at(number)
        remove_data(data, "m")
        os._exit(0)
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert killed is data.exists(), number
    print(number, remove_data(data, "m"), data.exists())
    number += 1
"""


def test_a_removal_that_was_killed_at_any_step_is_finished_by_the_next(tmp_path: Path) -> None:
    """However little a killed process left of the folder, the next one knows it for what it is."""
    words = [sys.executable, "-P", "-c", KILLED_WHILE_REMOVING, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 7, "two files, their two folders, the mark, the folder itself; and once unharmed"
    assert told == [f"{number} () False" for number in range(len(told))]


@pytest.mark.parametrize("marked", [False, True], ids=["before its mark", "before the mark was written"])
def test_a_folder_whose_making_was_killed_is_removed(tmp_path: Path, marked: bool) -> None:
    """There is nothing of anybody's in it."""
    data = tmp_path / "data"
    data.mkdir()
    if marked:
        (data / ".meshkit-chaos-marker").touch()
    assert remove_data(data, "m") == ()
    assert not data.exists()


@pytest.mark.parametrize("text", [None, "", "n", "mm"])
def test_a_folder_of_another_is_left_as_it_is(tmp_path: Path, text: str | None) -> None:
    """Only the marker makes it ours, not the name of the folder; and one that is there already is not made."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "precious").write_text("mine")
    if text is not None:
        (data / ".meshkit-chaos-marker").write_text(text)
    (left,) = remove_data(data, "m")
    assert "does not bear the marker m" in left
    assert (data / "precious").read_text() == "mine"
    with pytest.raises(EnvironmentProblem, match="cannot be made"):
        make_data(data, "m")


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    """A link in the folder goes, what it names stays; a link in the folder's place is nobody's folder."""
    data, other = tmp_path / "data", tmp_path / "other"
    make_data(other, "m")
    make_data(data, "m")
    (data / "link").symlink_to(other)
    assert remove_data(data, "m") == ()
    data.symlink_to(other)
    assert remove_data(data, "m") != ()
    assert [entry.name for entry in other.iterdir()] == [".meshkit-chaos-marker"]


def test_a_folder_that_is_not_there_is_removed(tmp_path: Path) -> None:
    """Removing twice is as good as once."""
    assert remove_data(tmp_path / "data", "m") == ()
