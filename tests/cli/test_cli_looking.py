"""What people look at before and after a run: status, plans, waits. Each was a stumbling block once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_lines import command, write_documents
from listening_lab import LISTENERS, one_killed

from meshkit_chaos.clock import boot_id
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.environments.state import OPEN_RUN, EnvironmentState, save_state, take_lease
from meshkit_chaos.scenario.load import load_environment

LAB = "listeners"


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that was registered and of which nothing runs; gives the scenario file."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    file = write_documents(tmp_path / "docs", one_killed(), environment=LISTENERS)
    described = load_environment((file.parent / "lab.yaml").read_bytes(), path="lab.yaml").value
    assert described is not None
    state = EnvironmentState(
        id=LAB,
        marker="01M84SZAJNY0QXHDBSC6C21A87",
        owner=os.getuid(),
        boot=boot_id(),
        data=str(tmp_path),
        description=described,
        members=(),
    )
    save_state(environment_folder(LAB), state)
    return file


def test_a_crashed_run_shows_in_the_status(registered: Path) -> None:
    """A run that is open while nobody holds the environment has crashed: exit 3, and ``recover`` is named."""
    (environment_folder(LAB) / OPEN_RUN).write_text("somewhere", encoding="utf-8")
    crashed = command("env", "status")
    assert crashed.code == 3
    assert f"meshkit-chaos recover {LAB}" in crashed.out
    held = take_lease(environment_folder(LAB), holder="a run")
    try:
        assert command("env", "status").code == 0
    finally:
        os.close(held)


def test_one_unreadable_environment_does_not_hide_the_others(registered: Path) -> None:
    """What cannot be read is told beside what can."""
    damaged = environment_folder("damaged")
    damaged.mkdir()
    (damaged / "environment.json").write_text("{", encoding="utf-8")
    (damaged / "environment.json").chmod(0o600)
    ended = command("env", "status", "--format", "json")
    assert ended.code == 3
    assert [status["id"] for status in ended.data] == ["damaged", LAB]
    assert "cannot be read" in ended.data[0]["dirty"][0]


def test_the_status_of_what_is_not_there(registered: Path) -> None:
    """An unknown id is a mistake of the command line, and the known ones are listed."""
    ended = command("env", "status", "lister")
    assert ended.code == 4
    assert LAB in ended.err


def test_a_plan_for_an_environment_that_is_up(registered: Path) -> None:
    """``plan --env`` takes an id as ``run --env`` does."""
    ended = command("plan", "--file", registered, "--env", LAB)
    assert ended.code == 0, ended
    assert LAB in ended.out


def test_who_waits_is_told_so(registered: Path) -> None:
    """``--wait`` says once what it waits for, and for how long."""
    held = take_lease(environment_folder(LAB), holder="run 01J of jo")
    try:
        ended = command("run", "--file", registered, "--env", LAB, "--wait", "300ms")
    finally:
        os.close(held)
    assert ended.err.count("waiting for it, at most 300ms") == 1
    assert ended.code == 2
