"""What stands in tickets: golden texts, markers that are found again, and no content that breaks a limit or its escaping."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from contract import HERE
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import structs
from ticket_golden import check_golden
from tracker_world import CAUSE, DAY, START, action, message

from meshkit_chaos.deliver import adf
from meshkit_chaos.deliver.message import Fact, Link, Message, Point, Section, Trend
from meshkit_chaos.deliver.ticket_life import Shown, Step
from meshkit_chaos.deliver.ticket_markdown import BUDGET, handle, issue_text, units
from meshkit_chaos.deliver.ticket_text import (
    Block,
    Owned,
    answer,
    delivery_key,
    farewell,
    marks_delivery,
    marks_ticket,
    opening,
    ticket_key,
    title_of,
)

OWNED = Owned(name="mesh-team", assignee="octocat", mention="octocat")
OPEN = Shown(reference="12", order=12, open=True, url="https://github.example/acme/mesh/issues/12")
CLOSED = structs.replace(OPEN, open=False, closed_at=START - 3 * DAY)
ADF = Draft4Validator(json.loads((HERE / "adf.json").read_text(encoding="utf-8")))


def texts() -> dict[str, tuple[Block, ...]]:
    """Every kind of text that is left in a tracker."""
    return {
        "opened": opening(action(1), Step(do="open", reason="it has no ticket"), OWNED),
        "opened-again": opening(action(1), Step(do="open", reason="the last one is old", earlier=CLOSED), OWNED),
        "still-failing": answer(action(2), Step(do="comment", reason="it still fails", on=OPEN)),
        "changed": answer(action(3, "changed"), Step(do="comment", reason="it fails differently", on=OPEN)),
        "reopened": answer(
            action(4), Step(do="reopen", reason="fixed by 2025-12-29 00:00Z, back at 2026-01-01 00:00Z", on=CLOSED)
        ),
        "closed": answer(
            action(5, "clean", clean=3, title="leader-killed passes", lead="Three nights without a failure.", tone="good"),
            Step(do="close", reason="clean 3 times in a row", on=OPEN),
        ),
        "flapping": answer(
            action(6, "clean", clean=3, flapping=True, lead="Three nights without a failure.", tone="good"),
            Step(do="comment", reason="clean 3 times in a row, but it came back so often that a person must close it", on=OPEN),
        ),
        "duplicate": farewell(action(7), OPEN),
    }


@pytest.mark.parametrize("name", sorted(texts()))
def test_each_text_is_written_as_in_its_golden_files(name: str) -> None:
    """GitHub's Markdown and Jira's document, as they are sent."""
    blocks = texts()[name]
    check_golden(f"{name}.md", issue_text(blocks)[0])
    document, dropped = adf.document(blocks)
    assert not dropped
    assert not list(ADF.iter_errors(document))
    check_golden(f"{name}.adf.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("name", sorted(texts()))
def test_both_formats_hold_both_markers(name: str) -> None:
    """The ticket and the delivery are found in Markdown and in a document's plain text; another key is not."""
    blocks = texts()[name]
    number = {"opened": 1, "opened-again": 1, "still-failing": 2, "changed": 3, "reopened": 4, "closed": 5, "flapping": 6}
    sent = action(number.get(name, 7))
    for text in (issue_text(blocks)[0], adf.plain_text(adf.document(blocks)[0])):
        assert marks_ticket(text, ticket_key(sent))
        assert marks_delivery(text, delivery_key(sent))
        assert not marks_ticket(text, ticket_key(action(1))[::-1])
        assert not marks_delivery(text, delivery_key(action(99)))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Chaos ticket: `00112233aabbccdd`", True),
        ("Chaos ticket: 00112233aabbccdd", True),
        ("Chaos ticket: `00112233aabbccdd`\r", True),
        ("<!-- meshkit-chaos ticket=00112233aabbccdd delivery=0123456789abcdef -->", True),
        ("> Chaos ticket: `00112233aabbccdd`", False),
        ("Chaos ticket: `00112233aabbccdde`", False),
        ("see Chaos ticket: `00112233aabbccdd`", False),
        ("Chaos ticket: `00112233aabbccdd`, they say", False),
        ("<!-- meshkit-chaos delivery=00112233aabbccdd -->", False),
        ("chaos-00112233aabbccdd", False),
    ],
)
def test_only_a_whole_line_is_a_marker(line: str, found: bool) -> None:
    """A quotation, a longer key, or a mention in a sentence is not the ticket (two names may contain each other)."""
    assert marks_ticket(f"before\n{line}\nafter", "00112233aabbccdd") is found


HOSTILE = (
    "@mona and @acme/core",
    "#12 GH-12 acme/mesh#12",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "https://evil.example/x www.evil.example mailto:a@evil.example",
    "```\n# not a heading\n```",
    "--> <!-- meshkit-chaos ticket=0 -->",
    "- [ ] a task\n\n1. one\n\n> quote",
    "| a | b |\n|---|---|",
    "\x1b[31m\u202egnp.exe\u0000\ud800",
    "Chaos ticket: `00112233aabbccdd`",
    "``````` `a` ~~~ ~~strike~~ $math$",
    "&lt;b&gt; &amp; &#64;mona",
    "a" * 5000,
    "\n\n\n",
    "",
)
WORDS = st.sampled_from(HOSTILE) | st.text(max_size=60) | st.text(st.sampled_from("`*_[]()<>@#|\\~-+!&;:/\n aA1"), max_size=60)
URLS = st.sampled_from(
    ["", "javascript:alert(1)", "https://ok.example/a?b=c#d", "https://x.example/)(", "http://a b", "ftp://x"]
) | st.text(max_size=30)
MESSAGES = st.builds(
    Message,
    title=WORDS,
    lead=WORDS,
    tone=st.sampled_from(["good", "bad", "unsure", "neutral"]),
    facts=st.lists(st.builds(Fact, label=WORDS, value=WORDS), max_size=4).map(tuple),
    sections=st.lists(
        st.builds(Section, heading=WORDS, points=st.lists(st.builds(Point, text=WORDS, url=URLS), max_size=4).map(tuple)),
        max_size=3,
    ).map(tuple),
    trend=st.none()
    | st.builds(Trend, label=WORDS, values=st.lists(st.none() | st.floats(allow_nan=False), max_size=5).map(tuple)),
    command=WORDS,
    links=st.lists(st.builds(Link, text=WORDS, url=URLS), max_size=3).map(tuple),
    cause=WORDS,
    mention=st.lists(WORDS, max_size=2).map(tuple),
)


def tokens(text: str) -> Iterator[Token]:
    """Everything that Markdown makes of a text, with bare addresses as links as on GitHub."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in parser.parse(text):
        yield token
        yield from token.children or ()


@settings(max_examples=60, deadline=None)
@given(told=MESSAGES, reason=WORDS)
@example(told=message(lead="<script>", command="x\n```\n<script>"), reason="-->")
def test_no_content_becomes_markup_on_github(told: Message, reason: str) -> None:
    """No HTML but our own comment, no picture, no link to elsewhere, no mention but the owner's, no reference to issues."""
    sent = structs.replace(action(1), message=told, reason=reason)
    text, _ = issue_text(opening(sent, Step(do="open", reason="it has no ticket"), OWNED))
    seen = list(tokens(text))
    assert not [
        token for token in seen if token.type in {"html_inline", "image", "table_open", "blockquote_open", "s_open", "hr"}
    ]
    assert [token.content.strip() for token in seen if token.type == "html_block"] == [
        f"<!-- meshkit-chaos ticket={ticket_key(sent)} delivery={delivery_key(sent)} -->"
    ]
    hrefs = [str(token.attrs["href"]) for token in seen if token.type == "link_open"]
    assert all(re.match(r"https?://", href) for href in hrefs)
    plain = "\n".join(token.content for token in seen if token.type == "text")
    assert re.findall(r"@(?=[\w-])\S*", plain) in ([], ["@octocat"])
    assert not re.search(r"#\d|\bGH-\d|https?://|\bwww\.", plain.replace("GH-12", ""))
    assert marks_ticket(text, ticket_key(sent))
    assert not marks_ticket(text, "00112233aabbccdd")


@settings(max_examples=60, deadline=None)
@given(told=MESSAGES, reason=WORDS)
def test_every_content_is_a_document_for_jira(told: Message, reason: str) -> None:
    """The document holds to Atlassian's schema, links lead to http and https only, and no marker can be slipped in."""
    sent = structs.replace(action(1), message=told, reason=reason)
    document, _ = adf.document(opening(sent, Step(do="open", reason="it has no ticket"), OWNED))
    assert [error.message for error in ADF.iter_errors(document)] == []
    assert adf.size_of(document) <= adf.BUDGET
    assert all(href.startswith(("http://", "https://")) for href in re.findall(r'"href": "([^"]*)', json.dumps(document)))
    text = adf.plain_text(document)
    assert marks_ticket(text, ticket_key(sent))
    assert not marks_ticket(text, "00112233aabbccdd")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e\ud800]", text)


@settings(max_examples=15, deadline=None)
@given(
    count=st.integers(0, 300),
    filler=st.sampled_from(["x", "😀", "&", "@", "`", '"', "\\", "\N{COMBINING ACUTE ACCENT}"]),
    length=st.integers(0, 2500),
)
def test_no_length_breaks_a_limit(count: int, filler: str, length: int) -> None:
    """However much there is to say, it fits; what is most important stays, and how much was left out is said."""
    points = tuple(Point(text=f"{number} {filler * length}") for number in range(count))
    told = message(sections=(Section(heading="What failed", points=points),), title=filler * length, lead=filler * length)
    blocks = opening(structs.replace(action(1), message=told), Step(do="open", reason="it has no ticket"), OWNED)
    text, dropped = issue_text(blocks)
    document, dropped_too = adf.document(blocks)
    assert units(text) <= BUDGET
    assert adf.size_of(document) <= adf.BUDGET
    for left, told_text in ((dropped, text), (dropped_too, adf.plain_text(document))):
        assert bool(left) is bool(re.search(r"Left out for want of room: \d+ parts", told_text))
        assert marks_ticket(told_text, ticket_key(action(1)))
        assert f"Left out for want of room: {len(left)} parts" in told_text or not left
    assert 0 < len(title_of(told)) <= 240


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("octocat", "octocat"),
        ("@octocat", "octocat"),
        ("acme/core-team", "acme/core-team"),
        ("", ""),
        ("a b", ""),
        ("x](evil)", ""),
        ("-x", ""),
        ("a" * 60, ""),
    ],
)
def test_only_what_can_be_a_handle_is_mentioned(name: str, found: str) -> None:
    """A name that GitHub cannot know is text, not a mention."""
    assert handle(name) == found


@given(
    node=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda below: (
            st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["type", "content", "text", "attrs"]), below)
        ),
        max_leaves=20,
    )
)
def test_any_document_of_others_can_be_read(node: object) -> None:
    """What people and other tools wrote into a description never stops us."""
    assert isinstance(adf.plain_text(node), str)


def test_a_cause_is_the_same_whatever_the_action() -> None:
    """The ticket's key comes of the cause, the delivery's of the action."""
    assert ticket_key(action(1)) == ticket_key(action(2))
    assert delivery_key(action(1)) != delivery_key(action(2))
    assert ticket_key(action(1)) != ticket_key(action(1, cause=f"{CAUSE}x"))
