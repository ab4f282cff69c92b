"""`demo --history` on its newest nights: what it leaves, how it is shown, what it refuses. All ninety are in `tests/docs`."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from meshkit_chaos.cli.app import run
from meshkit_chaos.cli.dashboard import sources
from meshkit_chaos.cli.demo_nights import ACCEPTED, NIGHTS, RELEASE_NIGHTS, commit
from meshkit_chaos.cli.demo_telling import Receivers
from meshkit_chaos.cli.histories import open_history
from meshkit_chaos.clock import ManualClock
from meshkit_chaos.deliver.outbox import Outbox
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.gate.log import GateLog, verify

NEWEST = NIGHTS - ACCEPTED


def test_the_newest_nights_are_run_told_and_decided_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two branches, a gate that an override opened after it was closed, messages that arrived, commands that show it."""
    out = tmp_path / "made by a demo"
    assert (
        run(["demo", "--history", "--nights", str(NEWEST), "--today", "2026-11-25", "--out", str(out), "--format", "json"]) == 0
    )
    made = json.loads(capsys.readouterr().out)

    with open_history(str(out / "chaos-history")) as history:
        subjects = [one.subject for one in history.invocations()]
        told = Outbox(history.database).newest(1000)
    branches = [one["branch"] for one in subjects]
    assert (branches.count("main"), branches.count("release/1.1")) == (NEWEST, sum(one >= ACCEPTED for one in RELEASE_NIGHTS))
    assert {"first-failure", "still-failing", "summary", "gate-opened", "override-used"} <= {
        one.action.occasion for one in told
    }
    assert max(one.attempts for one in told if one.state == "delivered") == 5, "the receiver was away for four requests"

    chain = verify(GateLog(out / "chaos-gate-log.jsonl").read())
    assert chain.problems == ()
    of_accepted = [one.body for one in chain.entries if one.body["subject"]["commit"] == commit(ACCEPTED)]
    assert [body["open"] for body in of_accepted] == [False, True]
    assert [item["scenario"] for item in of_accepted[1]["items"] if item["code"] == "waived"] == ["rebalanced-after-restart"]
    merged = subprocess.run(["git", "log", "--format=%s", "main"], cwd=out, capture_output=True, text=True, check=True).stdout
    assert "Accept the slower rebalancing" in merged.split("\n")[0]

    export, serve = map(shlex.split, made["commands"])
    assert serve[1:3] == ["dashboard", "serve"]
    assert run(export[1:]) == 0
    assert "waived" in (out / "site" / "grid.html").read_text()
    assert "--overrides-ref=main" in export, "without a ref they are shown, and decide nothing"
    given = {
        "policy": out / "chaos-gate.yaml",
        "overrides": out / "chaos-overrides.yaml",
        "log": None,
        "compare": "",
        "project": "",
    }
    with open_history(str(out / "chaos-history")) as history:
        read = [sources(history, **given, overrides_ref=ref).gate_files.overrides() for ref in ("main", None)]
    assert [one.protected for one in read] == [True, False]


@pytest.mark.parametrize("words", [("--nights", "3"), ("--today", "2026-11-25"), ("--history", "--nights", "91")])
def test_what_means_nothing_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    """Options of the history without it, and more nights than there are."""
    assert run(["demo", *words, "--out", str(tmp_path / "out")]) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_machine_on_which_nobody_may_listen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo ends with a sentence, and does not wait for receivers that never came."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr("meshkit_chaos.measure.loopback.serving", refused)
    with pytest.raises(CannotRun, match="cannot listen on loopback"), Receivers(ManualClock()).listening():
        raise AssertionError
