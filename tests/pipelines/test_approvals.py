"""Who approved an override: only what the platform recorded of another person counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_forge import APPROVAL, STAGE, azure_approval, timeline

from meshkit_chaos.cli.app import run
from meshkit_chaos.errors import CannotRun, UsageError
from meshkit_chaos.pipelines.approvals import approval_id, approver, azure_approver


def approval(login: str, state: str = "approved", environment: str = "chaos-override") -> dict[str, object]:
    """One entry, with what GitHub puts around what is read."""
    return {
        "state": state,
        "comment": "ship it",
        "environments": [{"id": 1, "name": environment, "html_url": "https://github.com/o/r/deployments/x"}],
        "user": {"login": login, "id": 1, "type": "User"},
    }


def asked(*entries: object) -> str:
    return approver(json.dumps(entries).encode(), environment="chaos-override", author="kim")


def test_another_person_is_named() -> None:
    """The last one, where there are several; other environments and the author do not count."""
    assert asked(approval("lee")) == "lee"
    assert asked(approval("lee"), approval("mia"), approval("Kim"), approval("nobody", environment="production")) == "mia"


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (approval("kim"),),
        (approval("KIM "),),
        (approval("lee", environment="production"),),
        (approval("lee", environment="chaos-override-2"),),
        (approval("lee", state="pending"),),
        (approval("lee", state="rejected"),),
        (approval("mia"), approval("lee", state="rejected")),
    ],
)
def test_without_an_approval_by_somebody_else_there_is_none(entries: tuple[object, ...]) -> None:
    """An environment without required reviewers records nobody, so it gives no override."""
    with pytest.raises(CannotRun):
        asked(*entries)


@pytest.mark.parametrize("data", [b"", b"{}", b"[{}]", b'[{"state": "approved"}]', b"<html>"])
def test_what_is_no_answer_is_no_approval(data: bytes) -> None:
    """An error page or half an answer is refused by name."""
    with pytest.raises(UsageError, match="not GitHub's list"):
        approver(data, environment="chaos-override", author="kim")


def test_the_command_prints_the_login_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a script can take it; it prints nothing where there is none."""
    file = tmp_path / "approvals.json"
    words = ["pipelines", "approver", str(file), "--environment", "chaos-override", "--author", "kim"]
    file.write_text(json.dumps([approval("lee")]))
    assert run(words) == 0
    assert capsys.readouterr().out == "lee\n"
    file.write_text("[]")
    assert run(words) == 2
    assert capsys.readouterr().out == ""


KIM = ("kim@example.org", "id-of-kim")


def azure(*approvals: object, authors: tuple[str, ...] = KIM) -> str:
    return azure_approver(json.dumps({"count": len(approvals), "value": approvals}).encode(), authors=authors)


def test_another_person_is_named_on_azure() -> None:
    """The last one, where there are several; the author, who is known by address or id, does not count."""
    assert azure(azure_approval(("approved", "lee"))) == "lee@example.org"
    assert azure(azure_approval(("approved", "lee"), ("approved", "mia"), ("approved", "kim"))) == "mia@example.org"
    assert azure(azure_approval(("approved", "lee"), ("skipped", ""))) == "lee@example.org"


@pytest.mark.parametrize(
    "approval",
    [
        azure_approval(),
        azure_approval(("approved", "")),
        azure_approval(("approved", "kim")),
        azure_approval(("approved", "KIM")),
        azure_approval(("pending", ""), status="pending"),
        azure_approval(("pending", "lee")),
        azure_approval(("approved", "lee"), ("pending", ""), status="pending"),
        azure_approval(("approved", "lee"), status="canceled"),
        azure_approval(("skipped", "lee"), status="skipped"),
        azure_approval(("timedOut", ""), status="timedOut"),
        azure_approval(("rejected", "lee"), status="rejected"),
        azure_approval(("approved", "mia"), ("rejected", "lee")),
    ],
)
def test_without_an_approval_by_somebody_else_there_is_none_on_azure(approval: object) -> None:
    """Only a whole approval by another person counts: not a bypassed, a pending or a timed-out one."""
    with pytest.raises(CannotRun):
        azure(approval)


def test_an_author_is_known_by_either_name() -> None:
    """A guest's address may differ from the name that Azure has for them; the id does not."""
    with pytest.raises(CannotRun, match="nobody but kim@home"):
        azure(azure_approval(("approved", "kim")), authors=("kim@home", "ID-OF-KIM"))


@pytest.mark.parametrize("authors", [(), ("",), ("kim@example.org", " ")])
def test_an_author_without_a_name_is_refused(authors: tuple[str, ...]) -> None:
    """Nobody could be told from them."""
    with pytest.raises(UsageError, match="no name"):
        azure(azure_approval(("approved", "lee")), authors=authors)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"<html>sign in</html>",
        b'{"value": []}',
        b'{"value": [{"status": "approved"}]}',
        json.dumps({"value": [azure_approval(("approved", "lee"))] * 2}).encode(),
        b'{"value": [{"status": "approved", "steps": [{"status": "approved", "actualApprover": {"displayName": "Lee"}}]}]}',
    ],
)
def test_what_is_no_answer_of_azure_is_no_approval(data: bytes) -> None:
    """A sign-in page, half an answer, none or several: all refused."""
    with pytest.raises(UsageError, match="Azure's list"):
        azure_approver(data, authors=KIM)


def test_the_approval_of_a_stage_is_found_in_the_timeline() -> None:
    """By what its record hangs on: approvals of other stages are another matter."""
    assert approval_id(json.dumps(timeline(APPROVAL)).encode(), stage="__default") == APPROVAL
    other = {"id": "s2", "type": "Stage", "name": "deploy", "identifier": "deploy"}
    later = {"id": STAGE.replace("0", "1"), "type": "Checkpoint.Approval", "parentId": "s2"}
    records = [*timeline(APPROVAL)["records"], other, later]  # type: ignore[misc]  # a list, by its shape
    assert approval_id(json.dumps({"records": records}).encode(), stage="__default") == APPROVAL


@pytest.mark.parametrize("approvals", [(), (APPROVAL, STAGE.replace("0", "1"))])
def test_none_and_several_approvals_of_a_stage_are_refused(approvals: tuple[str, ...]) -> None:
    """Nobody was asked; or Azure does not say which of them the environment's is."""
    with pytest.raises(CannotRun):
        approval_id(json.dumps(timeline(*approvals)).encode(), stage="__default")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"<html>",
        b'{"records": [{}]}',
        json.dumps(timeline(APPROVAL, stage="deploy")).encode(),
        json.dumps(timeline("1&approvalIds=2")).encode(),
        b'{"records": [{"id": "a", "type": "Stage", "parentId": "b"}, {"id": "b", "type": "Stage", "parentId": "a"}]}',
    ],
)
def test_what_is_no_timeline_is_refused(data: bytes) -> None:
    """Another stage's, an id that is none, and a circle, too."""
    with pytest.raises(UsageError, match="timeline"):
        approval_id(data, stage="__default")


def test_the_commands_for_azure_print_one_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An id and an address, so that a script can take them; nothing where there is none."""
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(timeline(APPROVAL)))
    assert run(["pipelines", "approval-id", str(file), "--stage", "__default"]) == 0
    assert capsys.readouterr().out == f"{APPROVAL}\n"
    words = ["pipelines", "approver", str(file), "--from", "azure", "--author", KIM[0], "--author", KIM[1]]
    for approval, code, said in [
        (azure_approval(("approved", "lee")), 0, "lee@example.org\n"),
        (azure_approval(("approved", "kim")), 2, ""),
        (None, 4, ""),
    ]:
        file.write_text(json.dumps({"value": [approval]}))
        assert run(words) == code
        assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    "words",
    [
        ("--author", "kim"),
        ("--author", "kim", "--author", "k", "--environment", "chaos-override"),
        ("--author", "", "--environment", "chaos-override"),
        ("--from", "azure", "--author", "kim", "--environment", "chaos-override"),
        ("--from", "azure"),
    ],
)
def test_options_of_the_other_platform_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    """GitHub's answer is about several environments, Azure's is about one approval."""
    file = tmp_path / "approvals.json"
    file.write_text(json.dumps([approval("lee")]))
    assert run(["pipelines", "approver", str(file), *words]) == 4
