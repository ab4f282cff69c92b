"""A standing environment of the simplest real members: each listens on a port and never answers. Starts within moments."""

from __future__ import annotations

import sys

from virtual_runs import scenario_text

LISTEN = "import socket, sys, time; kept = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
LISTENERS = f"""
version: 1
name: listeners
kind: process
members: {{count: 3, name: "node-${{index}}"}}
ports: [main]
command: [{sys.executable}, -I, -S, -c, "{LISTEN}", "${{member.port.main}}"]
ready: {{tcp: {{address: "${{member.host}}:${{member.port.main}}"}}, within: 10s}}
"""
INDICATORS = """
version: 1
environment: lab.yaml
indicators:
  all-there:
    probe:
      tcp: {address: "${member.host}:${member.port.main}"}
      every: 100ms
      timeout: 100ms
      need: all
"""
HEAD = """
id: one-killed
title: A killed member comes back
steady_state: {for: 300ms, indicators: [all-there]}
rollback: {within: 5s, verify: [all-there]}
timeout: 30s
"""
STEPS = "[{fault: kill, id: it, target: {names: [node-2]}, hold: 400ms}]"
OBJECTIVES = "[{recover: all-there, within: 3s, settle: 200ms}]"


def one_killed(*, within: str = "3s", more: str = "") -> str:
    """A document whose one scenario kills node-2 for a moment."""
    objectives = OBJECTIVES.replace("3s", within)
    return f"{INDICATORS.strip()}\nscenarios:\n{scenario_text(steps=STEPS, objectives=objectives, head=HEAD, more=more)}"
