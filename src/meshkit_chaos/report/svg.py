"""SVG elements as escaped text. Pure.

Everything is placed along the time axis in percent and across it in pixels, so one drawing fits a desk, a phone and paper
with text at its own size. Colours and strokes come from the page's style sheet by class: no inline style.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from meshkit_chaos.report.escape import visible


def element(tag: str, *children: Markup | str, **attributes: object) -> Markup:
    """One element. ``class_`` stands for class and ``_`` in names for a hyphen; text children are escaped."""
    parts = [
        f' {name.rstrip("_").replace("_", "-")}="{escape(visible(_plain(value)))}"'
        for name, value in attributes.items()
        if value is not None
    ]
    inside = "".join(child if isinstance(child, Markup) else escape(visible(child)) for child in children)
    return Markup(f"<{tag}{''.join(parts)}>{inside}</{tag}>")  # noqa: S704  # every part was escaped above


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def percent(value: float) -> str:
    """A place along the time axis; three digits are finer than a pixel of any screen."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def group(*children: Markup, **attributes: object) -> Markup:
    return element("g", *children, **attributes)


def rect(x: float, width: float, *, y: float, height: float, class_: str, title: str = "") -> Markup:
    """A rectangle from ``x`` percent, ``width`` percent wide; with ``title``, a tool tip."""
    tip = (element("title", title),) if title else ()
    return element("rect", *tip, x=percent(x), width=percent(max(width, 0.0)), y=y, height=height, class_=class_)


def vertical(x: float, *, top: float, bottom: float, class_: str) -> Markup:
    return element("line", x1=percent(x), x2=percent(x), y1=top, y2=bottom, class_=class_)


def horizontal(x1: float, x2: float, *, y: float, class_: str) -> Markup:
    return element("line", x1=percent(x1), x2=percent(x2), y1=y, y2=y, class_=class_)


def text(content: str, *, x: float, y: float, class_: str, anchor: str = "start", dx: float = 0) -> Markup:
    return element("text", content, x=percent(x), y=y, dx=dx or None, text_anchor=anchor, class_=class_)


def drawing(*children: Markup, height: float, label: str, class_: str, role: str = "img") -> Markup:
    """A whole drawing, as wide as its place; ``label`` says in words what it shows; ``role``: "group" where it has links."""
    return element("svg", *children, width="100%", height=height, role=role, aria_label=label, class_=class_)
