"""Take pictures of the Teams card and the HTML mail, light and dark, as people see them.

``python tests/deliver/pictures.py FOLDER [OUT]``: FOLDER is where ``npm install adaptivecards@3.0.6`` ran (Microsoft's own
renderer of cards; the colours are Teams' by eye). Writes ``teams-card.png``, ``teams-card-dark.png``, ``mail.png`` and
``mail-dark.png`` into OUT, else ``docs/pictures``. Needs the program chromium.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from chat_world import OCCASIONS, OWNERS

from meshkit_chaos.deliver.mail_text import mail_text
from meshkit_chaos.deliver.teams_card import pinged, teams_card

RENDERER = "node_modules/adaptivecards/dist/adaptivecards.min.js"
SHOWN = OCCASIONS["first-failure"]
LIGHT = {"text": "#242424", "soft": "#616161", "page": "#ffffff", "emphasis": "#f5f5f5", "link": "#5b5fc7"}
DARK = {"text": "#ffffff", "soft": "#adadad", "page": "#292929", "emphasis": "#1f1f1f", "link": "#7f85f5"}
BACKS = {
    False: {"good": "#e7f2da", "attention": "#fcf4f6", "warning": "#fbf6d9"},
    True: {"good": "#0d2e0d", "attention": "#3b1519", "warning": "#463100"},
}


def host(*, dark: bool) -> dict[str, Any]:
    """How Teams shows a card: fonts, sizes and colours."""
    colours = DARK if dark else LIGHT
    text = {"default": colours["text"], "subtle": colours["soft"]}
    foreground = dict.fromkeys(("default", "accent", "good", "warning", "attention", "dark", "light"), text)
    backs = {"default": colours["page"], "emphasis": colours["emphasis"], "accent": colours["emphasis"], **BACKS[dark]}
    return {
        "fontFamily": "Segoe UI, Noto Sans, DejaVu Sans, sans-serif",
        "fontSizes": {"small": 12, "default": 14, "medium": 16, "large": 18, "extraLarge": 24},
        "spacing": {"small": 4, "default": 8, "medium": 14, "large": 20, "extraLarge": 28, "padding": 16},
        "containerStyles": {name: {"backgroundColor": back, "foregroundColors": foreground} for name, back in backs.items()},
        "actions": {"actionsOrientation": "horizontal", "buttonSpacing": 8, "actionAlignment": "left"},
    }


def card_page(renderer: str, *, dark: bool) -> str:
    """A page that renders the card as Microsoft's library does."""
    card = teams_card(SHOWN, people=pinged(SHOWN.mention, OWNERS)).envelope["attachments"][0]["content"]
    colours = DARK if dark else LIGHT
    button = f"padding:6px 14px;border-radius:4px;border:1px solid {colours['soft']};background:none;color:{colours['text']}"
    return (
        f'<!doctype html><meta charset="utf-8"><style>body{{margin:0;padding:12px;background:{colours["emphasis"]}}}'
        f"#card{{background:{colours['page']};border-radius:6px;overflow:hidden}}button{{{button}}}a{{color:{colours['link']}}}</style>"
        f'<div id="card"></div><script>{renderer}</script><script>const card=new AdaptiveCards.AdaptiveCard();'
        f"card.hostConfig=new AdaptiveCards.HostConfig({json.dumps(host(dark=dark))});card.parse({json.dumps(card)});"
        "document.getElementById('card').append(card.render());</script>"
    )


def photographed(page: str, path: Path, *, dark: bool, size: tuple[int, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "page.html"
        document.write_text(page, encoding="utf-8")
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        shot = [f"--screenshot={path.resolve()}", f"--window-size={size[0]},{size[1]}", scheme, document.as_uri()]
        subprocess.run(["chromium", *fixed, *shot], check=True, capture_output=True, timeout=60)


def main(packages: Path, out: Path) -> None:
    """Four pictures."""
    renderer = (packages / RENDERER).read_text(encoding="utf-8")
    for dark in (False, True):
        ending = "-dark" if dark else ""
        photographed(card_page(renderer, dark=dark), out / f"teams-card{ending}.png", dark=dark, size=(620, 530))
        photographed(mail_text(SHOWN).html, out / f"mail{ending}.png", dark=dark, size=(660, 570))


if __name__ == "__main__":
    docs = Path(__file__).parents[2] / "docs/pictures"
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else docs)
