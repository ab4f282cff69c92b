"""Files as they are at a ref of git: so policies and overrides come from the protected branch, not the commit under test."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import UsageError

_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class AtRef:
    """``data`` None: there is no such file at the ref."""

    commit: str
    data: bytes | None


def read_at(ref: str, path: Path, *, option: str) -> AtRef:
    """Read a file of the repository around it, at a ref. Raises UsageError where there is no such repository or ref."""
    folder = path.parent
    resolved = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if resolved.returncode != 0:
        why = resolved.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        hint = "fetch it first: a shallow checkout holds one commit only"
        raise UsageError(f"{option} {ref!r} is no commit here{f': {why}' if why else ''}", hint=hint)
    commit = resolved.stdout.decode("ascii").strip()
    shown = _git(folder, "cat-file", "blob", f"{commit}:./{path.name}")
    return AtRef(commit, shown.stdout if shown.returncode == 0 else None)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot be run: {error}", hint="install git, or leave the ref out") from error
