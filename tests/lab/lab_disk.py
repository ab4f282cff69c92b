"""A small disk of one's own, that can be filled: a tmpfs in a mount namespace of its own. Needs root."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lab_runs import Corner, LabRun

from meshkit_chaos.journal.store import JOURNAL


class SmallDisk:
    """A disk in a mount namespace of its own, kept alive by one process; ``seen`` is how it looks from outside."""

    def __init__(self, folder: Path, *, size: str = "640k", files: int = 1000) -> None:
        folder.mkdir()
        mount = f'mount -t tmpfs -o size={size},nr_inodes={files} lab "{folder}" && echo there && exec sleep 600'
        self._keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", mount], stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        self.mounted = self._keeper.stdout.readline() == b"there\n"
        self.folder = folder
        self.seen = Path(f"/proc/{self._keeper.pid}/root{folder}")

    @property
    def inside(self) -> tuple[str, ...]:
        """The words that start a command where the disk is."""
        return ("nsenter", "-m", "-t", str(self._keeper.pid), "--")

    def run(self, corner: Corner, scenario: str, *arguments: str) -> LabRun:
        file = str(corner.folder / "chaos-scenarios.yaml")
        words = ("run", scenario, "--file", file, "--out", str(self.folder / "out"), *arguments)
        return corner.start(*words, scenario=scenario, out=self.seen / "out", within=self.inside)

    def fill(self) -> None:
        """Write until not one byte more fits, also where somebody gives space back meanwhile."""
        while True:
            with (self.seen / "filler").open("ab", buffering=0) as filler:
                for size in (65536, 4096, 512, 1):
                    with contextlib.suppress(OSError):
                        while filler.write(b"x" * size):
                            pass
            try:
                with (self.seen / "more").open("wb", buffering=0) as more:
                    more.write(b"x")
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return

    def fill_with_files(self) -> None:
        """Take the last byte, and the last inode besides: not even an empty file can be made any more."""
        self.fill()
        with contextlib.suppress(OSError):
            for number in itertools.count():
                (self.seen / f"empty-{number}").touch()

    def refuse_writing(self, run: LabRun) -> None:
        """Whoever opens the journal from now on finds it read-only; the one that has it open does not notice."""
        journal = str(self.folder / run.folder.relative_to(self.seen) / JOURNAL)
        for words in (["--bind", journal, journal], ["-o", "remount,bind,ro", journal]):
            subprocess.run([*self.inside, "mount", *words], check=True)

    def leave(self, space: int) -> None:
        """Give so many bytes back."""
        os.truncate(self.seen / "filler", (self.seen / "filler").stat().st_size - space)

    def free(self) -> None:
        (self.seen / "filler").unlink(missing_ok=True)

    def close(self) -> None:
        self._keeper.kill()
        self._keeper.wait()
        assert self._keeper.stdout is not None
        self._keeper.stdout.close()


def small_disk(folder: Path, *, size: str = "640k") -> SmallDisk:
    """A disk, mounted at ``folder``; the test is skipped where a machine does not allow one."""
    missing = [name for name in ("unshare", "nsenter", "mount") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"a disk of its own needs root{' and ' + ', '.join(missing) if missing else ''}")
    small = SmallDisk(folder, size=size)
    if not small.mounted:
        small.close()
        pytest.skip("a disk of its own needs mount namespaces and tmpfs, which this machine does not allow")
    return small
