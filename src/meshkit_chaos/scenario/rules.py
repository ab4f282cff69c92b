"""Every rule of ``lint``, by its id: what it holds, why, and an example of each kind.

The table is data: a command and the documentation print it, and the tests hold a document that breaks each rule.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from msgspec import Struct

from meshkit_chaos.errors import Severity


class Rule(Struct, frozen=True, kw_only=True):
    """``severity`` is the usual one; where a rule has both, the text of the reason says when."""

    id: str
    name: str
    reason: str
    bad: str
    good: str
    severity: Severity = "error"


_TABLE: Final = (
    Rule(
        id="MC001", name="yaml-syntax", reason="What cannot be read cannot be run.",
        bad="good: >= 1", good='good: ">= 1"',
    ),
    Rule(
        id="MC002", name="duplicate-key", reason="Readers would take one of the two, and not all the same one.",
        bad="timeout: 2m\ntimeout: 5m", good="timeout: 2m",
    ),
    Rule(
        id="MC003", name="yaml-feature",
        reason="Tags, merge keys, keys that are not texts, dangling aliases and several documents change what a reader sees.",
        bad="<<: *defaults", good="defaults: {owner: mesh-team}",
    ),
    Rule(
        id="MC004", name="document-limit",
        reason="A document is read within a second and 200 MB, whoever wrote it: 2 MB, 50 levels, 200,000 values, "
        "10,000 of them by alias.",
        bad="a: &a [x, x]\nb: [*a, *a]  # and so on", good="b: [x, x]",
    ),
    Rule(
        id="MC005", name="characters", reason="A document is UTF-8 and shows all that it holds.",
        bad="title: a\\x00b  # the character itself", good="title: ab",
    ),
    Rule(
        id="MC006", name="number", reason="Not-a-number, infinity and numbers beyond 64 bits compare with nothing.",
        bad="count: .inf", good="count: 3",
    ),
    Rule(
        id="MC007", name="no-value", reason="A key without a value is usually an unfinished thought or a slip of indentation.",
        bad="objectives:", good="objectives:\n  - converge: one-leader\n    within: 5s",
    ),
    Rule(
        id="MC011", name="unknown-key", reason="A misspelt section that is silently ignored is a check that never ran.",
        bad="roolback: {within: 20s}", good="rollback: {within: 20s}",
    ),
    Rule(
        id="MC012", name="missing-key", reason="The grammar needs it.",
        bad="- converge: one-leader", good="- converge: one-leader\n  within: 5s",
    ),
    Rule(
        id="MC013", name="wrong-kind", reason="A text, a number, a list and a mapping mean different things.",
        bad="command: etcd --name a", good="command: [etcd, --name, a]",
    ),
    Rule(
        id="MC014", name="wrong-value", reason="Only the listed values, or those within the limits, mean anything.",
        bad="severity: hihg", good="severity: high",
    ),
    Rule(
        id="MC015", name="quantity", reason="A number without its unit is a guess.",
        bad="within: 5", good="within: 5s",
    ),
    Rule(
        id="MC016", name="name", reason="Names become folders, labels and parts of commands.",
        bad="id: Leader Killed!", good="id: leader-killed",
    ),
    Rule(
        id="MC101", name="unknown-indicator", reason="A reference to nothing would never be measured.",
        bad="- converge: one-leder", good="- converge: one-leader",
    ),
    Rule(
        id="MC102", name="unknown-step",
        reason="`after` names the fault step that an objective counts from; `revert` a fault that is still held.",
        bad="- revert: leader-deis", good="- revert: leader-dies",
    ),
    Rule(
        id="MC103", name="promql", reason="A query outside the documented subset is refused, never approximated.",
        bad="promql: sum(up", good="promql: sum(up)",
    ),
    Rule(
        id="MC104", name="unknown-metric", reason="A misspelt metric has no samples, and no samples are no evidence.",
        bad="promql: sum(etcd_server_is_leadr)", good="promql: sum(etcd_server_is_leader)",
    ),
    Rule(
        id="MC105", name="cannot-fail",
        reason="A query whose value can never be bad, or never good, decides nothing: a comparison that filters removes "
        "the very value that would be bad.",
        bad="promql: sum(up) == 3", good='promql: sum(up)\ngood: "== 3"',
    ),
    Rule(
        id="MC106", name="window-hides-recovery",
        reason="A range window shows the past: a query over W cannot see recovery faster than W. Over a quarter of the limit "
        "it is an error in `converge` and `recover`; in `stay` it is a warning.",
        bad="promql: rate(errors_total[5m])  # in an objective with within: 30s", good="promql: rate(errors_total[5s])",
    ),
    Rule(
        id="MC107", name="limit-under-two-rounds", reason="A time shorter than two rounds cannot be told from none.",
        bad="within: 200ms  # rounds of 200ms", good="within: 2s",
    ),
    Rule(
        id="MC108", name="no-objectives", reason="Where nothing is demanded, nothing can pass.",
        bad="objectives: []", good="objectives:\n  - converge: one-leader\n    within: 5s",
    ),
    Rule(
        id="MC109", name="no-fault", reason="Without a fault nothing is tested but the weather.",
        bad="steps:\n  - wait: 5s", good="steps:\n  - fault: kill\n    target: {role: leader}\n    hold: 4s",
    ),
    Rule(
        id="MC110", name="duplicate-name", reason="Two things of one name cannot be told apart in a report.",
        bad="- converge: one-leader\n- converge: one-leader",
        good="- converge: one-leader\n- converge: one-leader\n  id: again",
    ),
    Rule(
        id="MC111", name="blast-radius",
        reason="More members would be under a fault than the scenario itself allows. Where that depends on how faults that "
        "overlap are drawn, it is a warning.",
        bad="target: {count: 2}  # of three, without blast_radius", good="target: {count: 2}\nblast_radius: {members: 2}",
    ),
    Rule(
        id="MC112", name="event-needs-counter",
        reason="The increase of a counter is taken from its own samples, not from a query's.",
        bad="promql: sum(changes_total)\nkind: event", good="promql: changes_total\nkind: event",
    ),
    Rule(
        id="MC113", name="no-band", reason="Without a band no value is good or bad.",
        bad="one-leader: {promql: sum(is_leader)}", good='one-leader: {promql: sum(is_leader), good: "== 1"}',
    ),
    Rule(
        id="MC114", name="unused-indicator", severity="warning",
        reason="An indicator that no scenario uses is measured by nobody.",
        bad='indicators: {unused: {promql: sum(up), good: "== 3"}}', good="objectives:\n  - stay: unused",
    ),
    Rule(
        id="MC115", name="several-series", severity="warning",
        reason="An indicator is one number; a query that may give several series is unknown whenever it does.",
        bad="promql: etcd_server_is_leader", good="promql: sum(etcd_server_is_leader)",
    ),
    Rule(
        id="MC116", name="template", reason="A template that nothing fills would be used as it stands.",
        bad="url: http://${member.hots}/", good="url: http://${member.host}/",
    ),
    Rule(
        id="MC117", name="fault", reason="Only the faults of the catalogue, with their own parameters, can be injected.",
        bad="- fault: kil", good="- fault: kill",
    ),
    Rule(
        id="MC118", name="target", reason="A fault that hits nothing proves nothing.",
        bad="target: {role: leeder}", good="target: {role: leader}",
    ),
    Rule(
        id="MC119", name="probe-schedule", reason="Starting a program takes too long to be done more often than once a second.",
        bad="probe: {command: [check], every: 100ms}", good="probe: {command: [check], every: 1s}",
    ),
    Rule(
        id="MC120", name="no-steady-state", reason="Without knowing what normal is, no disturbance can be told from it.",
        bad="- id: a  # without steady_state", good="steady_state: {for: 2s, indicators: [one-leader]}",
    ),
    Rule(
        id="MC121", name="unsafe-path", reason="Files are kept from below a member's own folder only.",
        bad="logs: [../../etc/passwd]", good="logs: [data/extra.log]",
    ),
    Rule(
        id="MC122", name="environment",
        reason="Each kind of environment has keys of its own: processes need a command, an attached mesh levers and `observe`, "
        "and only a simulated mesh does as it is told.",
        bad="kind: process\nsimulated: {election: 1s}", good="kind: simulated\nsimulated: {election: 1s}",
    ),
    Rule(
        id="MC123", name="repeats", reason="The failure that decides must be among the runs.",
        bad="repeats: {up_to: 2, fail_at: 3}", good="repeats: {up_to: 3, fail_at: 2}",
    ),
    Rule(
        id="MC124", name="timeout", reason="A run that cannot finish in its own time always ends aborted.",
        bad="timeout: 10s  # with hold: 30s", good="timeout: 2m",
    ),
    Rule(
        id="MC125", name="hold", severity="warning",
        reason="A fault that is over once injected has nothing to hold or to revert; one that goes from member to member has.",
        bad="- fault: restart\n  hold: 5s", good="- fault: restart",
    ),
    Rule(
        id="MC126", name="address", reason="What is asked over HTTP needs an address that says so.",
        bad="url: localhost:2379/health", good="url: http://localhost:2379/health",
    ),
    Rule(
        id="MC127", name="rounds", reason="A scrape that outlasts its round would answer in the next one.",
        bad="metrics: {every: 200ms, timeout: 1s}", good="metrics: {every: 200ms, timeout: 200ms}",
    ),
    Rule(
        id="MC128", name="levers",
        reason="What cannot be undone is not done, and what cannot be seen to bite proves nothing.",
        bad="levers:\n  kill: {do: [docker, kill, x], undo_with: start}  # and no start",
        good="levers:\n  kill: {do: [docker, kill, x], undo_with: start}\n  start: {do: [docker, start, x]}",
    ),
    Rule(
        id="MC129", name="secrets",
        reason="A secret's value must reach no record, and variables and the address of metrics are recorded.",
        bad='metrics: {url: "http://${secret.USER}@host/metrics"}', good='headers: {Authorization: "Bearer ${secret.TOKEN}"}',
    ),
    Rule(
        id="MC130", name="metric-source",
        reason="Keys of a metric source that say nothing, or say two things, would be ignored in silence.",
        bad='prometheus: {url: "https://prom:9090", every: 1s, tenant: team-a}',
        good='prometheus: {url: "https://mimir/prometheus", every: 1s, flavour: mimir, tenant: team-a}',
    ),
    Rule(
        id="MC131", name="unknown-label",
        reason="A misspelt label or value selects nothing. Checked against what a target or a saved page exports: an unknown "
        "label is an error, a value that is not there now is a warning.",
        bad='promql: sum(my_shards{stat="ok"})', good='promql: sum(my_shards{state="ok"})',
    ),
    Rule(
        id="MC132", name="ramp", reason="A ramp that moves nothing, or nowhere, would only look like one.",
        bad="- fault: latency\n  with: {delay: 10ms}\n  hold: 5s\n  ramp: {parameter: delay, to: 200ms, over: 10s}",
        good="- fault: latency\n  with: {delay: 10ms}\n  hold: 15s\n  ramp: {parameter: delay, to: 200ms, over: 10s}",
    ),
    Rule(
        id="MC133", name="repeat", severity="warning", reason="A schedule that cannot be kept is not the one that is run.",
        bad="- repeat: 3\n  every: 2s\n  steps: [{wait: 5s}]", good="- repeat: 3\n  every: 5s\n  steps: [{wait: 2s}]",
    ),
    Rule(
        id="MC141", name="binary",
        reason="What was verified is what is run. Behind another program, that program is run, and may run anything.",
        bad='command: [nice, "${binary.meshkit}"]', good='command: ["${binary.meshkit}", --port, "7946"]',
    ),
    Rule(
        id="MC201", name="unknown-scenario", reason="A test of a scenario that is not there tests nothing.",
        bad="scenario: leader-kiled", good="scenario: leader-killed",
    ),
    Rule(
        id="MC202", name="unknown-objective", reason="What is expected of an objective that is not there can never come out.",
        bad="expect: {verdict: fail, objective: converge-one-leder}",
        good="expect: {verdict: fail, objective: converge-one-leader}",
    ),
    Rule(
        id="MC203", name="world-metric",
        reason="A world exports only what it is told. A query over anything else is empty there, whatever the scenario is.",
        bad="world: {}  # for a query over my_shards",
        good="world:\n  series:\n    my_shards: {good: 12, bad: 9}",
    ),
    Rule(
        id="MC204", name="world-name", reason="A window about a member, probe or role that is not there changes nothing.",
        bad="scrapes fail: {members: [etdc-1]}", good="scrapes fail: {members: [etcd-1]}",
    ),
    Rule(
        id="MC205", name="world-series", reason="A world's series is one series: a name, and labels given by equality.",
        bad="series: {'sum(my_shards)': {good: 1, bad: 0}}", good="series: {my_shards: {good: 1, bad: 0}}",
    ),
    Rule(
        id="MC206", name="no-expectation", reason="A test that expects nothing cannot fail.",
        bad="expect: {}", good="expect: pass",
    ),
    Rule(
        id="MC301", name="only-shadow", severity="warning",
        reason="A gate in which nothing is blocking reports and never opens.",
        bad="mode: shadow", good="mode: blocking",
    ),
    Rule(
        id="MC302", name="schedule", reason="A nightly that no schedule expects cannot be missed.",
        bad='nightly: {cron: "0 2 * *"}', good='nightly: {cron: "0 2 * * *", grace: 4h}',
    ),
    Rule(
        id="MC303", name="selects-nothing",
        reason="A requirement that says neither scenarios nor tags, modules or a severity would need nothing, or everything.",
        bad="- id: everything", good='- id: everything\n  scenarios: ["*"]\n  at_least: 12',
    ),
    Rule(
        id="MC304", name="blind-comparison",
        reason="With so few runs no result at all, however bad, is significant at the stated rate: the comparison cannot fail.",
        bad="runs: 1  # with regression: on", good="runs: 3",
    ),
    Rule(
        id="MC305", name="baseline",
        reason="What earlier runs a comparison takes must be said once: a key that another one makes pointless is a slip.",
        bad="regression: on  # without `regression:` in the policy", good="regression:\n  baseline: {subject: {branch: main}}",
    ),
    Rule(
        id="MC311", name="override-too-broad",
        reason="An override accepts one number of one objective of one scenario, for one commit or digest, and not for long.",
        bad='scenario: "leader-*"', good="scenario: leader-killed\nobjective: converge-one-leader\naccept: {within: 9s}",
    ),
    Rule(
        id="MC312", name="override-self-approved", reason="Who asks for an exception does not grant it.",
        bad="author: ann\napprover: ann", good="author: ann\napprover: bo",
    ),
    Rule(
        id="MC313", name="override-expired", reason="An exception ends on its day. Gone ones stay in the file as its history.",
        bad='expires: "2020-01-01"  # a warning', good='expires: "2026-12-01"', severity="warning",
    ),
    Rule(
        id="MC314", name="override-renewed",
        reason="The second renewal of one exception is a habit: it needs a second approver, another person again.",
        bad="# a third override of leader-killed, converge-one-leader", good="second_approver: cy",
    ),
    Rule(
        id="MC401", name="without-tls",
        reason="What goes to another machine in the clear can be read on the way, its token included. For mail without a "
        "password it is a warning.",
        bad="jira: {site: http://jira.example.com}", good="jira: {site: https://jira.example.com}",
    ),
    Rule(
        id="MC402", name="unknown-channel", reason="A route to nowhere tells nobody.",
        bad="to: [mesh-caht]", good="to: [mesh-chat]",
    ),
    Rule(
        id="MC403", name="channel", reason="Half a credential, or two of them, cannot be used.",
        bad="user: chaos", good="user: chaos\npassword: {env: SMTP_PASSWORD}",
    ),
    Rule(
        id="MC404", name="unused-channel", severity="warning", reason="A channel that no route names hears nothing.",
        bad="channels: [{id: a, …}, {id: b, …}]\nroutes: [{id: all, to: [a]}]", good="routes: [{id: all, to: [a, b]}]",
    ),
    Rule(
        id="MC405", name="secret-written",
        reason="What stands in a file is known to all who read it, and to its history. Only where a secret is may stand there.",
        bad="token: the-token-itself", good="token: {env: SLACK_TOKEN}",
    ),
    Rule(
        id="MC406", name="unknown-owner", reason="A route for an owner who is misspelt matches nothing.",
        bad="owners: [mesh-taem]", good="owners: [mesh-team]",
    ),
    Rule(
        id="MC407", name="nobody-told", severity="warning",
        reason="First failures, dirty environments, missing nightlies and a blocked gate should reach somebody; a ticket alone "
        "waits until it is looked for.",
        bad="occasions: [summary]  # in the only route", good="occasions: [summary, first-failure, environment-dirty]",
    ),
)  # fmt: skip

RULES: Final = MappingProxyType({rule.id: rule for rule in _TABLE})
