"""The repository of ``demo --history``: policy, scenarios and overrides on a branch, read there as from a protected one.

Takes a folder with documents; gives a git repository of it, with the dates of the nights. Raises UsageError where git cannot be
run or refuses: without a branch to read it from, the gate uses no override, and the demo makes no exception.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshkit_chaos.cli.demo_nights import ACCEPTED, commit
from meshkit_chaos.cli.gate_reading import read_file, read_policy
from meshkit_chaos.clock import iso
from meshkit_chaos.errors import UsageError

if TYPE_CHECKING:
    from meshkit_chaos.gate.overrides import Overrides
    from meshkit_chaos.gate.policy import Policy

BRANCH: Final = "main"
OVERRIDES: Final = "chaos-overrides.yaml"
_DAY: Final = 24 * 3600 * 10**9
_SECONDS: Final = 60
_OVERRIDE: Final = """\
# Failures that people accepted. Each is for one build and ends by itself.
version: 1
overrides:
  - id: slower-rebalancing
    subject: {{commit: {commit}}}
    scenario: rebalanced-after-restart
    objective: converge-balanced
    accept: {{within: 10s}}
    reason: the new spreading is slower on purpose; its limit is under discussion
    ticket: MESH-214
    author: ann
    approver: bo
    created: {created}
    expires: {expires}
"""


class Repository:
    """What the gate reads of it is what is on ``main`` at that moment."""

    def __init__(self, folder: Path, *, at: int) -> None:
        self._folder = folder
        self._git("init", "--quiet", f"--initial-branch={BRANCH}", at=at)
        self._commit("What the mesh owes its users, and what a release needs", at=at)

    def policy(self) -> Policy:
        return read_policy(self._folder / "chaos-gate.yaml", BRANCH)

    def overrides(self) -> Overrides:
        """None as long as nobody accepted anything."""
        from meshkit_chaos.gate.overrides import Overrides  # noqa: PLC0415  # start-up time

        there = (self._folder / OVERRIDES).exists()
        return read_file(self._folder / OVERRIDES, BRANCH) if there else Overrides()

    def accept(self, *, at: int) -> None:
        """Somebody accepts a slower rebalancing of one build, and another one merges it."""
        text = _OVERRIDE.format(commit=commit(ACCEPTED), created=iso(at)[:10], expires=iso(at + 14 * _DAY)[:10])
        (self._folder / OVERRIDES).write_text(text, encoding="utf-8")
        self._commit("Accept the slower rebalancing of one build (MESH-214)", at=at)

    def _commit(self, message: str, *, at: int) -> None:
        self._git("add", "--", *sorted(path.name for path in self._folder.glob("*.yaml")), at=at)
        self._git("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", message, at=at)

    def _git(self, *words: str, at: int) -> None:
        when = f"{at // 10**9} +0000"
        who = {"NAME": "demo", "EMAIL": "demo@localhost.invalid", "DATE": when}
        named = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in who.items()}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", *words]
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env={**outside, **named, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(
                f"git cannot be run: {error}", hint="install git: the gate reads overrides from a branch"
            ) from error
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise UsageError(f"git {words[0]} in {self._folder}: {said}", hint="name a folder of your own with --out")
