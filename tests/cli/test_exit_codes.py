"""Every command and every exit code that it can give: 0 pass, 1 fail, 2 undecided, 3 dirty, 4 usage or document, 5 ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_lines import Ended, command, write_documents
from virtual_runs import ENVIRONMENT, INDICATORS, Staged, document, invoke, scenario_text

from meshkit_chaos.cli import app
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.environments.state import Quarantine, quarantine, take_lease

FAST = "[{converge: one-leader, within: 500ms}]"
UNSEEN = "[{converge: typo, within: 5s}]"
TYPO = INDICATORS + '  typo: {promql: sum(etcd_server_is_leadr), good: "== 1"}\n'
UP_LISTED = 'prerequisites: [{members: ">= 9"}]'


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own working folder and its own state folder."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def passing(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs")


def missing_objective(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs", document(scenario_text(objectives=FAST)))


def unseen(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs", document(scenario_text(objectives=UNSEEN), indicators=TYPO))


def not_run(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs", document(scenario_text(more=UP_LISTED)))


def wrong(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs", document().replace("rollback:", "roolback:"))


def out_of(tmp_path: Path, staged: Staged | None = None, text: str | None = None) -> Path:
    return invoke(tmp_path / "out", text, staged=staged).out


def dirty(tmp_path: Path) -> Path:
    return out_of(tmp_path, Staged(misbehaviour={"start": "raises"}))


def quarantined_lab(tmp_path: Path) -> str:
    quarantine(environment_folder("lab"), Quarantine(run=str(tmp_path / "gone"), differences=("node-1 is down",)))
    return "lab"


def kept(tmp_path: Path) -> tuple[object, ...]:
    """A history with one invocation in it."""
    assert command("history", "import", out_of(tmp_path), "--history", tmp_path / "kept").code == 0
    return ("--history", tmp_path / "kept")


def altered(tmp_path: Path) -> tuple[object, ...]:
    """A history of which one bundle was altered."""
    options = kept(tmp_path)
    bundle = next((tmp_path / "kept").rglob("*.tar.gz"))
    bundle.write_bytes(bundle.read_bytes()[:-1])
    return options


def routes(tmp_path: Path) -> Path:
    """Routes to a tracker that nobody reaches: nothing listens at the port of a service that was given up long ago."""
    tracker = "github: {repository: a/b, token: {file: token}, api: 'http://127.0.0.1:9'}"
    told = "{id: all, to: [tickets], occasions: [first-failure]}"
    (tmp_path / "token").write_text("no-secret-at-all", encoding="utf-8")
    text = f"version: 1\nproject: mesh\nchannels:\n  - id: tickets\n    {tracker}\nroutes:\n  - {told}\n"
    (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "routes.yaml"


def undelivered(tmp_path: Path) -> tuple[object, ...]:
    """Tell of a failure where nobody listens."""
    out = tmp_path / "out"
    if not out.exists():
        out_of(tmp_path, text=document(scenario_text(objectives=FAST)))
    return ("notify", "send", out, "--routes", routes(tmp_path), "--wait", "0s")


def after(first: tuple[object, ...], then: tuple[object, ...]) -> tuple[object, ...]:
    command(*first)
    return then


Arguments = Callable[[Path], tuple[object, ...]]


def run_of(documents: Callable[[Path], Path], *more: object) -> Arguments:
    return lambda tmp_path: ("run", "--file", documents(tmp_path), "--out", tmp_path / "results", *more)


TABLE: dict[str, tuple[int, Arguments]] = {
    "help": (0, lambda tmp: ("--help",)),
    "version": (0, lambda tmp: ("--version",)),
    "nothing": (4, lambda tmp: ()),
    "no such command": (4, lambda tmp: ("rnu",)),
    "no such option": (4, lambda tmp: ("run", "--flie", "x")),
    "lint, good": (0, lambda tmp: ("lint", passing(tmp))),
    "lint, an environment": (0, lambda tmp: ("lint", passing(tmp).parent / "lab.yaml")),
    "lint, wrong": (4, lambda tmp: ("lint", wrong(tmp))),
    "lint, wrong as json": (4, lambda tmp: ("lint", wrong(tmp), "--format", "json")),
    "lint, wrong for github": (4, lambda tmp: ("lint", wrong(tmp), "--format", "github")),
    "lint, no such file": (4, lambda tmp: ("lint", tmp / "none.yaml")),
    "lint, a folder": (4, lambda tmp: ("lint", tmp)),
    "lint, no file given": (4, lambda tmp: ("lint",)),
    "schema": (0, lambda tmp: ("schema", "scenarios")),
    "schema, environment": (0, lambda tmp: ("schema", "environment")),
    "schema, verdict": (0, lambda tmp: ("schema", "verdict")),
    "schema, unknown": (4, lambda tmp: ("schema", "nonsense")),
    "plan": (0, lambda tmp: ("plan", "--file", passing(tmp))),
    "plan, json": (0, lambda tmp: ("plan", "--file", passing(tmp), "--format", "json", "--seed", "3")),
    "plan, nothing selected": (2, lambda tmp: ("plan", "x*", "--file", passing(tmp))),
    "plan, no such scenario": (4, lambda tmp: ("plan", "nonsense", "--file", passing(tmp))),
    "plan, wrong document": (4, lambda tmp: ("plan", "--file", wrong(tmp))),
    "plan, no such environment": (4, lambda tmp: ("plan", "--file", passing(tmp), "--env", tmp / "none.yaml")),
    "plan, bad seed": (4, lambda tmp: ("plan", "--file", passing(tmp), "--seed", "-1")),
    "run, pass": (0, run_of(passing)),
    "run, pass as json": (0, run_of(passing, "--format", "json")),
    "run, fail": (1, run_of(missing_objective)),
    "run, fail in repeats": (1, run_of(missing_objective, "--repeat", "3")),
    "run, inconclusive": (2, run_of(unseen)),
    "run, not run": (2, run_of(not_run)),
    "run, nothing selected": (2, lambda tmp: ("run", "x*", "--file", passing(tmp), "--out", tmp / "results")),
    "run, wrong document": (4, run_of(wrong)),
    "run, no file": (4, lambda tmp: ("run",)),
    "run, no such scenario": (4, lambda tmp: ("run", "nonsense", "--file", passing(tmp), "--out", tmp / "results")),
    "run, no such environment file": (4, run_of(passing, "--env", "nonsense.yaml")),
    "run, no such environment": (4, run_of(passing, "--env", "nonsense")),
    "run, no such variable": (4, run_of(passing, "--var", "x=1")),
    "run, bad variable": (4, run_of(passing, "--var", "x")),
    "run, bad subject": (4, run_of(passing, "--subject", "=1")),
    "run, subject twice": (4, run_of(passing, "--subject", "a=1", "--subject", "a=2")),
    "run, bad wait": (4, run_of(passing, "--wait", "soon")),
    "run, bad repeat": (4, run_of(passing, "--repeat", "0")),
    "run, out is a file": (4, lambda tmp: ("run", "--file", passing(tmp), "--out", passing(tmp))),
    "run, out is not empty": (4, lambda tmp: ("run", "--file", passing(tmp), "--out", passing(tmp).parent)),
    "judge, pass": (0, lambda tmp: ("judge", out_of(tmp))),
    "judge, one run": (0, lambda tmp: ("judge", out_of(tmp) / "runs" / "leader-killed" / "001")),
    "judge, fail": (1, lambda tmp: ("judge", out_of(tmp, text=document(scenario_text(objectives=FAST))))),
    "judge, what if": (1, lambda tmp: ("judge", out_of(tmp), "--file", missing_objective(tmp))),
    "judge, dirty": (3, lambda tmp: ("judge", dirty(tmp))),
    "judge, dirty run": (3, lambda tmp: ("judge", dirty(tmp) / "runs" / "leader-killed" / "001")),
    "judge, no record": (2, lambda tmp: ("judge", tmp)),
    "judge, no such folder": (2, lambda tmp: ("judge", tmp / "none")),
    "judge, wrong file": (4, lambda tmp: ("judge", out_of(tmp), "--file", wrong(tmp))),
    "report, pass": (0, lambda tmp: ("report", out_of(tmp))),
    "report, dirty": (3, lambda tmp: ("report", dirty(tmp))),
    "report, no record": (2, lambda tmp: ("report", tmp)),
    "report, nothing given": (4, lambda tmp: ("report",)),
    "recover, nothing to do": (0, lambda tmp: ("recover",)),
    "recover, json": (0, lambda tmp: ("recover", "--format", "json")),
    "recover, clean invocation": (0, lambda tmp: ("recover", out_of(tmp))),
    "recover, what is nothing": (4, lambda tmp: ("recover", "nonsense")),
    "recover, what is no id": (4, lambda tmp: ("recover", "Non/Sense")),
    "env status": (0, lambda tmp: ("env", "status")),
    "env status, dirty": (3, lambda tmp: ("env", "status", quarantined_lab(tmp))),
    "env down, unknown": (4, lambda tmp: ("env", "down", "nonsense")),
    "env down, no id": (4, lambda tmp: ("env", "down", "Non Sense")),
    "env up, no file": (4, lambda tmp: ("env", "up", tmp / "none.yaml")),
    "env up, simulated": (4, lambda tmp: ("env", "up", passing(tmp).parent / "lab.yaml")),
    "env up, wrong": (4, lambda tmp: ("env", "up", wrong(tmp))),
    "env, nothing": (4, lambda tmp: ("env",)),
    "doctor": (0, lambda tmp: ("doctor",)),
    "doctor, json": (0, lambda tmp: ("doctor", "--format", "json")),
    "doctor, dirty environment": (2, lambda tmp: ("doctor", "--format", "json", *quarantined_lab(tmp)[:0])),
    "init": (0, lambda tmp: ("init", tmp / "new")),
    "init, in the way": (4, lambda tmp: ("init", passing(tmp).parent)),
    "new, no file": (4, lambda tmp: ("new", "x", "--fault", "kill", "--target", "count=1", "--slo", "up == 1 within 5s")),
    "test, no file": (4, lambda tmp: ("test",)),
    "rule": (0, lambda tmp: ("rule", "MC105")),
    "rule, unknown": (4, lambda tmp: ("rule", "MC999")),
    "mutate": (0, lambda tmp: ("mutate", out_of(tmp))),
    "mutate, nothing passed": (2, lambda tmp: ("mutate", out_of(tmp, text=document(scenario_text(objectives=FAST))))),
    "mutate, no run": (4, lambda tmp: ("mutate", tmp)),
    "shrink, what passed": (4, lambda tmp: ("shrink", out_of(tmp) / "runs/leader-killed/001", "--out", tmp / "small")),
    "shrink, no run": (2, lambda tmp: ("shrink", tmp, "--out", tmp / "small")),
    "shrink, nowhere to put it": (4, lambda tmp: ("shrink", tmp)),
    "history import": (0, lambda tmp: ("history", "import", out_of(tmp))),
    "history import, no results": (2, lambda tmp: ("history", "import", tmp)),
    "history import, nothing given": (4, lambda tmp: ("history", "import")),
    "history list": (0, lambda tmp: ("history", "list", *kept(tmp))),
    "history list, none there": (2, lambda tmp: ("history", "list", "--history", tmp / "none")),
    "history list, no location": (4, lambda tmp: ("history", "list", "--history", "ftp://x")),
    "history show": (0, lambda tmp: ("history", "show", "latest", *kept(tmp))),
    "history show, unknown": (4, lambda tmp: ("history", "show", "nonsense", *kept(tmp))),
    "history trend": (0, lambda tmp: ("history", "trend", "leader-killed", *kept(tmp))),
    "history trend, unknown": (4, lambda tmp: ("history", "trend", "nonsense", *kept(tmp))),
    "history trend, no such objective": (4, lambda tmp: ("history", "trend", "leader-killed", "--objective", "x", *kept(tmp))),
    "history compare": (0, lambda tmp: ("history", "compare", "latest", "version=1", *kept(tmp))),
    "history compare, unknown": (4, lambda tmp: ("history", "compare", "latest", "version=2", *kept(tmp))),
    "history push": (0, lambda tmp: ("history", "push", tmp / "share", *kept(tmp))),
    "history push, no remote": (4, lambda tmp: ("history", "push", "ftp://x", *kept(tmp))),
    "history push, no repository": (2, lambda tmp: ("history", "push", f"git:{tmp / 'none.git'}", *kept(tmp))),
    "history pull": (0, lambda tmp: ("history", "pull", tmp / "share")),
    "history export": (0, lambda tmp: ("history", "export", tmp / "old", *kept(tmp))),
    "history export, in the way": (4, lambda tmp: ("history", "export", tmp / "old", "x", *kept(tmp))),
    "history prune": (0, lambda tmp: ("history", "prune", "--keep", "0s", *kept(tmp))),
    "history prune, no duration": (4, lambda tmp: ("history", "prune", "--keep", "soon", *kept(tmp))),
    "history rebuild": (0, lambda tmp: ("history", "rebuild", *kept(tmp))),
    "history verify": (0, lambda tmp: ("history", "verify", *kept(tmp))),
    "history verify, altered": (2, lambda tmp: ("history", "verify", *altered(tmp))),
    "history invalidate, unknown": (4, lambda tmp: ("history", "invalidate", "x", "--reason", "y", *kept(tmp))),
    "history invalidate, no reason": (4, lambda tmp: ("history", "invalidate", "x", *kept(tmp))),
    "history lease take": (0, lambda tmp: ("history", "lease", "take", "lab")),
    "history lease renew, lost": (2, lambda tmp: ("history", "lease", "renew", "lab", "--token", "9", *kept(tmp))),
    "gate": (4, lambda tmp: ("gate",)),
    "gate check, no policy": (4, lambda tmp: ("gate", "check", "--subject", "commit=c")),
    "gate self-test, no policy": (4, lambda tmp: ("gate", "self-test")),
    "gate backtest, no policy": (4, lambda tmp: ("gate", "backtest")),
    "gate override, nothing given": (4, lambda tmp: ("gate", "override", "x", "y")),
    "gate log, no log": (4, lambda tmp: ("gate", "log")),
    "gate log, not there": (2, lambda tmp: ("gate", "log", "--log", tmp / "none")),
    "notify": (4, lambda tmp: ("notify",)),
    "notify send, nothing given": (4, lambda tmp: ("notify", "send", "--routes", routes(tmp))),
    "notify send, no routes": (4, lambda tmp: ("notify", "send", out_of(tmp))),
    "notify send, nobody is to be told": (0, lambda tmp: ("notify", "send", out_of(tmp), "--routes", routes(tmp))),
    "notify send, no results": (2, lambda tmp: ("notify", "send", tmp, "--routes", routes(tmp))),
    "notify send, not delivered": (2, undelivered),
    "notify send, no such invocation": (4, lambda tmp: ("notify", "send", "x", "--routes", routes(tmp), *kept(tmp))),
    "notify send, no such decision": (4, lambda tmp: ("notify", "send", "--decision", tmp / "x", "--routes", routes(tmp))),
    "notify send, no wait": (4, lambda tmp: ("notify", "send", tmp, "--wait", "soon", "--routes", routes(tmp))),
    "notify flush": (0, lambda tmp: ("notify", "flush", "--routes", routes(tmp), *kept(tmp))),
    "notify flush, not delivered": (2, lambda tmp: after(undelivered(tmp), ("notify", "flush", *undelivered(tmp)[3:]))),
    "notify flush, no history": (2, lambda tmp: ("notify", "flush", "--routes", routes(tmp))),
    "notify status": (0, lambda tmp: ("notify", "status", *kept(tmp))),
    "notify status, not delivered": (2, lambda tmp: after(undelivered(tmp), ("notify", "status"))),
    "notify resolve, unknown": (4, lambda tmp: ("notify", "resolve", "x", "--sent", *kept(tmp))),
    "notify resolve, nothing said": (4, lambda tmp: ("notify", "resolve", "x", *kept(tmp))),
    "notify preview": (0, lambda tmp: ("notify", "preview", out_of(tmp), "--routes", routes(tmp))),
    "notify preview, nothing given": (4, lambda tmp: ("notify", "preview", "--routes", routes(tmp))),
    "notify init": (0, lambda tmp: ("notify", "init", tmp / "new")),
    "notify init, something in the way": (4, lambda tmp: after(("notify", "init", tmp), ("notify", "init", tmp))),
    "notify listen, no webhook": (4, lambda tmp: ("notify", "listen", "tickets", "--routes", routes(tmp))),
    "notify test, unknown channel": (4, lambda tmp: ("notify", "test", "x", "--routes", routes(tmp))),
    "notify test, not reached": (2, lambda tmp: ("notify", "test", "tickets", "--routes", routes(tmp))),
    "notify watch, no policy": (4, lambda tmp: ("notify", "watch", "--routes", routes(tmp))),
    "notify lint": (0, lambda tmp: ("notify", "lint", "--routes", routes(tmp))),
    "notify lint, wrong": (4, lambda tmp: ("notify", "lint", "--routes", wrong(tmp))),
    "demo, out is not empty": (4, lambda tmp: ("demo", "--simulated", "--out", passing(tmp).parent)),
}


@pytest.mark.parametrize("case", TABLE)
def test_every_command_gives_its_exit_code(tmp_path: Path, case: str) -> None:
    """Each command line ends with the code that the table says, and never with a traceback."""
    code, arguments = TABLE[case]
    ended = command(*arguments(tmp_path))
    assert ended.code == code, ended
    assert "Traceback" not in ended.out + ended.err
    assert code == 0 or (ended.out + ended.err).strip(), "whoever does not get a 0 is told why"


def test_the_demo_comes_out_as_expected(tmp_path: Path) -> None:
    """The simulated demo ends with 0 although one of its scenarios fails: that one is meant to."""
    ended = command("demo", "--simulated", "--out", tmp_path / "results")
    assert ended.code == 0, ended.err
    assert "SIMULATED" in ended.err
    verdicts = {
        one["scenario"]: one["verdict"] for one in json.loads((tmp_path / "results" / "verdict.json").read_bytes())["scenarios"]
    }
    assert "fail" in verdicts.values()


def test_an_error_of_ours_is_5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever escapes is ours: exit 5, one line, and how to see more; a traceback only where it is asked for."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("meshkit_chaos.cli.run.run_campaign", broken)
    ended = command("run", "--file", passing(tmp_path), "--out", tmp_path / "results")
    assert ended.code == 5
    assert "internal error (ours): ZeroDivisionError: by design" in ended.err
    assert "Traceback" not in ended.err
    monkeypatch.setenv("MESHKIT_CHAOS_TRACEBACK", "1")
    assert "Traceback" in command("run", "--file", passing(tmp_path), "--out", tmp_path / "results").err


def test_a_traceback_tells_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 19: an error of ours may quote a value; it is hidden in the traceback as in the message."""

    def broken(*_: object, **__: object) -> None:
        app.conceal(lambda text: text.replace("hunter2-hunter2", "[secret TOKEN]"))
        raise ZeroDivisionError("Bearer hunter2-hunter2")

    monkeypatch.setenv("MESHKIT_CHAOS_TRACEBACK", "1")
    monkeypatch.setattr("meshkit_chaos.cli.run.run_campaign", broken)
    try:
        ended = command("run", "--file", passing(tmp_path), "--out", tmp_path / "results")
    finally:
        app.conceal(str)
    assert "Traceback" in ended.err
    assert "[secret TOKEN]" in ended.err
    assert "hunter2" not in ended.err


def test_ctrl_c_outside_of_a_run_is_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt where nothing is under way ends the command, and is no pass."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meshkit_chaos.cli.run.run_campaign", interrupted)
    assert command("run", "--file", passing(tmp_path), "--out", tmp_path / "results").code == 2


def test_the_process_ends_with_the_code(tmp_path: Path) -> None:
    """What the function gives is what the process ends with: pass, fail and usage."""
    for documents, code in ((passing, 0), (missing_objective, 1), (wrong, 4)):
        file = documents(tmp_path / str(code))
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "meshkit_chaos",
                "run",
                "--file",
                file,
                "--out",
                tmp_path / str(code) / "results",
                "--format",
                "json",
            ],
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert process.returncode == code, process.stderr
        if code != 4:
            assert json.loads(process.stdout)["verdict"] == ("pass" if code == 0 else "fail")


def test_every_command_is_in_the_table() -> None:
    """A new command gets its row here."""
    known = set(app._COMMANDS)
    tested = {case.partition(",")[0].partition(" ")[0] for case in TABLE}
    mine = {"demo", "doctor", "lint", "schema", "plan", "run", "judge", "report", "recover", "env", "history"}
    assert mine <= known
    assert mine <= tested


def test_a_pipe_that_closes_is_no_crash(tmp_path: Path) -> None:
    """``meshkit-chaos schema | head -1`` says nothing of a traceback."""
    process = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m meshkit_chaos schema scenarios | head -c 1"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"Traceback" not in process.stderr
    assert b"Exception ignored" not in process.stderr


def test_a_lease_that_is_held_is_2(tmp_path: Path, own_state: Path) -> None:
    """An environment that somebody holds is refused with 2 by every command that would touch it."""
    folder = environment_folder("lab")
    take_lease(folder, holder="run 7")
    lab = write_documents(tmp_path / "docs", environment=PROCESS).parent / "lab.yaml"
    ended: Ended = command("env", "up", lab, "--name", "lab")
    assert ended.code == 2
    assert "held by run 7" in ended.err


PROCESS = ENVIRONMENT.replace("kind: simulated", "kind: process\ncommand: [sleep, '300']").replace(
    "simulated: {election: 1500ms, rejoin: 200ms}\n", ""
)


def break_down(*_: object, **__: object) -> None:
    """What a bug of ours does, wherever it is planted."""
    raise ZeroDivisionError("by design")


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


class StuckMesh(SimulatedEnvironment):
    """Members that were killed do not come back: every run leaves it dirty."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named, misbehaviour={"start": "raises"})


AFTER_THE_RUNS = [
    ("cli.outcome.html_report", break_down),
    ("cli.outcome.junit_xml", break_down),
    ("cli.outcome.verdict_json", break_down),
    ("cli.outcome.summary", break_down),
    ("cli.outcome.run_report", break_down),
    ("cli.outcome.verdict_table", break_down),
    ("cli.run.read_results", break_down),
    ("cli.run.read_results", interrupt),
    ("cli.run.show", break_down),
    ("campaign.campaign.judge", break_down),
    ("campaign.campaign.judge", interrupt),
    ("campaign.campaign.invocation_verdict", break_down),
    ("cli.run.Teller.judged", break_down),
]


@pytest.mark.parametrize(("where", "bug"), AFTER_THE_RUNS, ids=lambda it: it if isinstance(it, str) else it.__name__)
def test_a_dirty_environment_comes_before_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, bug: Callable[..., None]
) -> None:
    """Whatever breaks after the runs: that they left something broken is what the command ends with, and says."""
    monkeypatch.setattr("meshkit_chaos.cli.places.SimulatedEnvironment", StuckMesh)
    monkeypatch.setattr(f"meshkit_chaos.{where}", bug)
    ended = command("run", "--file", passing(tmp_path), "--out", tmp_path / "results")
    assert ended.code == 3, ended
    assert "dirty" in ended.out + ended.err
    assert f"meshkit-chaos recover {tmp_path / 'results'}" in ended.out + ended.err
    assert ("by design" in ended.err) is (bug is break_down)


@pytest.mark.parametrize(("where", "bug"), AFTER_THE_RUNS, ids=lambda it: it if isinstance(it, str) else it.__name__)
@pytest.mark.parametrize("documents", [passing, missing_objective])
def test_an_error_of_ours_comes_before_any_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, bug: Callable[..., None], documents: Callable[[Path], Path]
) -> None:
    """With a clean environment a bug is 5 and an interrupt 2, whether the scenario passed or failed."""
    monkeypatch.setattr(f"meshkit_chaos.{where}", bug)
    ended = command("run", "--file", documents(tmp_path), "--out", tmp_path / "results")
    assert ended.code == (5 if bug is break_down else 2), ended


@pytest.mark.parametrize("again", ["judge", "report"])
def test_records_of_a_dirty_environment_are_3_whatever_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Judged again, or written again, by a tool that is broken: 3 all the same, and 5 for a clean one."""
    broken, clean = dirty(tmp_path / "broken"), out_of(tmp_path / "clean")
    run_of_it = broken / "runs" / "leader-killed" / "001"
    monkeypatch.setattr("meshkit_chaos.cli.records.read_results", break_down)
    monkeypatch.setattr("meshkit_chaos.cli.records.judge", break_down)
    assert command(again, broken).code == 3
    assert command(again, clean).code == 5
    if again == "judge":
        assert command(again, run_of_it).code == 3


def test_one_document_that_breaks_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is printed and the other documents are there; the command still ends with 5."""
    monkeypatch.setattr("meshkit_chaos.cli.outcome.html_report", break_down)
    ended = command("run", "--file", passing(tmp_path), "--out", tmp_path / "results", "--format", "json")
    assert ended.code == 5
    assert ended.data["verdict"] == "pass"
    assert "by design" in ended.err
    there = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"verdict.json", "junit.xml", "summary.md"} <= there
    assert "report.html" not in there


def test_the_demo_with_a_broken_report_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That every scenario came out as expected makes up for no bug."""
    monkeypatch.setattr("meshkit_chaos.cli.outcome.html_report", break_down)
    assert command("demo", "--simulated", "--out", tmp_path / "results").code == 5
