"""The history commands as people type them: what they print, and that they agree with one another."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_lines import command
from log_builder import logged
from virtual_runs import document, invoke, scenario_text

TWO = document(
    scenario_text(),
    scenario_text(objectives="[{converge: one-leader, within: 500ms}]").replace("id: leader-killed", "id: too-strict"),
)
ULID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two invocations in a history."""
    folder = tmp_path_factory.mktemp("prepared")
    for seed, name in enumerate(("one", "two"), start=1):
        invoke(folder / name, TWO, seed=seed)
    assert command("history", "import", folder / "one", folder / "two", "--history", folder / "chaos-history").code == 0
    return folder


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: Path) -> Path:
    """Every test has its own working folder, with that history in it."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*arguments: object) -> str:
    """What a command printed, with every ULID as ``ULID``."""
    ended = command("history", *arguments)
    assert ended.code == 0, ended.err
    return ULID.sub("ULID", ended.out)


def runs() -> list[str]:
    """The ULIDs of every run of the newest invocation."""
    return [
        run["run"] for one in command("history", "show", "latest", "--format", "json").data["scenarios"] for run in one["runs"]
    ]


def test_list_says_when_what_and_of_which_subject() -> None:
    """One line an invocation."""
    line = "2026-01-01 00:00  ✗ fail   ULID  version=1  1 of 2 scenarios failed (too-strict)"
    assert [text.rstrip() for text in told("list").splitlines()[1:]] == [line, line]
    assert "1 older invocation not shown" in command("history", "list", "--limit", "1").err
    assert "no invocation" in command("history", "list", "--subject", "version=9").err


def test_show_says_every_objective() -> None:
    """The newest invocation with its scenarios, runs and sentences."""
    said = told("show", "latest")
    assert said.startswith("✗ fail: 1 of 2 scenarios failed (too-strict)\ninvocation   ULID, 2026-01-01 00:00 UTC")
    assert "2026-01-01 00:16 virtual time, took " in said  # the mesh is simulated: no reader may take that for a date
    assert "✓ leader-killed: A killed leader is replaced\n  pass: the run passed" in said
    assert (
        "    ✗ fail         one-leader was good again 1.39–1.6 s after leader-dies, not before 1.39 s: over the limit" in said
    )


def test_trend_draws_every_time() -> None:
    """Intervals as numbers and as bars, with the limit, oldest first; a run that does not count says why."""
    command("history", "invalidate", runs()[0], "--reason", "the lab lost a disk", "--by", "jo")
    lines = told("trend", "leader-killed").splitlines()
    assert lines[0] == "leader-killed: 2 results, 2 runs, oldest first"
    assert lines[2] == "converge-one-leader  ▃▃  limit 5 s"
    assert lines[3] == "2026-01-01 00:00  ✓ pass  1.39–1.6 s  ········███····················│  version=1"
    assert lines[4] == f"{lines[3]}  does not count: the lab lost a disk"
    data = command("history", "trend", "leader-killed", "--format", "json").data
    assert [one["invalidated"] for one in data] == ["", "the lab lost a disk"]
    assert {one["name"] for one in data} == {"converge-one-leader"}


def test_compare_puts_two_side_by_side() -> None:
    """Verdicts and times of both sides, and whether the difference is more than the measurement can tell."""
    lines = told("compare", "version=1", "latest").splitlines()
    assert lines[0].split() == ["scenario", "objective", "version=1", "latest", "difference"]
    assert lines[2].split("  ")[0] == "leader-killed"
    assert lines[2].endswith("the times overlap")


def test_a_mark_is_shown_and_undone() -> None:
    """Who looks at a run reads who invalidated it and why, and that it counts again."""
    run = runs()[0]
    assert told("invalidate", run, "--reason", "power cut", "--by", "jo") == "ULID does not count any more: power cut (jo)\n"
    assert "invalid: power cut (jo)" in told("show", run)
    assert (
        told("invalidate", run, "--undo", "--reason", "no power cut", "--by", "jo") == "ULID counts again: no power cut (jo)\n"
    )
    assert "counts again: no power cut (jo)" in told("show", run)


def test_an_export_is_a_results_folder() -> None:
    """What was exported is judged like the original, has its documents, and is known when it is imported again."""
    assert told("export", "old") == "2 invocations written below old\n"
    for folder in sorted(Path("old").iterdir()):
        assert command("judge", folder).code == 1
        assert (folder / "report.html").is_file()
        assert "known already" in told("import", folder)


def test_a_refused_folder_does_not_stop_the_others(tmp_path: Path) -> None:
    """Of several folders those that can be taken in are; the command ends with 2 and names the other."""
    (tmp_path / "empty").mkdir()
    ended = command("history", "import", "empty", "one", "--history", "other", "--format", "json")
    assert ended.code == 2
    assert [one["how"] for one in ended.data] == ["refused", "new"]
    assert "empty: refused:" in ended.err


def test_prune_shows_before_it_acts() -> None:
    """Without --yes nothing goes; with it, what was shown goes, and the last good results stay."""
    options = ("prune", "--keep", "0s", "--keep-failing", "0s", "--keep-last", "0")
    shown = told(*options)
    assert "1 invocation would go; --yes does it" in shown
    assert "kept: the last good result of leader-killed" in shown
    assert len(command("history", "list", "--format", "json").data) == 2
    assert "1 invocation pruned; " in told(*options, "--yes")
    assert len(command("history", "list", "--format", "json").data) == 1
    assert "all as it should be" in told("verify")


def test_logs_are_pruned_by_their_own_age_and_exported() -> None:
    """What members said can be taken out with the results, and goes before the evidence."""
    told("import", str(logged(Path("logged"), {"node-1/node-1.log": b"hello"})))
    told("export", "old")
    assert [file.read_bytes() for file in Path("old").rglob("node-1.log")] == [b"hello"]
    assert "0 invocations and the logs of 1 would go; --yes does it" in told("prune", "--keep-logs", "0s")
    assert "0 invocations and the logs of 1 pruned; 1 file removed" in told("prune", "--keep-logs", "0s", "--yes")
    assert "all as it should be" in told("verify")


def test_prune_keeps_what_the_policy_compares_with(tmp_path: Path) -> None:
    """Where a gate's policy lies, its baseline stays, and the reason is said; a policy that is wrong stops it."""
    every = ("prune", "--keep", "0s", "--keep-failing", "0s", "--keep-last", "0")
    held = command("history", "list", "--format", "json").data
    pairs = ", ".join(f"{key}: '{value}'" for key, value in held[0]["subject"].items())
    policy = "version: 1\nmatch: commit\nrequirements: [{id: a, scenarios: [leader-killed]}]\n"
    baseline = f"regression: {{baseline: {{subject: {{{pairs}}}, lag: 0s}}}}\n"
    (tmp_path / "chaos-gate.yaml").write_text(policy + baseline, encoding="utf-8")
    assert "kept: the gate compares leader-killed with it" in told(*every)
    (tmp_path / "chaos-gate.yaml").write_text("version: 9\n", encoding="utf-8")
    assert command("history", *every, "--yes").code == 4
    assert command("history", "list", "--format", "json").data == held


def test_every_command_prints_json() -> None:
    """Whoever scripts it gets data from each of them."""
    commands: tuple[tuple[object, ...], ...] = (
        ("list",), ("show", "latest"), ("show", runs()[0]), ("trend", "leader-killed"), ("compare", "latest", "latest"),
        ("push", "share"), ("pull", "share"), ("export", "old"), ("prune",), ("rebuild",), ("verify",),
        ("invalidate", runs()[0], "--reason", "x"), ("lease", "take", "lab"), ("lease", "list"),
        ("lease", "renew", "lab", "--token", "1"), ("lease", "release", "lab", "--token", "1"),
    )  # fmt: skip
    for arguments in commands:
        ended = command("history", *arguments, "--format", "json")
        assert ended.code == 0, (arguments, ended.err)
        assert ended.data is not None
        assert isinstance(ended.data, dict | list)


def test_the_place_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CI job says once where history is."""
    monkeypatch.setenv("MESHKIT_CHAOS_HISTORY", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("MESHKIT_CHAOS_ARTIFACTS", str(tmp_path / "bundles"))
    told("import", "one")
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["index.sqlite"]
    assert list((tmp_path / "bundles").rglob("*.tar.gz"))


def test_what_came_from_elsewhere_moves_no_cursor(tmp_path: Path) -> None:
    """Trap 29: a title, subject or reason that holds control characters is shown with them made visible."""
    log = tmp_path / "one" / "invocation.jsonl"
    escaped = rb"\u001b[2J\nfaked"
    log.write_bytes(log.read_bytes().replace(b'"version":"1"', b'"version":"' + escaped + b'"').replace(b"A killed", escaped))
    assert command("history", "import", "one", "--history", "other").code == 0
    run = command("history", "show", "latest", "--history", "other", "--format", "json").data["scenarios"][0]["runs"][0]["run"]
    command("history", "invalidate", run, "--reason", "\x1b[2J\nfaked", "--by", "\x1b[1m", "--history", "other")
    for arguments in (("list",), ("show", "latest"), ("show", run), ("trend", "leader-killed"), ("compare", "latest", run)):
        said = command("history", *arguments, "--history", "other").out
        assert "\x1b" not in said, arguments
        assert not [line for line in said.splitlines() if line.startswith("faked")], arguments
