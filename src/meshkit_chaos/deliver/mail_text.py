"""A message as a mail's two bodies: plain text that reads well by itself, and HTML for 600 pixels, light and dark. Pure.

Takes a message; gives the subject, both bodies, and what was left out. Styles are inline, for many readers take out the rest;
only the dark scheme needs a style sheet. Nothing is loaded from elsewhere. Gmail clips HTML after 102 KB: we stay under 80,000
bytes.
"""

from __future__ import annotations

from html import escape
from typing import Final

from msgspec import Struct

from meshkit_chaos.deliver.budget import Room, fitted
from meshkit_chaos.deliver.message import Link, Message, Point, Section, Tone
from meshkit_chaos.deliver.sparkline import figures

BUDGET: Final = 80_000
_ROOM: Final = Room(title=160, lead=4000, value=500, point=600, points=150)
_WORDS: Final[dict[Tone, str]] = {"good": "good", "bad": "bad", "unsure": "unsure", "neutral": ""}
_COLOURS: Final[dict[Tone, str]] = {"good": "#1a7f37", "bad": "#b42318", "unsure": "#8a5a00", "neutral": "#445061"}
_MARKS: Final[dict[Tone, str]] = {"good": "✓", "bad": "✗", "unsure": "?", "neutral": "•"}
_SANS: Final = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO: Final = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
_DARK: Final = """
:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
body,.page{background:#14181d!important}.card{background:#1e242b!important;border-left-color:#39424d!important;border-right-color:#39424d!important;
border-bottom-color:#39424d!important}
.ink{color:#e6eaef!important}.soft{color:#a9b4c0!important}.code{background:#10151a!important;color:#e6eaef!important}
.good{color:#5dd37c!important}.bad{color:#ff9488!important}.unsure{color:#f0c060!important}a{color:#8ab8ff!important}}
"""


class MailText(Struct, frozen=True, kw_only=True):
    """``size``: of the HTML, in bytes."""

    subject: str
    text: str
    html: str
    size: int
    dropped: tuple[str, ...]


def mail_text(message: Message) -> MailText:
    """Both bodies, from one fitted message: they never say different things."""
    found, dropped = fitted(message, budget=BUDGET, size=lambda one: len(_html(one).encode()), room=_ROOM)
    html = _html(found)
    return MailText(subject=found.title, text=_text(found), html=html, size=len(html.encode()), dropped=dropped)


def _text(message: Message) -> str:
    lines = [message.title, "=" * min(len(message.title), 72), "", *([message.lead, ""] if message.lead else [])]
    lines += [f"{fact.label}: {fact.value}" for fact in message.facts]
    if message.trend is not None:
        lines.append(f"{message.trend.label}: {figures(message.trend)}")
    for section in message.sections:
        lines += ["", section.heading, "-" * min(len(section.heading), 72)]
        for point in section.points:
            word = _WORDS[point.tone]
            lines.append(f"* {f'[{word}] ' if word else ''}{point.text}")
            lines += [f"  {point.url}"] if point.url else []
    if message.command:
        lines += ["", "See it yourself:", *(f"    {line}" for line in message.command.split("\n"))]
    lines += [""] if message.links else []
    lines += [f"{link.text}: {link.url}" if link.url else link.text for link in message.links]
    lines += ["", f"cause {message.cause}"] if message.cause else []
    return "\n".join(lines) + "\n"


def _html(message: Message) -> str:
    colour = _COLOURS[message.tone]
    style = f"margin:0 0 12px;font-size:20px;line-height:1.3;color:{colour}"
    inside = [
        f'<h1 class="{message.tone}" style="{style}">{_MARKS[message.tone]} {escape(message.title)}</h1>',
        *(f'<p class="ink" style="{_P}">{escape(line)}</p>' for line in message.lead.split("\n") if line),
        _facts(message),
        *(_section(section) for section in message.sections),
        _command(message.command),
        _links(message.links),
        f'<p class="soft" style="{_SMALL}">cause {escape(message.cause)}</p>' if message.cause else "",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(message.title)}</title><style>{_DARK}</style></head>"
        f'<body style="margin:0;padding:0;background:#f2f4f7;{_SANS}">'
        '<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" style="background:#f2f4f7">'
        '<tr><td align="center" style="padding:16px 8px">'
        '<table role="presentation" class="card" width="600" cellpadding="0" cellspacing="0" style="width:100%;max-width:600px;'
        f'background:#ffffff;border:1px solid #d5dae1;border-top:4px solid {colour};border-radius:6px;table-layout:fixed">'
        f'<tr><td style="padding:20px;overflow-wrap:anywhere;word-break:break-word">{"".join(inside)}</td></tr>'
        "</table></td></tr></table></body></html>\n"
    )


_P: Final = "margin:0 0 12px;font-size:15px;line-height:1.5;color:#1c2430"
_SMALL: Final = "margin:16px 0 0;font-size:12px;line-height:1.4;color:#5b6675"
_CELL: Final = "padding:2px 12px 2px 0;font-size:14px;line-height:1.4;vertical-align:top"


def _facts(message: Message) -> str:
    facts = [(fact.label, fact.value) for fact in message.facts]
    if message.trend is not None:
        facts.append((message.trend.label, figures(message.trend)))
    rows = [
        f'<tr><td class="soft" style="{_CELL};color:#5b6675;width:24%">{escape(label)}</td>'
        f'<td class="ink" style="{_CELL};color:#1c2430">{escape(value)}</td></tr>'
        for label, value in facts
    ]
    table = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin:0 0 8px">'
    return f"{table}{''.join(rows)}</table>" if rows else ""


def _section(section: Section) -> str:
    heading = f'<h2 class="ink" style="margin:16px 0 6px;font-size:15px;color:#1c2430">{escape(section.heading)}</h2>'
    return f'{heading}<ul style="margin:0;padding:0 0 0 18px">{"".join(_point(point) for point in section.points)}</ul>'


def _point(point: Point) -> str:
    mark = ""
    if point.tone != "neutral":
        said = f"{_MARKS[point.tone]} {_WORDS[point.tone]}"
        mark = f'<span class="{point.tone}" style="color:{_COLOURS[point.tone]};font-weight:600">{said}</span> '
    text = _anchor(point.text, point.url) if point.url else escape(point.text)
    return f'<li class="ink" style="margin:0 0 4px;font-size:14px;line-height:1.45;color:#1c2430">{mark}{text}</li>'


def _command(command: str) -> str:
    if not command:
        return ""
    style = (
        f"margin:0;padding:10px;background:#eef1f5;border-radius:4px;font-size:12px;white-space:pre-wrap;color:#1c2430;{_MONO}"
    )
    return f'<p class="soft" style="{_SMALL}">See it yourself:</p><pre class="code" style="{style}">{escape(command)}</pre>'


def _links(links: tuple[Link, ...]) -> str:
    shown = [_anchor(link.text, link.url) if link.url else escape(link.text) for link in links]
    return f'<p class="ink" style="{_P};margin-top:16px">{" &middot; ".join(shown)}</p>' if shown else ""


def _anchor(text: str, url: str) -> str:
    return f'<a href="{escape(url)}" style="color:#0b5bd3">{escape(text)}</a>'
