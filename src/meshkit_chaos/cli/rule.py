"""``rule``: why lint says what it says."""

from __future__ import annotations

import textwrap

import click
from msgspec import structs

from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.errors import UsageError
from meshkit_chaos.scenario.rules import RULES, Rule

_WIDTH = 100


@click.command("rule", epilog="Example: meshkit-chaos rule MC105")
@click.argument("wanted", metavar="[RULE]", required=False)
@FORMAT
def rule_command(wanted: str | None, form: str) -> int:
    """Print what a lint RULE (its id or its name) holds, why, and an example of each kind; without RULE, list all of them."""
    rules = [_rule(wanted)] if wanted else list(RULES.values())
    if form == "json":
        shown = [structs.asdict(rule) for rule in rules]
        click.echo(json_text(shown[0] if wanted else shown))
    elif wanted:
        click.echo(_told(rules[0]))
    else:
        for rule in rules:
            click.echo(f"{rule.id}  {rule.severity:<7}  {rule.name}")
    return 0


def _rule(wanted: str) -> Rule:
    from meshkit_chaos.scenario.grammar_values import close_names  # noqa: PLC0415  # only for a mistake

    by_name = {rule.name: rule for rule in RULES.values()}
    found = RULES.get(wanted.upper()) or by_name.get(wanted.lower())
    if found is not None:
        return found
    near = close_names(wanted.upper(), list(RULES)) if wanted.upper().startswith("MC") else close_names(wanted, list(by_name))
    hint = f"did you mean {near[0]}?" if near else "`meshkit-chaos rule` lists all of them"
    raise UsageError(f"there is no rule {wanted!r}", hint=hint)


def _told(rule: Rule) -> str:
    reason = textwrap.fill(rule.reason, width=_WIDTH)
    return (
        f"{rule.id} {rule.name} ({rule.severity})\n\n{reason}\n\n"
        f"Bad:\n{textwrap.indent(rule.bad, '  ')}\n\nGood:\n{textwrap.indent(rule.good, '  ')}"
    )
