"""``rule``: every rule is explained."""

from __future__ import annotations

import pytest
from command_lines import command

from meshkit_chaos.scenario.rules import RULES


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_explained(name: str) -> None:
    """A rule is printed with its reason and both examples."""
    ended = command("rule", name)
    rule = RULES[name]
    assert ended.code == 0
    assert ended.out.startswith(f"{rule.id} {rule.name} ({rule.severity})")
    assert rule.reason.split()[-1] in ended.out
    assert all(line.strip() in ended.out for line in (*rule.bad.splitlines(), *rule.good.splitlines()))


def test_without_a_rule_all_are_listed() -> None:
    """The list has one line a rule."""
    assert command("rule").out.count("\n") == len(RULES)
    assert [rule["id"] for rule in command("rule", "--format", "json").data] == list(RULES)


def test_a_rule_has_two_names() -> None:
    """Its id in any case, and its name."""
    assert command("rule", "mc105").out == command("rule", "cannot-fail").out
    assert command("rule", "MC105", "--format", "json").data["name"] == "cannot-fail"


@pytest.mark.parametrize(("written", "near"), [("MC1055", "MC105"), ("cannot-fial", "cannot-fail"), ("xyz", "lists all")])
def test_an_unknown_rule_is_4_with_the_nearest(written: str, near: str) -> None:
    """A misspelt rule is refused with the nearest one."""
    ended = command("rule", written)
    assert ended.code == 4
    assert near in ended.err
