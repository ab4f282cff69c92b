"""A server that speaks HTTP/1 to 3 and a client that prefers HTTP/3: without UDP it goes back to HTTP/2, and on again after."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
from test_lab_network import possible  # noqa: F401  # the fixture

from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.faults import CATALOGUE, Aim
from meshkit_chaos.run.acting import differences, undo
from meshkit_chaos.scenario.load import load_environment
from meshkit_chaos.slo import Duration

CADDYFILE = """
{
	admin off
	auto_https disable_redirects
	skip_install_trust
}
https://localhost:{$PORT} {
	bind {$ADDRESS}
	tls internal
	respond "ok"
}
"""
SERVER = """
version: 1
name: http3
kind: process
network: isolated
members: [{{name: edge}}]
ports: [https]
command: ["{caddy}", run, --config, "{caddyfile}", --adapter, caddyfile]
env:
  ADDRESS: ${{member.host}}
  PORT: ${{member.port.https}}
  HOME: ${{member.dir}}
  XDG_DATA_HOME: ${{member.dir}}
  XDG_CONFIG_HOME: ${{member.dir}}
joined: {{host: {{item: "${{member.host}}"}}, port: {{item: "${{member.port.https}}"}}}}
ready: {{tcp: {{address: "${{member.host}}:${{member.port.https}}"}}, within: 30s}}
clients:
  - {{name: browser, command: ["{python}", "{browser}", "${{joined.host}}", "${{joined.port}}"]}}
"""
_WITHIN_S = 20.0


def needed(caddy: str | None) -> str:
    missing = [name for name in ("aioquic", "h2") if importlib.util.find_spec(name) is None] + ([] if caddy else ["caddy"])
    if missing or caddy is None:
        pytest.skip(f"needs {', '.join(missing)}: make .venv/.ci")
    return caddy


def answers(log: Path) -> list[str]:
    """By which version each request was answered; whatever else the client's libraries say is left out."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("answer ") for line in lines if line.startswith("answer ")]


async def until_answers(log: Path, version: str) -> None:
    """Wait until the last three answers came so."""
    last: list[str] = []
    for _ in range(round(_WITHIN_S / 0.05)):
        last = answers(log)[-3:]
        if last == [version] * 3:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"answers did not come by {version} within {_WITHIN_S:g} s; the last ones: {last}")


@pytest.mark.slow
@pytest.mark.lab
def test_http3_falls_back_while_udp_is_blocked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    possible: None,  # noqa: F811  # the fixture
) -> None:
    """The fault is felt by real programs: HTTP/3 is gone while it is held, service goes on, and HTTP/3 comes back."""
    caddy = needed(shutil.which("caddy", path=str(Path(sys.executable).parent)) or shutil.which("caddy"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "Caddyfile").write_text(CADDYFILE, encoding="utf-8")
    browser = Path(__file__).with_name("http3_browser.py")
    text = SERVER.format(caddy=caddy, caddyfile=tmp_path / "Caddyfile", python=sys.executable, browser=browser)
    described = load_environment(text.encode(), path="http3.yaml").value
    assert described is not None
    environment = ProcessEnvironment.planned(
        tmp_path / "environment", described, environment_id="http3", marker=ulid(SystemClock()), given={}
    )

    async def work() -> None:
        try:
            await environment.deploy()
            log = Path(environment.data_folder) / "browser" / "browser.log"
            await until_answers(log, "HTTP/3")
            before = await environment.observe()
            fault = CATALOGUE["udp-blocked"]
            aim = Aim(
                node="silent",
                targets=("edge",),
                members=("edge",),
                clients=("browser",),
                parameters=fault.completed({}),
                lasting=Duration.parse("1m"),
            )
            for call in fault.inject(aim):
                await environment.pull(call)
            await until_answers(log, "HTTP/2")
            held = await environment.observe()
            assert fault.effect(aim, "edge", before, held) is None
            assert fault.toll is not None
            assert fault.toll(aim, "edge", before, held) is None
            assert await undo(environment, fault.revert(aim), 5 * 10**9) == ""
            await until_answers(log, "HTTP/3")
            assert differences(before, await environment.observe()) == ()
        finally:
            assert await environment.teardown() == ()
            await environment.close()

    asyncio.run(work())
