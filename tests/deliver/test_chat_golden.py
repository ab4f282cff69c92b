"""Every occasion as each channel shows it, compared byte for byte: what changes is looked at.

``UPDATE_GOLDEN=1 pytest tests/deliver/test_chat_golden.py`` writes them again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest
from chat_world import HTTP_KINDS, OCCASIONS, action, mail_settings, opened, settings

from meshkit_chaos.deliver.action import Occasion
from meshkit_chaos.deliver.mail_text import mail_text
from meshkit_chaos.deliver.sending import Sender

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def senders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sender]:
    folder = tmp_path_factory.mktemp("senders")
    found = {kind: opened(*settings(kind, "http://127.0.0.1:9"), folder) for kind in HTTP_KINDS}
    return {**found, "email": opened(mail_settings(25), {}, folder)}


def check(name: str, made: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    assert made == expected, f"{path} is not current; run with UPDATE_GOLDEN=1 and look at the difference"


@pytest.mark.parametrize("occasion", get_args(Occasion))
@pytest.mark.parametrize("kind", [*HTTP_KINDS, "email"])
def test_a_message_looks_as_it_did(kind: str, occasion: Occasion, senders: Mapping[str, Sender]) -> None:
    """The whole of what is sent, with its size and budget."""
    found = senders[kind].render(action(occasion), ())
    head = f"{found.method} to {found.target}\n{found.size} of {found.budget} {found.unit}; left out: {list(found.dropped)}\n\n"
    check(f"{kind}/{occasion}.txt", f"{head}{found.body}\n".replace("\r\n", "\n"))


@pytest.mark.parametrize("occasion", get_args(Occasion))
def test_the_html_of_a_mail_looks_as_it_did(occasion: Occasion) -> None:
    """The body that most people see."""
    check(f"email/{occasion}.html", mail_text(OCCASIONS[occasion]).html)


def test_no_golden_file_is_left_over() -> None:
    """Every golden file is compared with something."""
    kinds = {f"{kind}/{occasion}.txt" for kind in (*HTTP_KINDS, "email") for occasion in get_args(Occasion)}
    expected = kinds | {f"email/{occasion}.html" for occasion in get_args(Occasion)}
    chat = {f"{path.parent.name}/{path.name}" for kind in (*HTTP_KINDS, "email") for path in (GOLDEN / kind).iterdir()}
    assert chat == expected
