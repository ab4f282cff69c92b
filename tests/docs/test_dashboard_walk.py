"""The walk through `demo --history`: its commands are typed, and every line that it quotes from a page is on that page.

All ninety nights are made once, by the page's own commands.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from documentation import DOCS, Page
from test_docs_run import play

from meshkit_chaos.cli.demo_nights import ACCEPTED, CREEP, DOUBLED, MISSING, NIGHTS, OFTEN, REFUSED, STEP, commit, nights
from meshkit_chaos.cli.histories import open_history
from meshkit_chaos.dashboard import paths
from meshkit_chaos.deliver.outbox import Outbox
from meshkit_chaos.history.model import PastInvocation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
WALK = Page(DOCS / "howto" / "read-the-dashboard.md")


class Text(HTMLParser):
    """What a page says: no marks, no scripts, one blank between words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._said: list[str] = []
        self._hidden = 0
        self.feed(page)

    def __str__(self) -> str:
        return " ".join(" ".join(self._said).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._said.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's commands were typed."""
    made = tmp_path_factory.mktemp("walk")
    play(WALK, made, lab=False, slow=True)
    return made


@pytest.fixture(scope="module")
def site(folder: Path) -> Path:
    return folder / "nights" / "site"


@pytest.fixture(scope="module")
def invocations(folder: Path) -> tuple[PastInvocation, ...]:
    with open_history(str(folder / "nights" / "chaos-history")) as history:
        return history.invocations()


def said(site: Path, page: str) -> str:
    return str(Text((site / page).read_text(encoding="utf-8")))


def test_every_line_that_is_quoted_is_on_its_page(site: Path) -> None:
    """In the order of the quotation. A quotation that no page says any more misleads who reads it at night."""
    quotations = [block for block in WALK.blocks() if block.quoted]
    assert len(quotations) >= 5
    for block in quotations:
        text, position = said(site, str(block.quoted)), 0
        for line in block.text.splitlines():
            found = text.find(line.strip(), position)
            assert found >= 0, f"{WALK.name}:{block.line}: {block.quoted} does not say {line.strip()!r} (in this place)"
            position = found + len(line.strip())


def test_the_nights_that_are_told_of_are_those_that_were_planted(site: Path) -> None:
    """The page tells of nights by how long ago they were, and of builds by their commits."""
    text = WALK.text
    for number in (STEP, CREEP, OFTEN, ACCEPTED):
        assert f"{NIGHTS - 1 - number} nights before the newest" in text, number
        assert commit(number)[:7] in text, number
    assert f"{len(MISSING)} nights" in text
    del site


def test_every_night_has_a_page_and_those_that_did_not_come_have_none(
    site: Path, invocations: tuple[PastInvocation, ...]
) -> None:
    """Both branches, each night once."""
    assert len(invocations) == len(nights())
    assert all((site / paths.invocation(one.invocation)).is_file() for one in invocations)
    commits = {one.subject["commit"] for one in invocations}
    assert commits == {night.commit for night in nights()}
    assert not commits & {commit(number) for number in MISSING}


def test_the_grid_marks_gaps_flakes_and_what_was_waived(site: Path) -> None:
    """On its newest nights: a night that did not run, passes that were lucky, the failure that somebody accepted."""
    text = said(site, paths.GRID)
    assert "did not run" in text
    assert "flaky" in text
    assert text.count("waived") >= 1


def test_the_override_is_in_the_log_and_on_the_gates_page(folder: Path, site: Path) -> None:
    """The decision before it, the one that it opened, who accepted it and until when."""
    text = said(site, paths.GATE)
    assert "slower-rebalancing" in (folder / "nights" / "chaos-overrides.yaml").read_text(encoding="utf-8")
    assert "5 required scenarios passed, 1 of them by override" in text
    assert "MESH-214" in text
    assert re.search(r"\bann\b.*\bbo\b", text)


def test_messages_are_in_honest_states(folder: Path) -> None:
    """Delivered, joined into a later one, delivered after the receiver was away, and one that the receiver refused."""
    with open_history(str(folder / "nights" / "chaos-history")) as history:
        told = Outbox(history.database).newest(1000)
        dead = [one for one in told if one.state == "dead"]
        assert {"delivered", "superseded", "dead"} == {one.state for one in told if one.state != "pending"}
    assert [(one.action.channel, one.action.occasion) for one in dead] == [("on-call", "nightly-missing")]
    assert "nobody is on this rota" in dead[0].error
    assert REFUSED in MISSING
    assert any(one.attempts > 1 and one.state == "delivered" for one in told)


def test_the_night_that_began_out_of_order_is_invalid_and_no_pass(site: Path, invocations: tuple[PastInvocation, ...]) -> None:
    """Two leaders before anything was injected: nothing was, and the run proves nothing."""
    ((number, scenario),) = DOUBLED.items()
    (night,) = [one for one in invocations if one.subject["commit"] == commit(number)]
    text = said(site, paths.invocation(night.invocation))
    assert "Invalid" in text
    assert scenario in text
