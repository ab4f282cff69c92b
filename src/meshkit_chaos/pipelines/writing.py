"""Pipeline definitions as text.

Takes Settings and a platform; gives file texts by their place in a repository. Templates are Jinja with marks that neither
GitHub (``${{ }}``) nor Azure (``$( )``, ``${{ }}``) nor a shell uses. Refuses nothing: settings were checked before.
"""

from __future__ import annotations

import importlib.resources
import json
from typing import TYPE_CHECKING, Final

from meshkit_chaos.pipelines.pins import PINS
from meshkit_chaos.pipelines.settings import Platform, Settings

if TYPE_CHECKING:
    from jinja2 import Environment

_PLACES: Final[dict[Platform, dict[str, str]]] = {
    "github": {
        "nightly.yml.j2": ".github/workflows/chaos-nightly.yml",
        "on-demand.yml.j2": ".github/workflows/chaos-on-demand.yml",
        "release-gate.yml.j2": ".github/workflows/chaos-release-gate.yml",
        "pull-request.yml.j2": ".github/workflows/chaos-pull-request.yml",
    },
    "azure": {
        "nightly.yml.j2": "azure-pipelines/chaos-nightly.yml",
        "on-demand.yml.j2": "azure-pipelines/chaos-on-demand.yml",
        "release-gate.yml.j2": "azure-pipelines/chaos-release-gate.yml",
        "pull-request.yml.j2": "azure-pipelines/chaos-pull-request.yml",
        "run-steps.yml.j2": "azure-pipelines/chaos-run-steps.yml",
    },
}
_FOR_TELLING: Final[dict[Platform, dict[str, str]]] = {
    "github": {
        "tell.yml.j2": ".github/workflows/chaos-tell.yml",
        "watch.yml.j2": ".github/workflows/chaos-watch.yml",
    },
    "azure": {
        "tell.yml.j2": "azure-pipelines/chaos-tell.yml",
        "watch.yml.j2": "azure-pipelines/chaos-watch.yml",
    },
}
"""Only for who has routes."""


def definitions(platform: Platform, settings: Settings) -> dict[str, str]:
    """The text of every file of a platform, by its path from the repository's root."""
    environment = _environment()
    places = _PLACES[platform] | (_FOR_TELLING[platform] if settings.routes else {})
    return {
        place: environment.get_template(f"{platform}/{name}").render(settings=settings, pin=PINS)
        for name, place in places.items()
    }


def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415  # only who writes pipelines pays for it

    folder = importlib.resources.files("meshkit_chaos") / "pipelines" / "templates"
    texts = {
        f"{platform}/{file.name}": file.read_text(encoding="utf-8")
        for platform in _PLACES
        for file in (folder / platform).iterdir()
        if file.name.endswith(".j2")
    }
    environment = Environment(
        loader=DictLoader(texts),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # the output is YAML; texts go through `quoted`, and settings were checked
        block_start_string="{%",
        block_end_string="%}",
        variable_start_string="{=",
        variable_end_string="=}",
        comment_start_string="{##",
        comment_end_string="##}",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = _quoted
    return environment


def _quoted(text: str) -> str:
    """A YAML scalar that is exactly this text: JSON's quotes are YAML's."""
    return json.dumps(text, ensure_ascii=False)
