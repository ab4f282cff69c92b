"""The definitions of this repository, and those that a user would get."""

from __future__ import annotations

from pathlib import Path

from meshkit_chaos.pipelines.settings import PLATFORMS, Settings, checked
from meshkit_chaos.pipelines.writing import definitions

ROOT = Path(__file__).resolve().parents[2]
ACTION = "action.yml"

USERS = checked(
    Settings(
        file="chaos-scenarios.yaml",
        environments=("etcd-lab.yaml", "staging/mesh.yaml"),
        install=("python -m pip install 'meshkit-chaos==0.1.0'",),
        command="meshkit-chaos pipelines init",
        tags=("smoke",),
        shards=3,
        simulated="simulated-mesh.yaml",
        native=True,
        routes="chaos-notify.yaml",
        secrets=("SLACK_TOKEN", "MAIL_PASSWORD"),
        tickets=True,
        allow_commands=True,
        pages=True,
    )
)


def users_files() -> dict[str, str]:
    """Every file of every platform, as `pipelines init` writes it, with all that can be asked for."""
    return {place: text for platform in PLATFORMS for place, text in definitions(platform, USERS).items()}


def own_files() -> dict[str, str]:
    """The same files of this repository, as they are there, and its composite action."""
    return {place: (ROOT / place).read_text(encoding="utf-8") for place in (*users_files(), ACTION)}
