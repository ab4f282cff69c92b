"""What a user decides about the pipelines that are written for them.

Takes plain values; gives frozen Settings. Refuses what would mean something else inside a definition: expressions of the CI,
line breaks, paths out of the repository. Pure.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.errors import UsageError

Platform = Literal["github", "azure"]
PLATFORMS: Final[tuple[Platform, ...]] = ("github", "azure")

_PATH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_WORD: Final = re.compile(r"[A-Za-z0-9_.:*?\[\]-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPRESSION: Final = re.compile(r"\$\{\{|\$\(|##vso|::")
MOST_SHARDS: Final = 64


class Settings(Struct, frozen=True, kw_only=True):
    """``install``: lines of shell that put ``meshkit-chaos`` on the PATH. ``simulated``: an environment that a pull request can
    run without starting anything; empty: pull requests only lint and test. ``native``: the environments name binaries, which
    are built first, and exactly those are run. ``branch``: the protected one, where the gate's policy and overrides are read.
    ``routes``: who is told what; empty: nobody is told. ``secrets``: the variables that its channels read, but for GitHub's own
    token; ``tickets``: whether one of them takes that. ``allow_commands``: runs may start commands that documents name, on the
    branches that the pipelines run on and never for a pull request. ``pages``: the dashboard is deployed to GitHub Pages, where
    others may read it. ``command``: how to write the files again.
    """

    file: str
    environments: tuple[str, ...]
    install: tuple[str, ...]
    command: str
    tests: str = "chaos-scenarios.test.yaml"
    tags: tuple[str, ...] = ()
    shards: int = 1
    simulated: str = ""
    native: bool = False
    policy: str = "chaos-gate.yaml"
    python: str = "3.13"
    cron: str = "17 2 * * *"
    branch: str = "main"
    routes: str = ""
    secrets: tuple[str, ...] = ()
    tickets: bool = False
    watch_cron: str = "47 8 * * *"
    allow_commands: bool = False
    pages: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """Every shard as ``run --shard`` takes it."""
        return tuple(f"{number}/{self.shards}" for number in range(1, self.shards + 1))


def checked(settings: Settings) -> Settings:
    """The settings as they are. Raises UsageError for the first that a definition cannot hold."""
    paths = {
        "--file": settings.file,
        "--tests": settings.tests,
        "--policy": settings.policy,
        "--branch": settings.branch,
        **({"--routes": settings.routes} if settings.routes else {}),
        **({"--simulated": settings.simulated} if settings.simulated else {}),
    }
    for option, path in [*paths.items(), *(("--env", environment) for environment in settings.environments)]:
        if not _PATH.fullmatch(path) or ".." in path.split("/"):
            raise UsageError(
                f"{option} {path!r} is not a plain path inside the repository", hint="letters, digits, `_`, `-`, `.` and `/`"
            )
    for tag in settings.tags:
        if not _WORD.fullmatch(tag):
            raise UsageError(f"--tag {tag!r} cannot be written into a pipeline", hint="letters, digits, `_`, `-` and `.`")
    for name in settings.secrets:
        if not _VARIABLE.fullmatch(name):
            raise UsageError(f"{settings.routes}: {name!r} cannot be a variable of a pipeline", hint="letters, digits and `_`")
    for line in settings.install:
        if _EXPRESSION.search(line) or not line.isprintable():
            raise UsageError(f"--install {line!r} holds an expression of the CI", hint="plain shell, one line an option")
    if not settings.environments:
        raise UsageError("no environment is named", hint="--env etcd-lab.yaml, as often as there are environments")
    if not 1 <= settings.shards <= MOST_SHARDS:
        raise UsageError(f"--shards {settings.shards} is out of range", hint=f"1 to {MOST_SHARDS}")
    return settings
