"""Routes as documents: good ones load, bad ones are told with their place and without their secrets, and the schema agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from meshkit_chaos.deliver.load import load_routing
from meshkit_chaos.deliver.schema import notify_reference, notify_schema
from meshkit_chaos.deliver.settings import Alertmanager, Email, Rules, SlackBot
from meshkit_chaos.scenario.render import github_annotations, render_problems
from meshkit_chaos.scenario.rules import RULES
from meshkit_chaos.scenario.yaml_positions import compose
from meshkit_chaos.slo.codec import decode, encode

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOOD = sorted((HERE / "good").glob("*-notify.yaml"))
BAD = sorted((HERE / "bad").glob("*-notify.yaml"))


def schema_problems(file: Path) -> list[Any]:
    root = compose(file.read_bytes(), path=file.name).root
    assert root is not None
    return list(Draft7Validator(notify_schema()).iter_errors(root.data))


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_good_routes_load_without_a_word(file: Path) -> None:
    """A good document gives its value, no problem at all, and fits the schema; its value can be written and read back."""
    loaded = load_routing(file.read_bytes(), path=file.name)
    assert render_problems(loaded.problems, {file.name: file.read_bytes()}) == ""
    assert schema_problems(file) == []
    assert loaded.value is not None
    assert decode(encode(loaded.value), type(loaded.value)) == loaded.value


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_routes_are_told_at_their_place(file: Path) -> None:
    """A bad document gives the problems that are written beside it, with line, column, caret and hint."""
    loaded = load_routing(file.read_bytes(), path=file.name)
    assert render_problems(loaded.problems, {file.name: file.read_bytes()}) == file.with_suffix(".txt").read_text("utf-8")
    assert (loaded.value is not None) == ("warning" in file.name)
    assert file.name.split("-")[0].upper() in {problem.rule for problem in loaded.problems}


def test_every_rule_of_the_routes_is_broken_by_a_document() -> None:
    """Each rule about routes and channels has a bad document here."""
    told = {problem.rule for file in BAD for problem in load_routing(file.read_bytes(), path=file.name).problems}
    assert {rule for rule in RULES if rule.startswith("MC4")} <= told


@pytest.mark.parametrize(
    "file", [file for file in BAD if file.stem[:5] in ("mc011", "mc012", "mc014")], ids=lambda file: file.stem
)
def test_the_schema_refuses_what_is_structurally_bad(file: Path) -> None:
    """Unknown and missing keys, wrong kinds and values are refused by the schema too."""
    assert schema_problems(file)


def test_every_key_is_described() -> None:
    """Each key of each mapping says what it means, the schema is draft 7, and its examples fit it."""
    schema = notify_schema()
    Draft7Validator.check_schema(schema)
    for name, definition in {"document": schema, **schema["definitions"]}.items():
        assert definition.get("description"), name
        for key, found in definition["properties"].items():
            assert found.get("description", "").endswith("."), (name, key)
            one_key = {"definitions": schema["definitions"], **found}
            for example in (*found.get("examples", ()), *([found["default"]] if "default" in found else ())):
                assert list(Draft7Validator(one_key).iter_errors(example)) == [], (key, example)


def test_the_committed_reference_is_current() -> None:
    """docs/reference says what the grammar says today."""
    assert (ROOT / "docs" / "reference" / "notify.md").read_text("utf-8") == notify_reference()


@pytest.mark.parametrize(
    "line",
    [
        "slack: {channel: C0, token: SECRET-OF-OURS}",
        "slack: SECRET-OF-OURS",
        "teams: {url: SECRET-OF-OURS}",
        "teams: {url: SECRET-OF-OURS, tiemout: 4}",
        "webhook: {url: {env: A}, secret: SECRET-OF-OURS}",
        "webhok: {url: {env: A}, secret: SECRET-OF-OURS}",
        "slack: {channel: C0, token: {env: A}, tokn: SECRET-OF-OURS}",
        "email: {sender: a@b, to: [c@d], server: localhost, passwords: [SECRET-OF-OURS]}",
        "email: {sender: a@b, to: [c@d], server: localhost, user: a, password: SECRET-OF-OURS, port: many}",
        "alertmanager: {url: 'https://a:SECRET-OF-OURS@b', bearer: 7}",
        "github: {repository: a/b, token: SECRET-OF-OURS, api: 'https://x:SECRET-OF-OURS@y'}",
    ],
)
def test_a_secret_that_was_written_is_not_repeated(line: str) -> None:
    """Whatever else is wrong on its line, a secret in the document is refused and appears in no form of the findings."""
    data = f"version: 1\nproject: M\nchannels:\n  - {{id: a, {line}}}\nroutes: [{{id: r, to: [a]}}]\n".encode()
    loaded = load_routing(data, path="chaos-notify.yaml")
    assert loaded.value is None
    assert "MC405" in {problem.rule for problem in loaded.problems}
    shown = render_problems(loaded.problems, {"chaos-notify.yaml": data}) + github_annotations(loaded.problems)
    assert "OF-OURS" not in shown + str(loaded.problems)


def test_defaults_are_filled_in() -> None:
    """What a document leaves out has the stated default: ports by security, rules, addresses without a slash at the end."""
    loaded = load_routing((HERE / "good" / "everything-notify.yaml").read_bytes(), path="chaos-notify.yaml").value
    minimal = load_routing((HERE / "good" / "minimal-notify.yaml").read_bytes(), path="chaos-notify.yaml").value
    assert loaded is not None
    assert minimal is not None
    chat, mail, alerts = loaded.channel("mesh-chat"), loaded.channel("mail"), loaded.channel("alerts")
    assert isinstance(chat, SlackBot)
    assert chat.api == "https://slack.example.com/api"
    assert isinstance(mail, Email)
    assert mail.port == 465
    assert isinstance(alerts, Alertmanager)
    assert alerts.url == "http://[::1]:9093"
    assert minimal.rules == Rules()
