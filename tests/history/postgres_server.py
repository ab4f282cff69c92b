"""A real PostgreSQL for a test: a cluster of its own in a temporary folder, on a socket there, run by a user without rights."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def programs() -> Path | None:
    """Where the newest installed server's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A URL to put a database's name and more behind; everything is gone afterwards."""
    where = programs()
    if where is None:
        pytest.skip("no PostgreSQL server: apt package postgresql")
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.getuid() == 0:
        shutil.chown(folder, user)
    as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    data = folder / "data"
    try:
        subprocess.run(
            [where / "initdb", "--pgdata", data, "--username", "chaos", "--auth", "trust", "--encoding", "UTF8", "--no-sync"],
            check=True, capture_output=True, cwd=folder, env=environment, timeout=60, **as_user,  # type: ignore[call-overload]  # the dict is of one kind or empty
        )  # fmt: skip
        with _answering(where, data, folder, environment=environment, as_user=as_user) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def standby(url: str) -> Iterator[str]:
    """The URL of a replica of that server, which follows it and only reads."""
    where, folder = programs(), Path(url.rpartition("=")[2])
    assert where is not None, "its server runs"
    own, user = folder / "standby", pwd.getpwuid(folder.stat().st_uid)
    as_user = {"user": user.pw_name, "group": user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    copied = [where / "pg_basebackup", "-h", folder, "-U", "chaos", "-D", own / "data", "-R", "-X", "stream", "--no-sync"]
    subprocess.run(
        [*copied, "-c", "fast"],
        check=True, capture_output=True, cwd=folder, env=environment, timeout=60, **as_user,  # type: ignore[call-overload]  # as above
    )  # fmt: skip
    with _answering(where, own / "data", own, environment=environment, as_user=as_user) as copy:
        yield copy


@contextlib.contextmanager
def _answering(
    where: Path, data: Path, sockets: Path, *, environment: dict[str, str], as_user: dict[str, object]
) -> Iterator[str]:
    """The URL of a server over such data, while it runs."""
    settings = {"listen_addresses": "", "unix_socket_directories": sockets, "max_connections": 300, "fsync": "off"}
    given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = subprocess.Popen(
        [where / "postgres", "-D", data, *given],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=sockets, env=environment, **as_user,  # type: ignore[call-overload]  # as above
    )  # fmt: skip
    try:
        wait_until_ready(where, sockets)
        yield f"postgresql://chaos@/postgres?host={sockets}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def caught_up(url: str, copy: str) -> None:
    """Wait until a replica has all that its server has written."""
    where = programs()
    assert where is not None, "their servers run"

    def said(of: str, query: str) -> str:
        asked = [where / "psql", "-qAt", of, "-c", query]
        return subprocess.run(asked, check=True, capture_output=True, text=True, timeout=30).stdout.strip()

    written = said(url, "SELECT pg_current_wal_flush_lsn()")
    for _ in range(100):
        if said(copy, f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == "t":
            return
        subprocess.run(["sleep", "0.05"], check=False, timeout=5)
    raise AssertionError("the replica did not follow")


def wait_until_ready(where: Path, folder: Path) -> None:
    """pg_isready asks again by itself until the server answers."""
    for _ in range(30):
        asked = [where / "pg_isready", "--host", folder, "--timeout", "1"]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["sleep", "0.3"], check=False, timeout=5)
    raise AssertionError("PostgreSQL did not come up")
