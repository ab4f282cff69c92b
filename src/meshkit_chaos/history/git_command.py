"""Git, run as a command in a bare repository of our own, with what the user's repository knows of authentication.

Takes arguments and bytes, gives what git printed. Refuses, as HistoryProblem, a git that is missing, that takes too long,
or that ends with an error, in its own words and without passwords.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import HistoryProblem

_LONGEST_S: Final = 600
_AUTHENTICATION: Final = r"^(http\.|credential\.|url\.|core\.sshcommand$)"


class Git:
    """Commands in one bare repository, which is made. ``where`` is what people are told that they are about."""

    def __init__(self, folder: Path, *, where: str) -> None:
        self._folder = folder
        self._where = where
        self._environment = _environment(_settings())
        folder.mkdir(parents=True, exist_ok=True)
        self.do("init", "--quiet", "--bare", str(folder))

    def do(self, *arguments: str, data: bytes = b"", done: str = "used") -> bytes:
        """What it printed. Raises HistoryProblem: it "cannot be ``done``"."""
        ended = self._run(*arguments, data=data)
        if ended.returncode != 0:
            raise self.problem(done, _said(ended))
        return ended.stdout

    def word(self, *arguments: str, data: bytes = b"") -> str:
        """The one word that it printed, such as the name of an object."""
        return self.do(*arguments, data=data).decode().strip()

    def refused(self, *arguments: str) -> str:
        """Why it ended with an error; empty if it did not."""
        ended = self._run(*arguments)
        return "" if ended.returncode == 0 else _said(ended)

    def _run(self, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *arguments],  # noqa: S607  # whichever git the user has
                cwd=self._folder,
                env=self._environment,
                input=data,
                capture_output=True,
                timeout=_LONGEST_S,
                check=False,
            )
        except FileNotFoundError as error:
            raise HistoryProblem("git is not installed", hint="install it, or use a folder or s3:// instead") from error
        except subprocess.TimeoutExpired as error:
            raise self.problem("used", f"git {arguments[0]} took longer than {_LONGEST_S} s") from error

    def problem(self, done: str, said: str) -> HistoryProblem:
        """The error that says what git said."""
        return HistoryProblem(
            f"{self._where} cannot be {done}: {said}",
            hint="check the address, the rights of this job (contents: write), and that no rule protects the branch",
        )


def _said(ended: subprocess.CompletedProcess[bytes]) -> str:
    lines = without_password(ended.stderr.decode("utf-8", "replace")).split("\n")
    told = [line.strip() for line in lines if line.strip() and not line.startswith("hint:")]
    return "; ".join(told)[:600] or f"git ended with {ended.returncode}"


def _environment(settings: list[tuple[str, str]]) -> dict[str, str]:
    """Git's environment: nothing of a surrounding git command, no question to anybody, our name on commits."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key.startswith("GIT_SSH")}
    given = {
        f"GIT_CONFIG_{what}_{index}": text
        for index, pair in enumerate(settings)
        for what, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    author = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _AUTHOR.items()}
    return {
        **plain,
        **given,
        **author,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


_AUTHOR: Final = {"NAME": "meshkit-chaos", "EMAIL": "meshkit-chaos@users.noreply.invalid"}


def _settings() -> list[tuple[str, str]]:
    """What the repository in the current folder knows of authentication, such as the header that a CI's checkout leaves."""
    done = _ask("config", "--local", "--includes", "--null", "--get-regexp", _AUTHENTICATION)
    pairs = (entry.partition("\n") for entry in done.split("\0") if entry)
    return [(key, value) for key, _, value in pairs]


def resolved(name: str) -> str:
    """A remote's name as its URL, and a path as an absolute one."""
    url = name if "/" in name or "\\" in name else _ask("remote", "get-url", name).strip() or name
    return str(Path(url).resolve()) if Path(url).exists() else url


def _ask(*arguments: str) -> str:
    """Ask the repository in the current folder; empty where there is none, or no answer."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=30, check=False)  # noqa: S607  # as above
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]+@", "://***@", text)
