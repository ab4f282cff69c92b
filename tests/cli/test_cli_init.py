"""``init``: what it writes works at once, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import command

from meshkit_chaos.cli import init

FILES = ["README.md", "chaos-scenarios.test.yaml", "chaos-scenarios.yaml", "simulated-mesh.yaml"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own working folder and its own state folder."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_init_writes_lints_tests_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing to a judged run in four commands: init, lint, test, run."""
    made = command("init", "chaos", "--simulated")
    assert (made.code, names(tmp_path / "chaos")) == (0, FILES), made
    assert "meshkit-chaos test && meshkit-chaos run" in made.err
    monkeypatch.chdir(tmp_path / "chaos")
    linted = command("lint")
    assert (linted.code, linted.out) == (0, ""), linted.out
    assert "3 files, 0 errors, 0 warnings" in linted.err
    tested = command("test", "--strict")
    assert tested.code == 0, tested.out
    assert "5 tests, all as expected; 2 of 2 objectives seen failing" in tested.out
    assert command("run", "--out", "results").code == 0


def test_the_lab_is_written_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra installed the environment is the etcd lab, which lints and tests as well; without it, a simulated mesh."""
    monkeypatch.setattr(init, "lab_folder", lambda: "somewhere")
    assert command("init").code == 0
    assert "etcd-lab.yaml" in names(tmp_path)
    assert "environment: etcd-lab.yaml\n" in (tmp_path / "chaos-scenarios.yaml").read_text("utf-8")
    assert command("lint").code == 0
    assert command("test", "--strict").code == 0
    monkeypatch.setattr(init, "lab_folder", lambda: None)
    assert command("init", "other").code == 0
    assert names(tmp_path / "other") == FILES


@pytest.mark.parametrize("taken", FILES[1:])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    """One file in the way, and nothing is written at all; it is named."""
    (tmp_path / taken).write_text("mine", encoding="utf-8")
    ended = command("init", "--simulated")
    assert ended.code == 4
    assert taken in ended.err
    assert names(tmp_path) == [taken]
    assert (tmp_path / taken).read_text("utf-8") == "mine"


def test_everything_in_the_way_is_listed(tmp_path: Path) -> None:
    """A second init names every file that it would have written."""
    command("init", "--simulated")
    ended = command("init", "--simulated")
    assert ended.code == 4
    assert all(name in ended.err for name in FILES[1:])


def test_a_readme_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """A repository has a README of its own."""
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    assert command("init", "--simulated").code == 0
    assert (tmp_path / "README.md").read_text("utf-8") == "mine"


def test_the_readme_has_three_lines(tmp_path: Path) -> None:
    """The README says what there is, in three lines."""
    assert command("init", "--simulated").code == 0
    text = (tmp_path / "README.md").read_text("utf-8")
    assert text.count("\n") == 3
    assert "simulated-mesh.yaml" in text


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file where the folder should be, or a place that cannot be written, is said."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert command("init", "file").code == 4
    assert command("init", "file/below").code == 4


def test_init_as_json(tmp_path: Path) -> None:
    """As JSON it gives the paths that it wrote."""
    ended = command("init", "--simulated", "--format", "json")
    assert sorted(ended.data) == FILES
