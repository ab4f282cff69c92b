"""Laws of rendering: no content, however long or hostile, breaks a limit, a schema or the escaping, or pings anybody."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chat_contract import TEAMS_LIMIT, envelope_problems, slack_problems, units, walk, widened
from chat_world import OWNERS, action, mail_settings, opened
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshkit_chaos.deliver.action import Action
from meshkit_chaos.deliver.alertmanager import AlertmanagerSender
from meshkit_chaos.deliver.budget import fitted
from meshkit_chaos.deliver.escaping import cut, few_lines, one_line, plain, web_address, width
from meshkit_chaos.deliver.exchange import json_bytes
from meshkit_chaos.deliver.mail_text import BUDGET as MAIL_BUDGET
from meshkit_chaos.deliver.mail_text import mail_text
from meshkit_chaos.deliver.message import Fact, Link, Message, Point, Section, Trend
from meshkit_chaos.deliver.settings import Alertmanager
from meshkit_chaos.deliver.slack_blocks import pinged as slack_pinged
from meshkit_chaos.deliver.slack_blocks import slack_blocks
from meshkit_chaos.deliver.sparkline import ABSENT, sparkline
from meshkit_chaos.deliver.teams_card import teams_card
from meshkit_chaos.deliver.webhook import BUDGET as WEBHOOK_BUDGET
from meshkit_chaos.deliver.webhook import Document, webhook_document

HOSTILE = (
    "<!channel> <!here> <@U12345> <#C1|x> @everyone @channel",
    "<https://evil.example|click> *bold* _i_ ~s~ `c` ```x```",
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;",
    "</td></tr></table><h1>x",
    "[a](javascript:alert(1)) ![x](http://x) # h\n- l\n> q",
    "{{DATE(2026-01-01T00:00:00Z,SHORT)}} ${x} @{y} <at>jo</at>",
    "\u202egnp.exe \u2066\u2069 \u200f \ufeff\u200b",
    "\x00\x07\x1b[31m\x7f\x85",
    "\ud800 lone \udfff \uffff",
    "a\r\nBcc: x@y.z\r\n\r\n.\r\nQUIT\u2028\u2029\x0b\x0c",
    "👩‍👩‍👧‍👦 é 网格 Ω 𝔘𝔫𝔦",
    "",
    " ",
    "x" * 50_000,
    "𝔘" * 9_000,
    '"' * 9_000,
    "<" * 9_000,
    "\n" * 9_000,
)
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60), st.text(alphabet=st.characters(), max_size=20))
urls = st.one_of(
    st.sampled_from(
        [
            "",
            "javascript:alert(1)",
            "https://x.example/a?b=c&d=%20#e",
            'https://x/"onclick="x',
            "http://u:p@x/",
            "//x",
            "https://x\n/",
        ]
    ),
    texts,
    st.sampled_from(["https://x.example/" + "a" * 3000, "https://x.example/" + "a" * 1900]),
)
tones = st.sampled_from(["good", "bad", "unsure", "neutral"])
numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 100))


def _many(one: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """A few different ones, or a great many."""
    few = st.lists(one, max_size=4).map(tuple)
    return st.one_of(few, st.builds(lambda value, count: (value,) * count, one, st.integers(0, most)))


points = st.builds(Point, text=texts, tone=tones, url=urls)
messages = st.builds(
    Message,
    title=texts,
    lead=texts,
    tone=tones,
    facts=_many(st.builds(Fact, label=texts, value=texts), 100),
    sections=_many(st.builds(Section, heading=texts, points=_many(points, 60)), 8),
    trend=st.none() | st.builds(Trend, label=texts, values=_many(numbers, 300), limit=numbers, unit=texts),
    command=texts,
    links=_many(st.builds(Link, text=texts, url=urls), 100),
    cause=texts,
    mention=_many(texts | st.sampled_from([owner.name for owner in OWNERS]), 30),
)
EVIL = Message(
    title=HOSTILE[0],
    lead="\n".join(HOSTILE),
    tone="bad",
    facts=tuple(Fact(label=one, value=one) for one in HOSTILE),
    sections=tuple(
        Section(heading=one, points=tuple(Point(text=two, tone="bad", url=two) for two in HOSTILE)) for one in HOSTILE
    ),
    command=HOSTILE[1],
    links=tuple(Link(text=one, url="https://x.example/" + "a" * 1900) for one in HOSTILE),
    cause=HOSTILE[2],
    mention=HOSTILE,
)
HUGE = Message(title="x" * 10_000_000, lead="<" * 10_000_000, tone="bad", cause="y" * 10_000_000)
law = settings(max_examples=15, deadline=None)


@law
@given(messages)
@example(EVIL)
@example(HUGE)
def test_slack_takes_every_message(message: Message) -> None:
    """Within the documented lengths and the total that is refused, as the official types want it, and without a ping."""
    found = slack_blocks(message)
    assert slack_problems(found.blocks) == []
    assert found.size <= 12_000
    assert 1 <= units(found.text) <= 1000
    assert not re.search(r"<[!@#h]", found.text)
    kinds = {one["type"] for one in walk(found.blocks) if "type" in one}
    assert not kinds & {"mrkdwn", "user", "usergroup", "broadcast", "channel", "date"}
    json_bytes(found.blocks).decode()


@law
@given(messages)
@example(EVIL)
@example(HUGE)
def test_teams_shows_every_message(message: Message) -> None:
    """Within what is refused after widening, as the schema wants it, without Markdown, a mention or a function."""
    found = teams_card(message)
    assert envelope_problems(found.envelope) == []
    assert found.size <= 20_000
    assert widened(found.envelope) <= TEAMS_LIMIT
    assert not [one for one in walk(found.envelope) if one.get("type") == "TextBlock"]
    assert "{{" not in json.dumps([one.get("text") for one in walk(found.envelope)])
    assert "entities" not in found.envelope["attachments"][0]["content"]["msteams"]


class _Tags(HTMLParser):
    """Which elements and attributes there are, as a browser sees them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.targets += [value or "" for name, value in attrs if name == "href"]


@law
@given(messages)
@example(EVIL)
@example(HUGE)
def test_mail_holds_every_message(message: Message) -> None:
    """Under the size that is clipped; only our own elements; links go to the web; the text is printable."""
    found = mail_text(message)
    assert found.size <= MAIL_BUDGET
    tags = _Tags()
    tags.feed(found.html)
    ours = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "table",
        "tr",
        "td",
        "h1",
        "h2",
        "p",
        "ul",
        "li",
        "span",
        "a",
        "pre",
    }
    assert tags.seen <= ours
    assert not {name for name in tags.attributes if name.startswith("on") or name == "src"}
    assert all(re.match(r"https?://", target) for target in tags.targets)
    assert "\n" not in found.subject
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", found.text + found.html)


@law
@given(messages)
@example(EVIL)
@example(HUGE)
def test_the_webhooks_document_is_within_its_budget(message: Message) -> None:
    """JSON that can be read back, no larger than what the documentation says."""
    document, _ = webhook_document(action("first-failure", message=message))
    body = json_bytes(document)
    assert len(body) <= WEBHOOK_BUDGET
    assert msgspec.json.decode(body, type=Document) == msgspec.convert(document, Document)


@law
@given(messages)
@example(EVIL)
@example(HUGE)
def test_alerts_are_within_their_budget(message: Message) -> None:
    """Labels and annotations are texts that are not empty, labels do not depend on the message, and nothing pings."""
    sender = AlertmanagerSender(Alertmanager(id="here", url="http://x"), exchange=None)  # type: ignore[arg-type]  # nothing is sent
    found = sender.render(action("first-failure", message=message), ())
    assert found.size <= found.budget
    (alert,) = json.loads(found.body)
    assert alert["labels"] == {"alertname": "MeshkitChaos", "kind": "cause", "thread": action("first-failure").thread}
    assert all(alert["annotations"].values())
    assert not re.search(r"<[!@#]", found.body)


@law
@given(messages, st.booleans())
@example(EVIL, True)
def test_a_mail_has_only_the_headers_that_we_made(message: Message, loud: bool) -> None:
    """Nothing in a message adds a header or a recipient that is no owner of the routes file."""
    here = opened(mail_settings(25), {}, Path())
    one: Action = action("first-failure", message=message, loud=loud)
    mail, _ = here._mail(one, ())  # type: ignore[attr-defined]  # the headers are the subject here
    head = mail.as_bytes().partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    ours = ["From", "To", "Cc", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Meshkit-Chaos-Occasion"]
    assert set(names) <= {*ours, "MIME-Version", "Content-Type"}
    assert len(names) == len(set(names))
    assert set(re.findall(r"\S+@\S+", str(mail.get("Cc", "")).replace(",", " "))) <= {"mesh@acme.example", "jo@acme.example"}
    assert all(len(line) <= 998 for line in mail.as_bytes().split(b"\r\n"))


@law
@given(messages, st.integers(50, 6000))
def test_a_smaller_budget_shows_less_and_says_so(message: Message, budget: int) -> None:
    """What fits is kept in its order; what does not is named; with room for all, nothing is dropped."""
    size = len  # of the texts together, which any channel's size grows with

    def measured(one: Message) -> int:
        return size(
            one.title + one.lead + one.command + "".join(point.text for section in one.sections for point in section.points)
        )

    whole = fitted(message, budget=10**9, size=measured)
    found = fitted(message, budget=budget, size=measured)
    assert measured(found.message) <= budget
    assert (found.message == whole.message) == (measured(whole.message) <= budget)
    if found.message != whole.message:
        assert len(found.dropped) >= 1
    assert found.message.facts == whole.message.facts[: len(found.message.facts)]
    assert found.message.links == whole.message.links[: len(found.message.links)]
    assert found.message.tone == message.tone


@given(texts, st.integers(0, 300))
def test_texts_are_cut_where_they_must_be(text: str, room: int) -> None:
    """No longer than there is room, a beginning of what was there, and plain."""
    for short in (one_line(text, room), few_lines(text, room), cut(text, room)):
        assert width(short) <= room
    assert one_line(one_line(text, 300), 300) == one_line(text, 300)
    assert "\n" not in one_line(text, 300)
    assert plain(plain(text)) == plain(text)
    assert width(text) == units(text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://u:p@x/",
        "https://",
        "http://[x",
        "ftp://x/",
        'https://x/"',
        "https://x/<",
        "https://x/ y",
        "x",
    ],
)
def test_what_is_no_address_of_the_web_is_no_link(url: str) -> None:
    """Only http and https, without a password, and without anything that ends an attribute."""
    assert web_address(url) == ""


def test_a_night_without_a_value_is_no_low_bar() -> None:
    """Absent and not finite are dots; the newest value and the limit are said in figures."""
    trend = Trend(label="new leader", values=(1.0, None, 5.0, float("nan"), float("inf"), 3.0), limit=5.0)
    assert sparkline(trend) == f"new leader ▁{ABSENT}█{ABSENT}{ABSENT}▅ 3s, limit 5s"
    assert sparkline(Trend(label="x", values=(1.0, None))) == f"x ▁{ABSENT} newest: no value"
    assert sparkline(Trend(label="x", values=())) == "x  newest: no value"


def test_only_ids_ping_in_slack() -> None:
    """A name that is no id, such as a channel's or everybody, pings nobody."""
    assert slack_pinged(["nobody", "unknown", "<!channel>"], OWNERS) == []
    assert slack_pinged(["jo", "jo", "mesh-team"], OWNERS) == [
        {"type": "user", "user_id": "U0JO"},
        {"type": "usergroup", "usergroup_id": "S0MESHTEAM"},
    ]


def test_the_contracts_really_reject() -> None:
    """A wrong block, a wrong element, a text that is too long, a bare card: each is a problem."""
    header = {"type": "header", "text": {"type": "plain_text", "text": "x"}}
    assert slack_problems([header]) == []
    for wrong in (
        [],
        [{"type": "heading"}],
        [{**header, "text": {"type": "mrkdwn", "text": "x"}}],
        [{**header, "text": {"type": "plain_text", "text": "x" * 151}}],
        [{**header, "text": {"type": "plain_text", "text": ""}}],
        [header] * 51,
        [
            {
                "type": "rich_text",
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x" * 3001}]}],
            }
        ],
        [{"type": "rich_text", "elements": [{"type": "rich_text_list", "elements": []}]}],
    ):
        assert slack_problems(wrong), wrong
    card = teams_card(Message(title="t", lead="l", tone="good")).envelope
    assert envelope_problems(card) == []
    assert envelope_problems(card["attachments"][0]["content"]), "a bare card is taken and never shown"
    for wrong_element in (
        {"type": "TextBlok", "text": "x"},
        {"type": "TextBlock"},
        {"type": "RichTextBlock", "inlines": [{"type": "X"}]},
    ):
        content = {**card["attachments"][0]["content"], "body": [wrong_element]}
        assert envelope_problems({**card, "attachments": [{**card["attachments"][0], "content": content}]}), wrong_element
