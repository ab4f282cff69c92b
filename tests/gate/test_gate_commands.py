"""The gate's commands as people and pipelines type them: real runs, a real git repository, every exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from command_lines import Ended, command, write_documents
from virtual_runs import document, scenario_text

TOO_STRICT = document(scenario_text(objectives="[{converge: one-leader, within: 500ms}]"))
POLICY = "version: 1\nmatch: commit\nrequirements:\n  - {id: leadership, scenarios: [leader-killed]}\n"
BY_DIGEST = POLICY.replace("match: commit\n", "")
AT = ("--subject", "commit=c1")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own, with a policy on its main branch, as the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    for name in ("MESHKIT_CHAOS_HISTORY", "MESHKIT_CHAOS_GATE_LOG", "GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    git("init", "-q", "-b", "main")
    (tmp_path / "chaos-gate.yaml").write_text(POLICY, encoding="utf-8")
    committed("a policy")
    (tmp_path / ".gitignore").write_text("results/\nchaos-history/\ndocs/\nstate/\n", encoding="utf-8")
    return tmp_path


def git(*arguments: str) -> str:
    person = {f"GIT_{who}_{what}": "x@example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **person, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )
    return done.stdout.strip()


def committed(message: str) -> str:
    git("add", "-A")
    git("commit", "-q", "-m", message)
    return git("rev-parse", "HEAD")


def put(name: str, text: str | None = None, commit: str = "c1") -> None:
    """One invocation of a simulated mesh, taken into history."""
    file, out = write_documents(Path("docs"), text), Path("results") / name
    command("run", "--file", file, "--out", out, "--subject", f"commit={commit}", "--subject", "branch=main")
    assert command("history", "import", out).code == 0


def check(*more: object) -> Ended:
    return command("gate", "check", *AT, *more)


def accepted(*more: object, within: str = "9s") -> Ended:
    return command(
        "gate", "override", "leader-killed", "converge-one-leader", "--within", within, *AT, "--reason", "slow: fixed in 2",
        "--ticket", "M-1", "--author", "ann", "--approver", "bo", *more,
    )  # fmt: skip


def test_open_blocked_and_unproven() -> None:
    """A pass of the subject opens; of another it does not; a failure blocks: 0, 2 and 1, and the first line says it."""
    put("other", commit="c0")
    assert (check().code, check().out.partition(":")[0]) == (2, "BLOCKED")
    put("one")
    assert (check().code, check().out.partition(":")[0]) == (0, "OPEN")
    other = command("gate", "check", "--subject", "commit=c2")
    assert (other.code, "no result of this subject" in other.out) == (2, True)
    put("two", TOO_STRICT)
    assert (check().code, check().out.partition(":")[0]) == (1, "BLOCKED")


@pytest.mark.parametrize("form", ["json", "markdown", "junit"])
def test_data_goes_to_stdout_and_the_answer_to_stderr(form: str) -> None:
    """Whatever the format, standard output is one document and the answer is on standard error."""
    put("one")
    ended = check("--format", form)
    assert ended.code == 0
    assert ended.err.startswith("OPEN: 1 required scenario passed")
    assert ended.out.startswith({"json": "{", "markdown": "## ✓ Open", "junit": "<?xml"}[form])


def test_no_policy_or_a_bad_one_is_4(repository: Path) -> None:
    """Without a policy nothing is decided: usage errors and wrong documents end with 4."""
    assert check("--policy", "none.yaml").code == 4
    (repository / "bad.yaml").write_text(POLICY.replace("scenarios", "scenarioss"), encoding="utf-8")
    ended = check("--policy", "bad.yaml")
    assert (ended.code, "did you mean 'scenarios'?" in ended.err) == (4, True)
    assert command("gate", "check").code == 4, "no commit"
    assert command("gate", "check", "--subject", "commit").code == 4
    assert check("--history", "nowhere").code == 2, "a history that is not there holds no evidence"
    assert check("--policy-ref", "no-such-branch").code == 4
    assert check("--overrides", "none.yaml").code == 4


def test_by_digest_the_binaries_decide(repository: Path) -> None:
    """With ``match: digest`` a result is of the subject if it deployed just these binaries, whatever it calls itself."""
    (repository / "chaos-gate.yaml").write_text(BY_DIGEST, encoding="utf-8")
    put("one")
    decision = json.loads(command("gate", "check", "--digest", "node-1=0", "--format", "json").out)
    assert decision["items"][0]["code"] == "other-subject"
    assert check().code == 4, "a commit is no digest"
    assert command("gate", "check", "--digest", "nonsense").code == 4
    (repository / "meshd").write_bytes(b"a binary")
    assert command("gate", "check", "--digest", "meshd").code == 2


def test_an_override_counts_once_it_is_on_the_protected_branch(repository: Path) -> None:
    """Written by command it is refused; merged it opens, and log and summary say by whom; the policy comes from there, too."""
    put("one", TOO_STRICT)
    ended = accepted("--log", "gate.jsonl")
    assert ended.code == 0, ended.err
    refused = check()
    assert (refused.code, "refused (unprotected)" in refused.out) == (1, True)
    committed("an override")
    opened = check("--overrides-ref", "main", "--policy-ref", "main", "--log", "gate.jsonl")
    assert opened.code == 0, opened.out
    assert "used: accepts up to 9s (M-1: slow: fixed in 2); approved by bo; identity rests on branch protection" in opened.out
    assert "working tree" not in opened.out
    head = opened.out.strip().rpartition(" ")[2]
    log = command("gate", "log", "--log", "gate.jsonl", "--head", head)
    assert (log.code, [line.split()[2] for line in log.out.splitlines()[:2]]) == (0, ["override", "decision"])


def test_an_override_from_the_commit_under_test_is_refused() -> None:
    """A commit does not bring its own exception, even if it is the head of the protected branch."""
    put("one", TOO_STRICT)
    assert accepted().code == 0
    own = committed("code and its own exception")
    put("two", TOO_STRICT, commit=own)
    ended = command("gate", "check", "--subject", f"commit={own}", "--overrides-ref", "main")
    assert (ended.code, "refused (tested-commit)" in ended.out) == (1, True)


def test_a_bad_override_is_not_written(repository: Path) -> None:
    """What is not well-formed leaves the file as it was: no reason, self-approved, a glob, too long, no build."""
    place = repository / "chaos-overrides.yaml"
    assert accepted().code == 0
    before = place.read_bytes()
    for more in (
        ("--approver", "Ann"),
        ("--expires-in", "91d"),
        ("--within", "soon"),
        ("--failing-runs", "1"),
        ("--reason", ""),
        ("--reason", "two\nlines"),
        ("--overrides", "chaos-gate.yaml"),
    ):
        assert accepted(*more).code == 4, more
    assert command("gate", "override", "leader-*", "x", "--within", "9s", *AT).code == 4
    assert place.read_bytes() == before
    assert command("lint", "chaos-overrides.yaml").code == 0


def test_the_third_of_its_kind_needs_a_second_approver(repository: Path) -> None:
    """The second renewal without another person is refused by the command that would write it."""
    for number in range(2):
        assert accepted("--id", f"n{number}").code == 0
    ended = accepted("--id", "n2")
    assert (ended.code, "second_approver" in ended.err) == (4, True)
    assert accepted("--id", "n2", "--second-approver", "cy").code == 0
    text = (repository / "chaos-overrides.yaml").read_text("utf-8")
    assert text.count("- id:") == 3


def test_a_statement_can_be_signed() -> None:
    """What an approver signs is printed, and is the same whenever it is printed."""
    assert accepted("--id", "a").code == 0
    ask = ("gate", "override", "leader-killed", "converge-one-leader", "--statement", "--id")
    first, again = command(*ask, "a"), command(*ask, "a")
    assert first.out == again.out
    assert json.loads(first.out)["accept"] == {"within": "9s", "failing_runs": None}
    assert command(*ask, "b").code == 4


def test_a_log_that_was_changed_is_told(repository: Path) -> None:
    """``gate log --verify`` ends with 1 for a changed log, and nothing is decided on top of one."""
    put("one")
    assert check("--log", "gate.jsonl").code == 0
    assert command("gate", "log", "--log", "gate.jsonl", "--verify").code == 0
    path = repository / "gate.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"open":true', b'"open":null'))
    assert command("gate", "log", "--log", "gate.jsonl").code == 0
    verified = command("gate", "log", "--log", "gate.jsonl", "--verify", "--format", "json")
    assert (verified.code, verified.data["problems"]) == (1, ["line 1 was changed: its hash does not fit"])
    assert check("--log", "gate.jsonl").code == 2
    assert command("gate", "log", "--log", "none.jsonl").code == 2
    assert command("gate", "log").code == 4


def test_backtest_says_what_would_have_been_blocked() -> None:
    """Of three nightlies one failed: it would have been blocked by evidence. Nothing to replay is no answer."""
    assert command("gate", "backtest").code == 2, "no history"
    put("one")
    put("two", TOO_STRICT, commit="c2")
    put("three", commit="c3")
    ended = command("gate", "backtest")
    assert ended.code == 0
    assert ended.out.startswith(
        "would have blocked 1 of 3 invocations: 1 by evidence of a failure or a regression, 0 for want of evidence\n"
    )
    assert command("gate", "backtest", "--last", "1h", "--format", "json").data["replayed"] == 3


def test_self_test_of_the_policy(repository: Path) -> None:
    """All that is planted blocks: 0. A policy that never opens proves nothing: 2."""
    ended = command("gate", "self-test")
    assert (ended.code, "OPENED" in ended.out) == (0, False)
    assert command("gate", "self-test", "--format", "json").data["control"]["open"] is True
    (repository / "chaos-gate.yaml").write_text(POLICY.replace("}", ", mode: shadow}"), encoding="utf-8")
    assert command("gate", "self-test").code == 2


def test_lint_and_schema_know_the_documents(repository: Path) -> None:
    """``lint`` tells both documents by their names or shapes, ``schema`` prints all three schemas."""
    assert command("lint", "chaos-gate.yaml").code == 0
    (repository / "any.yaml").write_text("version: 1\noverrides: [{}]\n", encoding="utf-8")
    assert "MC012" in command("lint", "any.yaml").out
    for name in ("gate", "overrides", "decision"):
        assert command("schema", name).data["title"].startswith("meshkit-chaos")


def test_who_has_no_policy_yet_is_shown_a_first_one() -> None:
    """A gate without a policy stays closed, and the hint is one that lints clean."""
    Path("chaos-gate.yaml").unlink()
    ended = check()
    assert ended.code == 4
    assert "there is no policy chaos-gate.yaml" in ended.err
    Path("chaos-gate.yaml").write_text(ended.err.partition("a first one is ")[2], encoding="utf-8")
    assert command("lint", "chaos-gate.yaml").code == 0


def test_every_objective_that_failed_is_named() -> None:
    """Who overrides one must not learn only then that another failed, too."""
    objectives = "[{converge: one-leader, within: 500ms}, {id: again, converge: one-leader, within: 400ms}]"
    put("strict", document(scenario_text(objectives=objectives)))
    told = check().out
    assert "(failed): converge-one-leader: one-leader was good again" in told
    assert "; again failed, too" in told


def test_instants_are_told_alike() -> None:
    """A person reads minutes everywhere, and a decision without a log is no head of one."""
    put("other", commit="c0")
    told = check().out
    assert re.search(r"the newest result is of commit=c0, branch=main, from \d{4}-\d\d-\d\d \d\d:\d\dZ\n", told)
    assert check("--format", "markdown").out.endswith("\nLog head: this decision was not logged\n")


def test_a_policy_that_cannot_be_looked_for_is_the_operators() -> None:
    """A path below a file, or one that no file system takes, is told as such and is no defect of ours."""
    for place in ("chaos-gate.yaml/below", "x" * 5000):
        ended = command("gate", "check", "--policy", place, "--subject", "commit=c0ffee")
        assert ended.code == 4
        assert "internal error" not in ended.err
