"""The lab's documents: three etcd members with fast elections, and scenarios short enough to be broken off often.

Scrapes are slow and limits are wide for what the mesh can do, so that a busy machine neither loses a round nor misses a limit.
An election may then fit between two rounds, so none has to be seen: what these runs come to is certain, and how fast etcd is,
others measure.
"""

from __future__ import annotations

from pathlib import Path


def write_documents(folder: Path) -> None:
    """Write the lab's scenario file and its environment into a folder."""
    (folder / "etcd-lab.yaml").write_text(ENVIRONMENT, encoding="utf-8")
    (folder / "chaos-scenarios.yaml").write_text(SCENARIOS, encoding="utf-8")


def hurry_documents(folder: Path) -> None:
    """Make deadlines as short as documents can make them: no readiness check, one second for the rollback."""
    environment, scenarios = folder / "etcd-lab.yaml", folder / "chaos-scenarios.yaml"
    text = environment.read_text(encoding="utf-8")
    ready = text[text.index("ready:") : text.index("roles:")]
    environment.write_text(text.replace(ready, ""), encoding="utf-8")
    text = scenarios.read_text(encoding="utf-8").replace("within: 8s, verify", "within: 1s, verify")
    scenarios.write_text(text.replace("hold: 1500ms", "hold: 200ms"), encoding="utf-8")


ENVIRONMENT = """\
version: 1
name: etcd-lab
kind: process
vars: {etcd: etcd}
members: {count: 3, name: "etcd-${index}"}
ports: [client, peer]
command:
  - ${var.etcd}
  - --name=${member.name}
  - --data-dir=${member.dir}/data
  - --listen-client-urls=http://${member.host}:${member.port.client}
  - --advertise-client-urls=http://${member.host}:${member.port.client}
  - --listen-peer-urls=http://${member.host}:${member.port.peer}
  - --initial-advertise-peer-urls=http://${member.host}:${member.port.peer}
  - --initial-cluster=${joined.cluster}
  - --heartbeat-interval=20
  - --election-timeout=200
  - --unsafe-no-fsync
  - --log-level=warn
joined:
  cluster: {item: "${member.name}=http://${member.host}:${member.port.peer}"}
ready:
  http: {url: "http://${member.host}:${member.port.client}/health", path: health, equals: "true"}
  within: 10s
roles:
  leader:
    http:
      method: POST
      url: http://${member.host}:${member.port.client}/v3/maintenance/status
      body: "{}"
      path: leader
      equals_path: header.member_id
metrics: {url: "http://${member.host}:${member.port.client}/metrics", every: 500ms, timeout: 500ms}
"""

SCENARIOS = """\
version: 1
environment: etcd-lab.yaml
defaults:
  steady_state: {for: 1200ms, indicators: [one-leader]}
  rollback: {within: 8s, verify: [one-leader]}
indicators:
  one-leader: {promql: sum(etcd_server_is_leader), good: "== 1"}
scenarios:
  - id: leader-paused
    title: A frozen leader is replaced within four seconds
    prerequisites: [{members: ">= 3"}, {indicator: one-leader, within: 5s}]
    timeout: 30s
    steps: [{fault: pause, id: freeze, target: {role: leader}, hold: 1500ms}]
    objectives: [{converge: one-leader, within: 4s, settle: 1s, disturbance: optional}]
  - id: leader-killed
    title: A killed leader is replaced within four seconds
    prerequisites: [{members: ">= 3"}, {indicator: one-leader, within: 5s}]
    timeout: 30s
    steps: [{fault: kill, id: strike, target: {role: leader}, hold: 1500ms}]
    objectives: [{converge: one-leader, within: 4s, settle: 1s, disturbance: optional}]
  - id: leader-paused-long
    title: A fault that is still in force when something else goes wrong
    timeout: 30s
    steps: [{fault: pause, id: freeze, target: {role: leader}, hold: 20s}]
    objectives: [{converge: one-leader, within: 4s, settle: 1s, disturbance: optional}]
  - id: leader-killed-long
    title: A member that is down when something else goes wrong
    timeout: 30s
    steps: [{fault: kill, id: strike, target: {role: leader}, hold: 20s}]
    objectives: [{converge: one-leader, within: 4s, settle: 1s, disturbance: optional}]
"""
