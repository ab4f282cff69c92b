"""The package as users have it: installed in a folder of its own, and run from wherever somebody happens to stand."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from lab_runs import READ_BY_THEN_S, Corner, LabRun, assert_undone, let_pass

from meshkit_chaos.journal import events as ev

_ROOT = Path(__file__).parents[2]
_HOSTILE = ("json", "meshkit_chaos", "msgspec", "signal", "select", "asyncio", "sitecustomize", "usercustomize")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter in an environment of its own, in which the package is installed and the checkout is not."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=60)
    (packages,) = venv.glob("lib/python*/site-packages")
    install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--root-user-action=ignore", "--target", str(packages), str(_ROOT)], check=True, timeout=100)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = venv / "bin" / "python"
    where = [str(python), "-P", "-c", "import meshkit_chaos; print(meshkit_chaos.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, check=True, timeout=60).stdout
    assert Path(found).is_relative_to(packages), found
    return python


@pytest.fixture
def elsewhere(corner: Corner, installed: Path) -> Corner:
    """A corner whose commands are those of the installed package."""
    corner.python = str(installed)
    return corner


def killed_during_a_fault(run: LabRun) -> None:
    run.reached(ev.FaultInjected)
    let_pass(READ_BY_THEN_S)
    run.strike()
    run.ended()
    run.corner.gone(what="runner of the installed package killed")


def words_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


@pytest.mark.slow
def test_the_watchdog_of_an_installed_package_undoes_among_hostile_modules(elsewhere: Corner) -> None:
    """Files in the working folder that are called as modules are run neither by the command nor by its watchdog."""
    here = elsewhere.folder / "here"
    here.mkdir()
    for name in _HOSTILE:
        (here / f"{name}.py").write_text(f"open({str(elsewhere.folder / 'was-run')!r}, 'a').write({name!r})\n")
    run = elsewhere.run("leader-paused-long", cwd=here)
    run.reached(ev.FaultInjected)
    assert words_of(run.watchdog)[0] == elsewhere.python
    killed_during_a_fault(run)
    assert_undone(run)
    assert not (elsewhere.folder / "was-run").exists()


@pytest.mark.slow
def test_a_working_folder_that_is_deleted_before_anything_begins_changes_nothing(elsewhere: Corner) -> None:
    """Command and watchdog start where there is no folder any more; all that they need is named from the root."""
    gone = elsewhere.folder / "gone"
    gone.mkdir()
    elsewhere.number += 1
    file, out = elsewhere.folder / "chaos-scenarios.yaml", elsewhere.folder / "out"
    words = (
        f'rmdir "{gone}" && exec "{elsewhere.python}" -P -m meshkit_chaos run leader-paused-long --file "{file}" --out "{out}"'
    )
    talk = elsewhere.folder / "talk"
    with talk.open("wb") as said:
        process = subprocess.Popen(
            ["sh", "-c", words],
            cwd=gone,
            env=elsewhere.variables(),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    run = LabRun(elsewhere, process, out, "leader-paused-long", talk, talk)
    killed_during_a_fault(run)
    assert_undone(run)


@pytest.mark.slow
def test_a_working_folder_that_is_deleted_with_the_results_changes_nothing(elsewhere: Corner) -> None:
    """The results were named relative to a folder that is gone, and so are they: the watchdog undoes from what it has read."""
    here = elsewhere.folder / "here"
    here.mkdir()
    words = ("run", "leader-paused-long", "--file", str(elsewhere.folder / "chaos-scenarios.yaml"), "--out", "out")
    run = elsewhere.start(*words, scenario="leader-paused-long", out=here / "out", cwd=here)
    run.reached(ev.FaultInjected)
    let_pass(READ_BY_THEN_S)
    run.strike(signal.SIGSTOP)
    shutil.rmtree(here)
    run.strike()
    run.ended()
    elsewhere.gone(what="working folder deleted, runner killed")
