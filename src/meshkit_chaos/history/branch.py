"""A shelf in an orphan branch of a git repository, so that history survives between CI jobs without any server.

Files are added as new commits on top of what is there; nothing is ever forced. Everything happens in a bare repository of
our own in a temporary folder: the work tree, index and references of the repository that the command is called in are not
touched. Only its remotes and what it knows of authentication are read. Refuses, as HistoryProblem, a branch that holds
something else, and whatever git refuses, in git's own words.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history.shelf import is_name, refuse_large

SCHEME: Final = "git:"
BRANCH: Final = "chaos-history"
_MARKER: Final = "README.md"
_README: Final = b"""# History of meshkit-chaos

This branch holds run bundles and marks, and no source code. It is only ever appended to, by `meshkit-chaos history push`.
"""
_KEPT: Final = "refs/kept/history"
_TRIES: Final = 40
_LONGEST_S: Final = 600
_AUTHENTICATION: Final = r"^(http\.|credential\.|url\.|core\.sshcommand$)"


class GitBranch:
    """``git:PLACE#BRANCH``; PLACE is a path, a URL, or the name of a remote of the repository in the current folder.

    ``scratch`` is an empty folder, the caller's to remove.
    """

    def __init__(self, place: str, *, scratch: Path) -> None:
        name, _, branch = place.removeprefix(SCHEME).partition("#")
        self._branch = branch or BRANCH
        if not name or name.startswith("-") or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", self._branch):
            raise UsageError(f"{place} is no place in git", hint="such as git:origin#chaos-history or git:../history.git")
        self._scratch = scratch
        self._environment = _environment(_settings())
        self._url = _resolved(name)
        self.where: Final = f"{SCHEME}{_without_password(name)}#{self._branch}"
        self._git("init", "--quiet", "--bare", str(scratch))
        self._tip: str | None = None
        self._known: dict[str, tuple[str, int]] | None = None

    def names(self) -> frozenset[str]:
        return frozenset(self._files(fresh=True))

    def read(self, name: str) -> bytes:
        found = self._files().get(name)
        if found is None:
            raise HistoryProblem(f"{self.where} holds no {name[:200]}")
        refuse_large(found[1], f"{self.where}/{name}")
        return self._git("cat-file", "blob", found[0])

    def add(self, files: Mapping[str, bytes]) -> int:
        """One commit with all of them. Whoever pushed in the meantime stays; ours is put on top, as often as it takes."""
        written = {name: self._git("hash-object", "-w", "--stdin", data=data).decode().strip() for name, data in files.items()}
        said = ""
        for attempt in range(_TRIES):
            missing = {name: blob for name, blob in written.items() if name not in self._files(fresh=True)}
            if not missing:
                return 0 if attempt == 0 else len(written)
            parent = self._tip
            commit = self._commit(missing, parent)
            refused = self._push(commit)
            if not refused:
                self._known = None
                return len(missing)
            if self._look() == parent and "lock" not in refused:
                raise self._problem("pushed to", refused)
            said = refused
            time.sleep(secrets.randbelow(50 * (attempt + 1)) / 1000)
        raise self._problem(f"pushed to: others were faster {_TRIES} times", said)

    def _files(self, *, fresh: bool = False) -> dict[str, tuple[str, int]]:
        """Blob and size of every file of ours by its name, as of the last look."""
        if fresh or self._known is None:
            self._tip = self._look()
            if self._tip is not None:
                self._fetch()
            self._known = self._listed() if self._tip is not None else {}
        return self._known

    def _look(self) -> str | None:
        """The commit that the branch is at now; None where there is no such branch."""
        lines = self._git("ls-remote", "--heads", self._url, f"refs/heads/{self._branch}", done="reached").decode().split()
        return lines[0] if lines else None

    def _fetch(self) -> None:
        wanted = f"+refs/heads/{self._branch}:{_KEPT}"
        self._git("fetch", "--quiet", "--no-tags", "--depth=1", self._url, wanted, done="read")
        self._tip = self._git("rev-parse", _KEPT).decode().strip()

    def _listed(self) -> dict[str, tuple[str, int]]:
        found: dict[str, tuple[str, int]] = {}
        marked = False
        for line in self._git("ls-tree", "-r", "-z", "-l", "--full-tree", _KEPT).decode("utf-8", "replace").split("\0"):
            about, _, name = line.partition("\t")
            mode, kind, blob, size = about.split() if about else ("", "", "", "")
            if kind == "blob" and mode == "100644" and is_name(name):
                found[name] = (blob, int(size))
            marked = marked or (name == _MARKER and kind == "blob" and self._is_readme(blob, int(size)))
        if not marked:
            raise HistoryProblem(
                f"{self.where} is a branch that holds something else than a history",
                hint=f"name one that does not exist yet, such as #{BRANCH}",
            )
        return found

    def _is_readme(self, blob: str, size: int) -> bool:
        return size < 10_000 and self._git("cat-file", "blob", blob).startswith(_README.splitlines()[0])

    def _commit(self, files: Mapping[str, str], parent: str | None) -> str:
        self._git("read-tree", *([parent] if parent else ["--empty"]))
        listed = (
            dict(files)
            if parent
            else {**files, _MARKER: self._git("hash-object", "-w", "--stdin", data=_README).decode().strip()}
        )
        lines = "".join(f"100644 {blob}\t{name}\n" for name, blob in sorted(listed.items()))
        self._git("update-index", "--add", "--index-info", data=lines.encode())
        tree = self._git("write-tree").decode().strip()
        message = f"{len(files)} more file{'' if len(files) == 1 else 's'} of history"
        return self._git("commit-tree", tree, *(["-p", parent] if parent else []), "-m", message).decode().strip()

    def _push(self, commit: str) -> str:
        """Why it was refused; empty if it was not."""
        done = self._run("push", "--quiet", self._url, f"{commit}:refs/heads/{self._branch}")
        return "" if done.returncode == 0 else self._said(done)

    def _git(self, *arguments: str, data: bytes = b"", done: str = "used") -> bytes:
        ended = self._run(*arguments, data=data)
        if ended.returncode != 0:
            raise self._problem(done, self._said(ended))
        return ended.stdout

    def _run(self, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *arguments],  # noqa: S607  # whichever git the user has
                cwd=self._scratch,
                env=self._environment,
                input=data,
                capture_output=True,
                timeout=_LONGEST_S,
                check=False,
            )
        except FileNotFoundError as error:
            raise HistoryProblem("git is not installed", hint="install it, or use a folder or s3:// instead") from error
        except subprocess.TimeoutExpired as error:
            raise self._problem("used", f"git {arguments[0]} took longer than {_LONGEST_S} s") from error

    def _said(self, ended: subprocess.CompletedProcess[bytes]) -> str:
        lines = _without_password(ended.stderr.decode("utf-8", "replace")).split("\n")
        told = [line.strip() for line in lines if line.strip() and not line.startswith("hint:")]
        return "; ".join(told)[:600] or f"git ended with {ended.returncode}"

    def _problem(self, done: str, said: str) -> HistoryProblem:
        return HistoryProblem(
            f"{self.where} cannot be {done}: {said}",
            hint="check the address, the rights of this job (contents: write), and that no rule protects the branch",
        )


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


def _resolved(name: str) -> str:
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


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]+@", "://***@", text)
