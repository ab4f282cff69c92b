"""Slack, Teams, webhooks and Alertmanager before fakes that check: what arrives, and what every fault becomes."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import get_args

import pytest
from chat_contract import walk
from chat_world import (
    HTTP_KINDS,
    OCCASIONS,
    SECRET,
    START,
    FakeAlertmanager,
    Kind,
    action,
    arrived,
    complaints,
    opened,
    settings,
    world,
)
from fake_slack import FakeSlack
from fake_teams import FakeTeams
from msgspec import structs
from served import Fault, certificates, closed_address, served
from webhook_receiver import Receiver

from meshkit_chaos.deliver.action import (
    Again,
    CannotLook,
    Delivered,
    Found,
    NotThere,
    Occasion,
    Outcome,
    Refused,
    Unsure,
)
from meshkit_chaos.deliver.signing import TOLERANCE_S, signature, verified
from meshkit_chaos.measure.loopback import Answer
from meshkit_chaos.slo import Duration


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return certificates(tmp_path_factory.mktemp("tls"))


def test_every_occasion_has_a_sample() -> None:
    """No occasion is forgotten by the tests below."""
    assert OCCASIONS.keys() == set(get_args(Occasion))


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_every_occasion_arrives_as_the_contract_wants(kind: Kind, tmp_path: Path) -> None:
    """Each message is taken in, and nothing about it is wrong."""
    with world(kind, tmp_path) as here:
        outcomes = [here.sender.send(action(occasion), ()) for occasion in OCCASIONS]
        assert all(isinstance(outcome, Delivered) for outcome in outcomes), outcomes
        assert len(arrived(here.fake)) == len(OCCASIONS)
        assert not complaints(here.fake)


FAULTS: list[tuple[Fault, type[Outcome]]] = [
    (Answer(status=429), Again),
    (Answer(status=429, headers={"Retry-After": "30"}), Again),
    (Answer(status=500, body=b"<html>oh</html>"), Unsure),
    (Answer(status=503, headers={"Retry-After": "9"}), Again),
    (Answer(status=401, body=b'{"message":"expired"}'), Refused),
    (Answer(status=413), Refused),
    ("cut-before", Unsure),
    ("cut-after", Unsure),
    ("silent", Unsure),
    ("late", Unsure),
    ("drip", Unsure),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=str)
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_every_fault_is_told_apart(kind: Kind, fault: Fault, expected: type[Outcome], tmp_path: Path) -> None:
    """What may have arrived is unsure; what surely did not is tried again; what never will is refused."""
    with world(
        kind, tmp_path, fault, timeout="400ms" if isinstance(fault, str) and not fault.startswith("cut") else "20s"
    ) as here:
        outcome = here.sender.send(action("first-failure"), ())
        assert isinstance(outcome, expected), outcome
        assert len(here.faulty.requests) == 1
        assert outcome.why
        if isinstance(outcome, Again) and isinstance(fault, Answer) and "Retry-After" in fault.headers:
            assert outcome.after == Duration.of_seconds(int(fault.headers["Retry-After"]))
            assert outcome.everybody


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_nobody_listens_and_no_such_name(kind: Kind, tmp_path: Path) -> None:
    """Without a connection it surely did not arrive."""
    for url in (closed_address(), "https://nobody.invalid"):
        channel, variables = settings(kind, url, timeout="5s")
        outcome = opened(channel, variables, tmp_path).send(action("test"), ())
        assert isinstance(outcome, Again), outcome


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_a_server_that_cannot_prove_who_it_is(kind: Kind, untrusted: ssl.SSLContext, tmp_path: Path) -> None:
    """A certificate that is not trusted: nothing is sent, so it surely did not arrive."""
    fake = FakeSlack()
    with served(fake, tls=untrusted) as url:
        channel, variables = settings(kind, url)
        assert isinstance(opened(channel, variables, tmp_path).send(action("test"), ()), Again)
    assert not fake.messages


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize("body", [b"", b"<html>please sign in</html>", b'{"ok": false, "error": "fatal_error"}', b"[]"])
def test_a_200_that_says_something_else(kind: Kind, body: bytes, tmp_path: Path) -> None:
    """Where the channel says in the body what became of it, another body is never a delivery."""
    with world(kind, tmp_path, Answer(body=body)) as here:
        outcome = here.sender.send(action("test"), ())
        assert isinstance(outcome, Unsure if kind.startswith("slack") else Delivered), outcome


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_an_oversized_answer(kind: Kind, tmp_path: Path) -> None:
    """A success is one, however long; where its words are needed, it is unsure."""
    with world(kind, tmp_path, "oversized") as here:
        outcome = here.sender.send(action("test"), ())
        assert isinstance(outcome, Unsure if kind.startswith("slack") else Delivered), outcome


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_no_secret_gets_out(kind: Kind, tmp_path: Path) -> None:
    """Neither in what is shown before, nor in what is said of a failure that repeats it, nor in a sender's repr."""
    _, variables = settings(kind, "http://127.0.0.1:9")
    hidden = [value for name, value in variables.items() if name != "ADDRESS"]
    if "ADDRESS" in variables and kind != "webhook":
        hidden.append(variables["ADDRESS"].rpartition("/" if kind == "slack-webhook" else "sig=")[2])
    said = json.dumps({"error": " ".join(variables.values()), "path": hidden}).encode()
    with world(kind, tmp_path, Answer(status=403, body=said)) as here:
        shown = str(here.sender.render(action("test"), ()))
        outcome = here.sender.send(action("test"), ())
        texts = [shown, str(outcome), repr(here.sender)]
    assert isinstance(outcome, Refused)
    assert not [secret for secret in hidden for text in texts if secret in text]


def test_slack_begins_anew_in_another_channel(tmp_path: Path) -> None:
    """The routes name another channel since: what was written elsewhere is neither answered nor edited there."""
    with world("slack", tmp_path) as here:
        here.send(action("summary", 1))
        receipt = here.told[0].receipt
        assert receipt is not None
        before = structs.replace(receipt, details={**receipt.details, "asked": "C0BEFORE"})
        here.told = [structs.replace(here.told[0], receipt=before)]
        here.send(action("summary", 2))
        here.told.pop()
        here.send(action("still-failing"))
        assert isinstance(here.fake, FakeSlack)
        assert ["thread_ts" in one for one in here.fake.messages] == [False, False, False]


def test_slack_answers_in_the_thread_and_edits_its_first_message(tmp_path: Path) -> None:
    """Later actions of a thread answer the first; a summary replaces what it said."""
    with world("slack", tmp_path) as here:
        here.send(action("first-failure"))
        here.send(action("still-failing"))
        loud = here.send(action("environment-dirty"))
        assert isinstance(here.fake, FakeSlack)
        first, answer, broadcast = here.fake.messages
        assert "thread_ts" not in first
        assert (answer["thread_ts"], answer["reply_broadcast"]) == (first["ts"], False)
        assert (broadcast["thread_ts"], broadcast["reply_broadcast"]) == (first["ts"], True)
        assert isinstance(loud, Delivered)
    with world("slack", tmp_path) as here:
        here.send(action("summary", 1))
        edited = here.send(action("summary", 2, message=OCCASIONS["recovered"]))
        assert isinstance(here.fake, FakeSlack)
        (only,) = here.fake.messages
        assert "Recovered" in only["text"]
        assert isinstance(edited, Delivered)
        assert edited.receipt.did == "edited"


@pytest.mark.parametrize("occasion", ["summary", "still-failing"])
def test_slack_writes_anew_where_the_first_message_is_gone(occasion: Occasion, tmp_path: Path) -> None:
    """Somebody removed what should be edited or answered: the news is not lost."""
    with world("slack", tmp_path) as here:
        here.send(action(occasion, 1))
        assert isinstance(here.fake, FakeSlack)
        here.fake.messages.clear()
        assert isinstance(here.send(action(occasion, 2)), Delivered)
        (only,) = here.fake.messages
        assert "thread_ts" not in only


@pytest.mark.parametrize(
    ("word", "expected", "who"),
    [
        ("ratelimited", Again, ""),
        ("service_unavailable", Again, ""),
        ("request_timeout", Again, ""),
        ("internal_error", Unsure, ""),
        ("fatal_error", Unsure, ""),
        ("channel_not_found", Refused, "operator"),
        ("not_in_channel", Refused, "operator"),
        ("is_archived", Refused, "operator"),
        ("token_expired", Refused, "operator"),
        ("missing_scope", Refused, "operator"),
        ("invalid_auth", Refused, "operator"),
        ("invalid_blocks", Refused, "us"),
        ("msg_blocks_too_long", Refused, "us"),
        ("a_word_of_next_year", Refused, "operator"),
    ],
)
def test_what_slacks_words_mean(word: str, expected: type[Outcome], who: str, tmp_path: Path) -> None:
    """Each documented word becomes later, maybe or never, and says who must act."""
    with world("slack", tmp_path) as here:
        assert isinstance(here.fake, FakeSlack)
        here.fake.refuse.append(word)
        outcome = here.sender.send(action("test"), ())
        assert isinstance(outcome, expected), outcome
        assert word in outcome.why
        if isinstance(outcome, Refused):
            assert outcome.who == who
            assert outcome.hint
        assert not here.fake.messages


@pytest.mark.parametrize("occasion", ["first-failure", "still-failing", "summary"])
def test_slack_finds_what_it_wrote(occasion: Occasion, tmp_path: Path) -> None:
    """After an attempt without an answer it looks by its key: in the channel, in the thread, or at what was edited."""
    with world("slack", tmp_path, timeout="1s") as here:
        here.send(action(occasion, 1))
        assert isinstance(here.sender.look(action(occasion, 2), tuple(here.told)), NotThere)
        here.faulty.faults.append("cut-after")
        assert isinstance(here.send(action(occasion, 2)), Unsure)
        found = here.sender.look(action(occasion, 2), tuple(here.told))
        assert isinstance(found, Found), found
        for number in range(3, 8):
            here.send(action(occasion, number))
        if occasion != "summary":  # it may stand on a later page
            assert here.sender.look(action(occasion, 2), tuple(here.told)) == found


def test_slack_cannot_look_without_the_right_to(tmp_path: Path) -> None:
    """A missing scope is not an absence."""
    with world("slack", tmp_path, handler=FakeSlack(scopes=frozenset({"chat:write"}))) as here:
        look = here.sender.look(action("test"), ())
        assert isinstance(look, CannotLook)
        assert "missing_scope" in look.why
        assert not look.retry


@pytest.mark.parametrize("fault", ["cut-before", Answer(status=500), Answer(status=429), Answer(body=b"<html>")], ids=str)
def test_a_look_that_failed_is_not_an_absence(fault: Fault, tmp_path: Path) -> None:
    """Only Slack's own whole answer proves that a message is not there."""
    with world("slack", tmp_path, fault) as here:
        look = here.sender.look(action("test"), ())
        assert isinstance(look, CannotLook)
        assert look.retry


@pytest.mark.parametrize("kind", ["slack", "slack-webhook", "teams"])
def test_only_who_is_named_and_known_is_pinged(kind: Kind, tmp_path: Path) -> None:
    """A loud message pings its owners by the ids of the routes file; a quiet one nobody; names that are no ids nobody."""
    with world(kind, tmp_path) as here:
        assert isinstance(here.fake, FakeSlack | FakeTeams)
        here.sender.send(action("still-failing"), ())
        assert here.fake.pinged == []
        here.sender.send(action("environment-dirty"), ())
        teams = ["mesh@acme.example", "11111111-2222-3333-4444-555555555555"]
        assert here.fake.pinged == (teams if kind == "teams" else ["S0MESHTEAM", "U0JO"])


def test_teams_does_not_promise_that_it_was_shown(tmp_path: Path) -> None:
    """A 202 is a delivery whose receipt says that nothing proves more."""
    with world("teams", tmp_path) as here:
        outcome = here.send(action("test"))
        assert isinstance(outcome, Delivered)
        assert not outcome.receipt.shown
        assert outcome.receipt.note == "a flow was started"


@pytest.mark.parametrize("kind", ["slack-webhook", "teams", "webhook", "alertmanager"])
def test_channels_that_cannot_be_asked_say_so(kind: Kind, tmp_path: Path) -> None:
    """There is no look, so being unsure means to send again."""
    with world(kind, tmp_path) as here:
        assert isinstance(here.sender.look(action("test"), ()), CannotLook)
        assert here.sender.when_unsure == "repeat"


def test_a_webhook_that_came_twice_is_one_message(tmp_path: Path) -> None:
    """Sent again after a cut, it has the same key; the receiver keeps it once."""
    with world("webhook", tmp_path, "cut-after") as here:
        assert isinstance(here.send(action("recovered")), Unsure)
        assert isinstance(here.send(action("recovered")), Delivered)
        assert isinstance(here.fake, Receiver)
        ((key, document),) = here.fake.messages.items()
        assert len(here.fake.again) == 1
        assert (document["version"], document["occasion"], document["key"]) == (1, "recovered", key)


def test_a_signature_holds_for_these_bytes_now_only() -> None:
    """Another body, key, time or form of the header is refused."""
    body = b'{"a":1}'
    header = signature(SECRET, body, at_s=1000)
    assert verified(SECRET, body, header, now_s=1000 + TOLERANCE_S)
    assert not verified(SECRET, body, header, now_s=1001 + TOLERANCE_S)
    assert not verified(SECRET, body, header, now_s=999 - TOLERANCE_S)
    assert not verified(SECRET, body + b" ", header, now_s=1000)
    assert not verified(SECRET + "x", body, header, now_s=1000)
    assert not verified(SECRET, body, header.replace("t=1000", "t=1001"), now_s=1000)
    for wrong in ("", "v1=00", header.upper(), f"{header},v1=00", f"{header}\n"):
        assert not verified(SECRET, body, wrong, now_s=1000)


def test_an_alert_is_renewed_and_ended_by_its_labels(tmp_path: Path) -> None:
    """Firing, going on and recovering have the same labels; only evidence ends it before its time."""
    with world("alertmanager", tmp_path) as here:
        for occasion in ("first-failure", "changed", "recovered"):
            here.send(action(occasion))
        assert isinstance(here.fake, FakeAlertmanager)
        fired, renewed, ended = here.fake.alerts
        assert fired["labels"] == renewed["labels"] == ended["labels"]
        assert fired["endsAt"] == "2026-01-02T12:01:00.000Z"
        assert ended["endsAt"] == "2026-01-01T00:01:00.000Z"
        assert [told.receipt.did for told in here.told if told.receipt] == ["fired", "fired", "resolved"]


def test_no_alert_is_ended_without_a_good_message(tmp_path: Path) -> None:
    """A pass needs evidence: a summary that is not good fires."""
    with world("alertmanager", tmp_path) as here:
        outcome = here.send(action("recovered", message=OCCASIONS["gate-blocked"]))
        assert isinstance(outcome, Delivered)
        assert outcome.receipt.did == "fired"


def test_what_is_over_without_good_news_ends_its_alert(tmp_path: Path) -> None:
    """A nightly that came again may have failed: that it was missing is over all the same, and fires nothing."""
    came = OCCASIONS["test"].__class__(title="the nightly came again", lead="it failed", tone="neutral")
    with world("alertmanager", tmp_path) as here:
        outcome = here.send(action("recovered", message=came))
        assert isinstance(outcome, Delivered)
        assert outcome.receipt.did == "resolved"


def test_an_alert_does_not_pass_a_ping_on_to_slack(tmp_path: Path) -> None:
    """Alertmanager hands annotations to Slack unescaped; a mark that Slack obeys is broken."""
    with world("alertmanager", tmp_path) as here:
        title = "<!channel> <@U123> <#C1> is down"
        rendered = here.sender.render(
            action("test", message=OCCASIONS["test"].__class__(title=title, lead=title, tone="bad")), ()
        )
        assert "<!" not in rendered.body
        assert "<@" not in rendered.body


def test_texts_of_cards_are_runs_without_markdown(tmp_path: Path) -> None:
    """Nothing of a message stands where a card reads Markdown."""
    with world("teams", tmp_path) as here:
        card = json.loads(here.sender.render(action("first-failure"), ()).body)
        assert {one["type"] for one in walk(card["attachments"][0]["content"]["body"]) if "text" in one} == {
            "TextRun",
            "TextBlock",
        }
        blocks = [one["text"] for one in walk(card) if one.get("type") == "TextBlock"]
        assert blocks == ["<at>mesh team</at>"]


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_what_is_rendered_is_what_is_sent(kind: Kind, tmp_path: Path) -> None:
    """A preview shows the very document, and its size is within the budget."""
    with world(kind, tmp_path) as here:
        rendered = here.sender.render(action("first-failure", at=START), ())
        here.sender.send(action("first-failure", at=START), ())
        (request,) = here.faulty.requests
        assert json.loads(request.body) == json.loads(rendered.body)
        assert 0 < rendered.size <= rendered.budget
        assert not rendered.dropped
