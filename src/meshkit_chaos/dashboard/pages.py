"""Values as pages: one template engine, one style sheet, one policy. Pure.

Every text is escaped by the engine; nothing is loaded from anywhere: styles and scripts stand inside, allowed by their digests
in a policy that forbids all else. So a page works from a server, from a file system, and as an artifact.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from meshkit_chaos.dashboard import paths
from meshkit_chaos.report.escape import visible
from meshkit_chaos.report.wording import MEANING, WORD

PAGES: Final = (
    (paths.READINESS, "Readiness"),
    (paths.GRID, "Grid"),
    (paths.COVERAGE, "Coverage"),
    (paths.COMPARE, "Compare"),
    (paths.GATE, "Gate"),
    (paths.DELIVERIES, "Deliveries"),
    (paths.BINARIES, "Binaries"),
    (paths.SEARCH, "Search"),
)


def page(
    template: str, *, here: str, title: str, project: str, made: str, more: Sequence[tuple[str, str]] = (), **values: Any
) -> str:
    """Write one page. ``made``: when the data was read, as text; ``here``: its own path; ``more``: pages besides the usual."""
    links = [(paths.relative(path, here=here), name, path == here) for path, name in (*PAGES, *more)]
    text = (
        _environment()
        .get_template(template)
        .render(
            here=here,
            title=title,
            project=project,
            made=made,
            links=links,
            home=paths.relative(paths.READINESS, here=here),
            words=WORD,
            meanings=MEANING,
            css=styles(),
            js=script(),
            closer_js=closer_script(),
            policy=policy(),
            **values,
        )
    )
    return visible(text) + "\n"


@functools.cache
def policy() -> str:
    """Nothing may be loaded but from the same place, and only as data; our own style and script are known by their digests."""
    style, own = _digest(styles()), f"{_digest(script())}' '{_digest(closer_script())}"
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{own}'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'"
    )


def styles() -> Markup:
    return _asset("shared.css") + _asset("report.css") + _asset("dashboard.css")


def script() -> Markup:
    return _asset("dashboard.js") + _asset("report.js")


def closer_script() -> Markup:
    """The same and more, for pages on which a run is drawn: most pages of an export are without."""
    return script() + _asset("zoom.js") + _asset("logs.js")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=ChoiceLoader(
            [PackageLoader("meshkit_chaos.dashboard", "templates"), PackageLoader("meshkit_chaos.report", "templates")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _asset(name: str) -> Markup:
    """A file of ours, as it is."""
    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, name)
    return Markup(source)  # noqa: S704  # our own file, never a document's text
