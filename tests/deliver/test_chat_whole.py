"""From a night that fails to what people get: the command, the real deciding, every chat channel, before fakes that check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chat_contract import walk
from chat_world import SECRET
from command_lines import command
from fake_slack import FakeSlack
from fake_teams import FakeTeams
from mail_server import Mailbox, mail_server
from served import Faulty, served
from webhook_receiver import Receiver

from meshkit_chaos.clock import SystemClock

ROUTES = """
version: 1
project: MeshKit
channels:
  - {{id: bot, slack: {{channel: C0123456789, token: {{env: TOKEN}}, api: "{slack}/api"}}}}
  - {{id: hook, slack_webhook: {{url: {{env: HOOK}}}}}}
  - {{id: cards, teams: {{url: {{env: CARDS}}}}}}
  - id: mail
    email: {{sender: chaos@acme.example, to: [team@acme.example], server: localhost, port: {port}, security: none}}
  - {{id: own, webhook: {{url: {{env: OWN}}, secret: {{env: SECRET}}}}}}
routes:
  - {{id: all, to: [bot, hook, cards, mail, own]}}
rules: {{close_after: 1}}
nightly: {{trigger: nightly}}
"""
SUBJECT = ("--subject", "commit=4f1c9e2", "--subject", "branch=main", "--subject", "trigger=nightly")


@pytest.mark.slow  # every channel sends one message a second
def test_a_failing_night_and_the_next_one_on_every_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each channel gets the failure and the summary, then that it is over; a bot answers in the failure's thread."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    bot, hook, cards, box = FakeSlack(clock_s=SystemClock().wall_ns() // 10**9), FakeSlack(), FakeTeams(), Mailbox()
    own = Receiver(secret=SECRET, clock=SystemClock())
    stumbling = Faulty(bot, ["cut-after"])
    with (
        served(stumbling) as slack,
        served(hook) as webhook,
        served(cards) as teams,
        served(own) as receiver,
        mail_server(box, tmp_path, security="none", auth=False) as port,
    ):
        monkeypatch.setenv("TOKEN", bot.token)
        monkeypatch.setenv("HOOK", webhook + hook.path)
        monkeypatch.setenv("CARDS", f"{teams}{cards.path}?sig={cards.sig}")
        monkeypatch.setenv("OWN", receiver)
        monkeypatch.setenv("SECRET", SECRET)
        assert command("init", "--simulated").code == 0
        scenarios = Path("chaos-scenarios.yaml")
        Path("chaos-notify.yaml").write_text(ROUTES.format(slack=slack, port=port), encoding="ascii")
        assert command("notify", "lint").code == 0
        good = scenarios.read_text(encoding="utf-8")
        scenarios.write_text(good.replace("within: 5s", "within: 500ms"), encoding="utf-8")
        assert command("run", "--out", "night-1", "--seed", "1", *SUBJECT).code == 1
        preview = command("notify", "preview", "night-1", "--format", "json")
        assert preview.code == 0, preview.err
        sent = command("notify", "send", "night-1", "--wait", "30s")
        assert sent.code == 0, sent.err
        scenarios.write_text(good, encoding="utf-8")
        assert command("run", "--out", "night-2", "--seed", "2", *SUBJECT).code == 0
        over = command("notify", "send", "night-2", "--wait", "30s")
        assert over.code == 0, over.err

    assert not bot.wrong + hook.wrong + cards.not_shown
    assert not bot.pinged + hook.pinged + cards.pinged
    assert len({json.dumps(one["metadata"]) for one in bot.messages}) == len(bot.messages), "a cut answer doubled nothing"
    failure = next(one for one in bot.messages if "missed" in one["text"])
    assert [one for one in bot.messages if one.get("thread_ts") == failure["ts"]], "what became of it is in its thread"
    summaries = [mail for _, mail in box.mails if "night to" in mail["Subject"]]
    assert summaries
    assert any("leader-killed" in mail["Subject"] for _, mail in box.mails)
    assert any("Recovered" in mail["Subject"] for _, mail in box.mails)
    titles = [one["text"] for card in cards.cards for one in walk(card["body"]) if one.get("size") == "Large"]
    assert any(title.startswith("✗ ") for title in titles)
    assert any(title.startswith("✓ Recovered") for title in titles)
    assert not [title for title in titles if title.startswith("✓ ") and "missed" in title]
    assert {document["occasion"] for document in own.messages.values()} >= {"first-failure", "summary", "recovered"}
