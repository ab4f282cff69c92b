"""Who may make a network: a user without privileges in a user namespace, and nobody without the device, who is told so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
LAB = """
import asyncio, os, sys
from pathlib import Path
from meshkit_chaos.faults import LinkPolicy, Shape
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.scenario.environment import Network
from meshkit_chaos.slo import Duration

CALL = "import socket; socket.create_connection(('b', 7000), 2)"
SAME = f"import os, sys; sys.exit(os.geteuid() != {os.geteuid()})"
CUT = Shape(member="a", towards=("b",), policy=LinkPolicy(cut=True), layer="x", lasting=Duration.parse("60s"))

async def inside(lab, script):
    async with lab.way_in("a") as way:
        words = (*way.words, sys.executable, sys.executable, "-c", script)
        process = await asyncio.create_subprocess_exec(*words, pass_fds=way.descriptors)
    return await process.wait()

async def work():
    lab = Lab(Path(sys.argv[1]), {"a": "10.0.0.1", "b": "10.0.0.2"})
    process, ready = await lab.start(Network(), variables={})
    try:
        listener = await lab.door("b")
        listener.bind(("0.0.0.0", 7000))
        listener.listen()
        reached = await inside(lab, CALL)
        await lab.change(CUT)
        print(ready.user, reached, await inside(lab, CALL), await inside(lab, SAME))
    finally:
        process.kill()
        process.wait()

asyncio.run(work())
"""
WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set=-sys_admin,-net_admin,-net_raw", "--inh-caps=-all")
WITHOUT_DEVICE = ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null /dev/net/tun && exec "$@"', "sh")


def run(*words: str, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*without, sys.executable, *words], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.slow
def test_without_privileges_a_user_namespace_does(possible: None, tmp_path: Path) -> None:
    """Members are reached, cut off and still this user's, as where root makes the network."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (util-linux), to do without root's privileges")
    done = run("-c", LAB, str(tmp_path), without=WITHOUT_PRIVILEGES if os.geteuid() == 0 else ())
    assert done.returncode == 0, done.stderr
    user, reached, cut_off, same_user = done.stdout.split()
    assert (user, reached, same_user) == ("True", "0", "0")
    assert cut_off != "0"


@pytest.mark.slow
def test_doctor_says_whether_members_can_have_a_network(possible: None) -> None:
    """Where it is possible, in which way; where it is not, what is missing. It is never a failure of the machine."""
    assert "links can be shaped (userspace)" in told_by_doctor()
    if os.geteuid() == 0:
        told = told_by_doctor(without=WITHOUT_DEVICE)
        assert "not possible here" in told
        assert "modprobe tun" in told


def told_by_doctor(*, without: tuple[str, ...] = ()) -> str:
    done = run("-m", "meshkit_chaos", "doctor", "--format", "json", without=without)
    (finding,) = [one for one in json.loads(done.stdout) if one["what"] == "network of members"]
    assert finding["ok"]
    return str(finding["detail"])
