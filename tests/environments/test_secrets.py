"""Secrets: read, filled in where they are used, found and hidden in whatever form they are written."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.environments.leaks import find_leaks, hiding
from meshkit_chaos.environments.secrets import SHORTEST, Redactor, Secrets, anchored, read_secret
from meshkit_chaos.errors import CannotRun, EnvironmentProblem
from meshkit_chaos.journal import events as ev
from meshkit_chaos.scenario.environment import EnvironmentDescription, MemberDescription, SecretSource

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=SHORTEST, max_size=40).filter(
    lambda value: len(set(value)) > 3
)
WRITERS: list[Callable[[str], str]] = [
    str,
    lambda value: json.dumps({"Authorization": "Bearer " + value}),
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: repr({"a": value}),
    lambda value: repr(f"it's \"{value}"),
    lambda value: quote(value, safe=""),
    lambda value: re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote_plus(value)),
    html.escape,
    lambda value: base64.b64encode(value.encode()).decode(),
    lambda value: base64.urlsafe_b64encode(b"u:" + value.encode()).decode(),
    lambda value: base64.b64encode(b"user:" + value.encode() + b"\n").decode(),
    lambda value: value.encode().hex(),
]


@settings(deadline=None, max_examples=200)
@given(value=VALUES, writer=st.sampled_from(WRITERS), before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_value_is_found_and_hidden_however_it_is_written(
    value: str, writer: Callable[[str], str], before: str, after: str
) -> None:
    """Raw, JSON, Python, URL, HTML, base64 at any alignment, hexadecimal: found, replaced by its name, and then not found."""
    redactor = Redactor({"TOKEN": value})
    text = before + writer(value) + after
    data = text.encode(errors="surrogatepass")
    assert redactor.found_in(data) == ("TOKEN",)
    hidden = redactor.data(data)
    assert b"[secret TOKEN]" in hidden
    assert redactor.text(text).encode(errors="surrogatepass") == hidden


@given(st.text(max_size=60))
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    """Without secrets nothing changes, and with one only its own value does."""
    assert Redactor({}).text(text) == text
    if "Zq9/secret" not in text:
        assert Redactor({"A": "Zq9/secret!"}).text(text) == text


def test_of_two_secrets_the_longer_one_is_replaced_first() -> None:
    """A secret that holds another one is not left half."""
    redactor = Redactor({"SHORT": "abcdef", "LONG": "abcdefghij"})
    assert redactor.text("x abcdefghij y abcdef z") == "x [secret LONG] y [secret SHORT] z"


def test_lines_of_a_key_are_hidden_one_by_one() -> None:
    """Of a value of several lines, each long line is a secret too."""
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA1\n7aSDFghjkl09876\n-----END KEY-----"
    assert Redactor({"KEY": key}).text("got 7aSDFghjkl09876!") == "got [secret KEY]!"


def test_values_are_never_part_of_a_repr() -> None:
    """What holds values can be printed by accident."""
    redactor = Redactor({"TOKEN": "hunter2hunter2"})
    assert repr(redactor) == "Redactor(TOKEN)"


def test_a_secret_is_read_from_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's last line feed is not of the value; a file is looked for beside the document."""
    monkeypatch.setenv("SOME_TOKEN", "from-variable")
    (tmp_path / "token").write_text("from-file\n")
    assert read_secret("A", SecretSource(env="SOME_TOKEN"), folder=tmp_path) == "from-variable"
    assert read_secret("A", SecretSource(file="token"), folder=tmp_path) == "from-file"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"short", "has 5 characters; expected at least 6"),
        (b"", "has 0 characters"),
        (b"\xff\xfe\x00abc", "is not text"),
        (b"abc\0defgh", "NUL"),
        (b"x" * 70_000, "more than 65536 bytes"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_being_told(tmp_path: Path, content: bytes | None, said: str) -> None:
    """The error says where it was looked for and what is wrong, and nothing of what was found."""
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(CannotRun, match=said) as error:
        read_secret("A", SecretSource(file="token"), folder=tmp_path)
    assert "abc" not in error.value.message
    assert "short" not in error.value.message


def test_one_that_is_missing_fails_only_where_it_is_needed(tmp_path: Path) -> None:
    """So that recover can pull levers that need no secret; before a run, all must be there."""
    (tmp_path / "b").write_text("value-of-b")
    secrets = Secrets({"A": SecretSource(file="a"), "B": SecretSource(file="b")}, folder=tmp_path)
    assert secrets.reveal("x ${secret.B} ${secret.other} ${member.name}") == "x value-of-b ${secret.other} ${member.name}"
    with pytest.raises(EnvironmentProblem, match="secret A: "):
        secrets.reveal("${secret.A}")
    with pytest.raises(CannotRun, match="secret A: "):
        secrets.refuse_missing()


def test_a_state_names_files_by_their_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever undoes later may stand in another folder."""
    monkeypatch.chdir(tmp_path)
    described = EnvironmentDescription(
        path="docs/mesh.yaml",
        digest="",
        name="mesh",
        kind="process",
        class_name="mesh",
        members=(MemberDescription(name="a", command=("x",)),),
        secrets={"A": SecretSource(file="token"), "B": SecretSource(env="B")},
    )
    there = anchored(described)
    assert there.secrets == {"A": SecretSource(file=str(tmp_path / "docs" / "token")), "B": SecretSource(env="B")}
    assert there.path == str(tmp_path / "docs" / "mesh.yaml")


def test_an_event_loses_a_secret_on_its_way_into_the_journal() -> None:
    """Texts of an event are redacted wherever they stand; what it is stays."""
    hide = hiding(Redactor({"TOKEN": "problem.noted"}))
    event = ev.ProblemNoted(where="engine", message="it said problem.noted")
    assert hide(event) == ev.ProblemNoted(where="engine", message="it said [secret TOKEN]")
    untouched = ev.ProblemNoted(where="engine", message="fine")
    assert hide(untouched) == ev.ProblemNoted(where="engine", message="fine")


def test_leaks_are_told_by_file_and_name(tmp_path: Path) -> None:
    """A value across the border of two pieces is found; links are not followed."""
    redactor = Redactor({"TOKEN": "hunter2-hunter2"})
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_bytes(b"x" * (8 * 1024 * 1024 - 5) + b"hunter2-hunter2")
    (tmp_path / "clean.txt").write_text("hunter3")
    (tmp_path / "link").symlink_to(tmp_path / "logs" / "a.log")
    assert find_leaks(tmp_path, redactor) == [ev.SecretLeaked(secret="TOKEN", file="logs/a.log")]
    assert find_leaks(tmp_path, Redactor({})) == []
