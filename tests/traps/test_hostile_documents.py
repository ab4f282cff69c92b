"""Trap 26: documents made to hurt. Each is refused with its place, within a second and 200 MB."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from virtual_runs import ENVIRONMENT, document

BYTES = 200 * 2**20
ALIASES = "\n".join(f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 12))


def bomb() -> bytes:
    return f"a0: &a0 [x, x]\n{ALIASES}\n".encode()


def huge() -> bytes:
    return document().encode() + b"# padding\n" * (10 * 2**20)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "alias bomb": bomb,
    "10,000 deep, flow": lambda: b"a: " + b"[" * 10_000 + b"]" * 10_000,
    "10,000 deep, flow, open": lambda: b"{a: " * 10_000,
    "10,000 deep, block": lambda: b"\n".join(b" " * depth + b"a:" for depth in range(10_000)),
    "duplicate key": lambda: document().replace("timeout: 60s", "timeout: 60s\n    timeout: 90s").encode(),
    "python tag": lambda: b"version: !!python/object/apply:os.system ['touch pwned']\n",
    "custom tag": lambda: b"version: !secret x\n",
    "100 MB": huge,
    "not UTF-8": lambda: document().replace("A killed leader", "A killed l\xe4der").encode("latin-1"),
    "UTF-16": lambda: document().encode("utf-16"),
    "nothing but noughts": lambda: b"\0" * 4096,
    "100,000 keys": lambda: b"".join(b"k%d: 1\n" % number for number in range(100_000)),
    "one long line": lambda: b"title: " + b"x" * (2**21 - 100),
    "many documents": lambda: b"---\na: 1\n" * 1000,
    "merge key": lambda: b"a: &a {x: 1}\nb:\n  <<: *a\n",
    "recursive alias": lambda: b"a: &a [*a]\n",
    "empty": lambda: b"",
    "a number that is too big": lambda: document().replace("version: 1", "version: " + "9" * 4000).encode(),
    "expensive text": lambda: b'a: "' + b"\\x41" * 200_000 + b'"',
}


def limits() -> None:
    """Twice the address space, because Python's own mappings are in it; resident memory is measured besides."""
    resource.setrlimit(resource.RLIMIT_AS, (2 * BYTES, 2 * BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


PROBE = """
import json, sys, time
from meshkit_chaos.cli import app, collect_rarely
import meshkit_chaos.cli.documents, meshkit_chaos.scenario.load, meshkit_chaos.cli.run
collect_rarely()
before = time.process_time()
code = app.run(sys.argv[1:])
spent = time.process_time() - before
# not ru_maxrss: that outlives exec, and would be the peak of the test process that forked this one
kilobytes = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
print("\\nMEASURED " + json.dumps([code, spent, kilobytes]), file=sys.stderr)
"""


@pytest.fixture(params=sorted(HOSTILE))
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "chaos-scenarios.yaml"
    file.write_bytes(HOSTILE[request.param]())
    (tmp_path / "lab.yaml").write_text(ENVIRONMENT, encoding="utf-8")
    yield file
    file.unlink()


def linted(document: Path) -> tuple[str, tuple[int, float, int]]:
    """What lint said in a process of its own; its exit code, seconds of computing and kilobytes at most."""
    process = subprocess.run(
        [sys.executable, "-c", PROBE, "lint", str(document)],
        cwd=document.parent,
        preexec_fn=limits,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    said = process.stdout.decode() + process.stderr.decode()
    measured = said.rpartition("MEASURED ")[2]
    assert measured.startswith("["), said[-2000:]
    code, seconds, kilobytes = json.loads(measured)
    return said, (code, seconds, kilobytes)


def test_trap_26_hostile_document(hostile: Path) -> None:
    """Refused with file and place, exit 4, in a second and 200 MB; nothing in it was executed."""
    spent = []
    while len(spent) < 3 and min(spent, default=1.0) >= 1:  # twice more may show that it was the machine
        said, (code, seconds, kilobytes) = linted(hostile)
        spent.append(seconds)
    assert code == 4, said[-2000:]
    assert min(spent) < 1
    assert kilobytes * 1024 < BYTES
    assert f"{hostile.name}:" in said, said[:2000]
    assert "Traceback" not in said
    assert len(said) < 100_000, "a hostile document does not flood the terminal either"
    assert not (hostile.parent / "pwned").exists()
