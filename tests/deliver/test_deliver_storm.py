"""A storm of pipelines that fail for a few causes: one ticket and one message for each cause, and a digest, whatever the
database.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_github import FakeGitHub
from fake_slack import FakeSlack
from pipeline_storm import CAUSES, ROUTES, TOKENS, Storm, digests_due, prepare, unleash
from postgres_server import server
from served import served


def weather(location: str, folder: Path, count: int, *, processes: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> Storm:
    """Let a storm go by; check what each side got."""
    for name, value in TOKENS.items():
        monkeypatch.setenv(name, value)
    tracker, chat = FakeGitHub(token=TOKENS["TRACKER_TOKEN"], lag_s=1.0), FakeSlack(token=TOKENS["CHAT_TOKEN"])
    outs = prepare(folder / "outs", count)
    with served(tracker) as tracker_url, served(chat) as chat_url:
        (folder / "routes.yaml").write_text(ROUTES.format(tracker=tracker_url, chat=chat_url), encoding="utf-8")
        storm = unleash(location, folder, outs, processes=processes, threads=threads)
        assert len(tracker.issues) == len(CAUSES)
        assert len(chat.messages) == len(CAUSES)
        for channel in ("tickets", "chat"):
            assert storm.count(channel, "first-failure", "delivered") == len(CAUSES)
            assert storm.most_waiting(channel) <= 1, "of each cause one digest waits at most, the newest"
        assert {one.told.state for one in storm.entries} <= {"delivered", "pending", "superseded"}
        again = [storm.count("tickets", "still-failing", state) for state in ("delivered", "pending")]
        digests = storm.count("chat", "still-failing", "pending")
        with digests_due(location, folder):
            assert len(tracker.issues) == len(CAUSES), "and still no second one"
            assert sum(len(issue.comments) for issue in tracker.issues.values()) == sum(again)
            assert len(chat.messages) == len(CAUSES) + digests
    assert tracker.wrong == []
    assert chat.wrong == []
    return storm


@pytest.mark.slow
def test_a_small_storm_in_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty pipelines in two processes, one file: nothing is doubled and nothing lost."""
    weather(f"sqlite:///{tmp_path}/h/index.sqlite", tmp_path, 20, processes=2, threads=2, monkeypatch=monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_storm_in_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand pipelines, up to 48 of them at a time: five tickets, five messages, five digests each."""
    with server() as location:
        storm = weather(location, tmp_path, 1000, processes=4, threads=12, monkeypatch=monkeypatch)
        for channel in ("tickets", "chat"):
            assert storm.count(channel, "still-failing", "pending") == len(CAUSES), "a digest of each cause"
