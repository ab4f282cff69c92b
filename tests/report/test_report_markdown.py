"""summary.md, read back by an independent Markdown parser."""

from __future__ import annotations

import re

import pytest
import report_builder as build
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import structs
from report_golden import check
from report_strategies import HOSTILE, invocations, text

from meshkit_chaos.judge.verdict import InvocationVerdict
from meshkit_chaos.report.escape import markdown, markdown_code
from meshkit_chaos.report.markdown import SMALLEST_BUDGET, summary

READER = MarkdownIt("commonmark").enable(["table"])


def tokens(document: str) -> list[Token]:
    return [inner for token in READER.parse(document) for inner in (token, *(token.children or ()))]


def test_the_mixed_invocation_is_written_as_in_the_golden_file() -> None:
    """One of each verdict gives the document that was reviewed."""
    report = build.mixed()
    check("summary.md", summary(report.invocation, recover=report.recover))


def test_the_headline_is_the_verdict_and_its_meaning() -> None:
    """The first line says the verdict in words, and the exit code is explained."""
    document = summary(build.all_passed().invocation)
    assert document.startswith("## ✓ Pass: the one scenario passed\n")
    assert "exit 0: all that was required passed" in document


def test_a_dirty_environment_is_said_with_the_command_that_cleans_it() -> None:
    """The banner names the recover command."""
    assert "> Run `meshkit-chaos recover out` before anything else" in summary(
        build.mixed().invocation, recover="meshkit-chaos recover out"
    )


def test_nothing_judged_is_not_a_pass() -> None:
    """An empty invocation says so and has no table."""
    empty = InvocationVerdict(
        invocation="x",
        verdict="inconclusive",
        environment="untouched",
        sentence="nothing was judged",
        subject={},
        scenarios=(),
        runs=(),
    )
    document = summary(empty)
    assert document.startswith("## ? Inconclusive: nothing was judged")
    assert "|---" not in document


def test_a_flaky_pass_is_shown_with_its_failures() -> None:
    """A pass that contains failures has details like a failure has."""
    base = build.all_passed().invocation
    flaky = structs.replace(base.scenarios[0], flaky=True)
    document = summary(structs.replace(base, scenarios=(flaky,)))
    assert "✓ pass, flaky" in document
    assert "**Flaky:**" in document


def test_too_much_is_cut_from_the_least_urgent_end_and_counted() -> None:
    """Of a thousand scenarios, the failed one stays and the passes are counted."""
    base = build.mixed().invocation
    passes = tuple(structs.replace(base.scenarios[0], scenario=f"pass-{index}") for index in range(1_000))
    document = summary(structs.replace(base, scenarios=(*passes, base.scenarios[1])), budget=10_000)
    assert len(document) <= 10_000
    assert "leader-killed-under-load" in document
    assert re.search(r"Left out for length, least urgent first: \d+ scenarios of the table", document)


def test_a_budget_too_small_is_refused() -> None:
    """Below the smallest budget nothing useful can be said."""
    with pytest.raises(ValueError, match="too small for a summary"):
        summary(build.mixed().invocation, budget=10)


@settings(deadline=None, max_examples=120)
@given(invocations(), st.integers(SMALLEST_BUDGET, 20_000))
def test_no_text_can_make_markup(invocation: InvocationVerdict, budget: int) -> None:
    """No HTML, link, image or further heading comes out of a text, every row has five cells, and the budget holds."""
    document = summary(invocation, budget=budget)
    assert len(document) <= budget
    found = tokens(document)
    assert not [
        token.type for token in found if token.type in ("html_block", "html_inline", "link_open", "image", "fence", "hr")
    ]
    assert sum(token.tag == "h2" for token in found if token.type == "heading_open") == 1
    rows = sum(token.type == "tr_open" for token in found)
    assert sum(token.type in ("td_open", "th_open") for token in found) == 5 * rows
    assert sum(token.type == "table_open" for token in found) == (1 if invocation.scenarios else 0)


@given(text)
def test_running_text_is_read_back_as_it_was_meant(content: str) -> None:
    """Escaped text renders as plain text and breaks, and cannot mention, link or number anything."""
    kinds = {token.type for token in tokens("x " + markdown(content))}
    assert kinds <= {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}
    rendered = "".join(token.content for token in tokens("x " + markdown(content)) if token.type.startswith("text"))
    assert not re.search(r"[@#]\w|://|www\.", rendered)


@pytest.mark.parametrize("content", [*HOSTILE, "`", "``", "a``b", "", "plain"])
def test_a_code_span_stays_one(content: str) -> None:
    """Back quotes inside do not end the span."""
    kinds = [token.type for token in tokens(f"x {markdown_code(content)} y") if token.type not in ("text", "inline")]
    assert kinds == ["paragraph_open", "code_inline", "paragraph_close"]
