"""Who approved an override: only what GitHub recorded of another person counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshkit_chaos.cli.app import run
from meshkit_chaos.errors import CannotRun, UsageError
from meshkit_chaos.pipelines.approvals import approver


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
