"""A shelf in an orphan branch of a git repository, so that history survives between CI jobs without any server.

Files are added as new commits on top of what is there; nothing is ever forced. Everything happens in bare repositories of
our own in a temporary folder: the work tree, index and references of the repository that the command is called in are not
touched. Only its remotes and what it knows of authentication are read. Refuses, as HistoryProblem, a branch that holds
something else, and whatever git refuses, in git's own words.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history.git_command import Git, resolved, without_password
from meshkit_chaos.history.shelf import is_name, refuse_large

SCHEME: Final = "git:"
BRANCH: Final = "chaos-history"
_MARKER: Final = "README.md"
_README: Final = b"""# History of meshkit-chaos

This branch holds run bundles and marks, and no source code. It is only ever appended to, by `meshkit-chaos history push`.
"""
"""Its bytes are what a branch is known by: they are never changed."""
_KEPT: Final = "refs/kept/history"
_PARTIAL: Final = {
    "core.repositoryformatversion": "1",
    "extensions.partialClone": "there",
    "remote.there.promisor": "true",
    "remote.there.partialclonefilter": "blob:none",
}
_TRIES: Final = 40


class GitBranch:
    """``git:PLACE#BRANCH``; PLACE is a path, a URL, or the name of a remote of the repository in the current folder.

    ``scratch`` is an empty folder, the caller's to remove. Names are fetched without contents where the server can do that, so
    pushing to a large history stays cheap; contents come with the first ``read``.
    """

    def __init__(self, place: str, *, scratch: Path) -> None:
        name, _, branch = place.removeprefix(SCHEME).partition("#")
        self._branch = branch or BRANCH
        if not name or name.startswith("-") or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", self._branch):
            raise UsageError(f"{place} is no place in git", hint="such as git:origin#chaos-history or git:../history.git")
        self.where: Final = f"{SCHEME}{without_password(name)}#{self._branch}"
        self._scratch = scratch
        self._url = resolved(name)
        self._git = Git(scratch / "names", where=self.where)
        for key, value in {**_PARTIAL, "remote.there.url": self._url}.items():
            self._git.do("config", key, value)
        self._readme = self._git.word("hash-object", "-w", "--stdin", data=_README)
        self._contents: Git | None = None
        self._tip: str | None = None
        self._known: dict[str, str] | None = None

    def names(self) -> frozenset[str]:
        self._known = None
        return frozenset(self._files())

    def read(self, name: str) -> bytes:
        blob = self._files().get(name)
        if blob is None:
            raise HistoryProblem(f"{self.where} holds no {name[:200]}")
        contents = self._fetched()
        refuse_large(int(contents.word("cat-file", "-s", blob)), f"{self.where}/{name}")
        return contents.do("cat-file", "blob", blob, done="read")

    def add(self, files: Mapping[str, bytes]) -> int:
        """One commit with all of them. Whoever pushed in the meantime stays; ours is put on top, as often as it takes."""
        written = {name: self._git.word("hash-object", "-w", "--stdin", data=data) for name, data in files.items()}
        refused = ""
        for attempt in range(_TRIES):
            self._known = None
            missing = {name: blob for name, blob in written.items() if name not in self._files()}
            if not missing:
                return 0
            parent = self._tip
            refused = self._git.refused(
                "push", "--quiet", "there", f"{self._commit(missing, parent)}:refs/heads/{self._branch}"
            )
            if not refused:
                self._known = None
                return len(missing)
            if self._look() == parent and "lock" not in refused:
                raise self._git.problem("pushed to", refused)
            time.sleep(secrets.randbelow(50 * (attempt + 1)) / 1000)
        raise self._git.problem(f"pushed to: others were faster {_TRIES} times", refused)

    def _files(self) -> dict[str, str]:
        """The blob of every file of ours by its name, as of the last look."""
        if self._known is None:
            self._tip = self._look()
            if self._tip is not None:
                self._tip = self._fetch(self._git, "there", "--filter=blob:none")
            self._known = self._listed() if self._tip is not None else {}
        return self._known

    def _look(self) -> str | None:
        """The commit that the branch is at now; None where there is no such branch."""
        lines = self._git.do("ls-remote", "--heads", "there", f"refs/heads/{self._branch}", done="reached").decode().split()
        return lines[0] if lines else None

    def _fetched(self) -> Git:
        """A repository with the contents of all files that were seen."""
        if self._contents is None:
            self._contents = Git(self._scratch / "contents", where=self.where)
            self._fetch(self._contents, self._url)
        return self._contents

    def _fetch(self, git: Git, url: str, *options: str) -> str:
        wanted = f"+refs/heads/{self._branch}:{_KEPT}"
        git.do("fetch", "--quiet", "--no-tags", "--depth=1", *options, url, wanted, done="read")
        return git.word("rev-parse", _KEPT)

    def _listed(self) -> dict[str, str]:
        listed = self._git.do("ls-tree", "-r", "-z", "--full-tree", _KEPT).decode("utf-8", "replace")
        found: dict[str, str] = {}
        for line in listed.split("\0")[:-1]:
            about, _, name = line.partition("\t")
            mode, _, blob = about.split()
            if mode == "100644" and (is_name(name) or name == _MARKER):
                found[name] = blob
        if found.pop(_MARKER, "") != self._readme:
            raise HistoryProblem(
                f"{self.where} is a branch that holds something else than a history",
                hint=f"name one that does not exist yet, such as #{BRANCH}",
            )
        return found

    def _commit(self, files: Mapping[str, str], parent: str | None) -> str:
        """A commit with these blobs on top of what is there; its contents need not be here."""
        self._git.do("read-tree", *([parent] if parent else ["--empty"]))
        lines = "".join(f"100644 {blob}\t{name}\n" for name, blob in sorted({**files, _MARKER: self._readme}.items()))
        self._git.do("update-index", "--add", "--index-info", data=lines.encode())
        tree = self._git.word("write-tree", "--missing-ok")
        message = f"{len(files)} more file{'' if len(files) == 1 else 's'} of history"
        return self._git.word("commit-tree", tree, *(["-p", parent] if parent else []), "-m", message)
