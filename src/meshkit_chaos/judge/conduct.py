"""How a run went, apart from its objectives: its outcome, steps that are missing, members that died by themselves.

Takes a record; gives findings about ``outcome``. A run that was cut short for whatever reason is at best inconclusive, because
what it did not do or watch cannot speak for the mesh; its objectives can still fail.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.phrases import counted, listed
from meshkit_chaos.judge.verdict import Finding, OutcomeName
from meshkit_chaos.plan.model import AdjustNode, HoldNode, InjectNode, Node, RevertNode, UntilNode


def outcome_of(record: Record) -> OutcomeName:
    """The outcome that the last line states; crashed where it is not ``run.finished``."""
    last = record.entries[-1].event if record.entries else None
    return last.outcome if isinstance(last, ev.RunFinished) else "crashed"


def judge_outcome(record: Record) -> Finding:
    """Whether the run came to its end by itself, and what stopped it where it did not."""
    outcome = outcome_of(record)
    stops = list(_stops(record))
    evidence = tuple(seq for seq, _ in stops)
    if outcome == "completed" and not stops:
        return Finding(about="outcome", id="completed", verdict="pass", sentence="the run completed", evidence=_last(record))
    reason = listed(dict.fromkeys(_reasons(record) or (sentence for _, sentence in stops)))
    told = {"crashed": "the run crashed: its journal has no end", "aborted": "the run was aborted"}.get(
        outcome, "the run says that it completed, and yet it was disturbed"
    )
    sentence = f"{told} ({reason})" if reason else told
    return Finding(
        about="outcome", id="completed", verdict="inconclusive", sentence=sentence, evidence=evidence or _last(record)
    )


def _reasons(record: Record) -> list[str]:
    """The reasons of the decision to abort, which sum up what led to it; and who took over after it."""
    aborts = [event.reason for _, event in record.of(ev.AbortDecided)]
    takeovers = [f"the {event.writer} took over: {event.reason}" for _, event in record.of(ev.WriterChanged)]
    return aborts + takeovers if aborts else []


def _last(record: Record) -> tuple[int, ...]:
    return (record.entries[-1].seq,) if record.entries else ()


def _stops(record: Record) -> Iterator[tuple[int, str]]:  # one case an event kind reads best
    """Everything that stops a run, with where the journal says so."""
    for entry in record.entries:
        match entry.event:
            case ev.SignalReceived() as event:
                yield entry.seq, f"{event.signal} received"
            case ev.GuardTripped() as event:
                yield entry.seq, f"guard rail on {event.indicator}: {event.detail}"
            case ev.WatchdogDied():
                yield entry.seq, "the watchdog died"
            case ev.WriterChanged() as event:
                yield entry.seq, f"the {event.writer} took over: {event.reason}"
            case ev.AbortDecided() as event:
                yield entry.seq, event.reason
            case ev.RunFinished() if entry is not record.entries[-1]:
                yield entry.seq, "the journal goes on after its end"
            case _:
                continue


def judge_steps(record: Record) -> Iterator[Finding]:
    """Whether a run that says it completed did every planned step; of other runs the outcome says enough."""
    if record.started is None or outcome_of(record) != "completed":
        return
    done = _done(record)
    missing = [node for node in record.started.plan.nodes if node.id not in done and not isinstance(node, InjectNode)]
    if missing:
        steps = listed(node.id for node in missing)
        yield Finding(
            about="outcome",
            id="steps-done",
            verdict="inconclusive",
            sentence=f"{counted(len(missing), 'planned step')} never ended, in a run that says it completed: {steps}",
        )


def _done(record: Record) -> set[str]:
    """The nodes that ended as planned. A condition that was not met ends its step only where the plan says to go on."""
    assert record.started is not None
    nodes: dict[str, Node] = {node.id: node for node in record.started.plan.nodes}
    ended = {event.node for _, event in record.of(ev.HoldDone) if isinstance(nodes.get(event.node), HoldNode)}
    for _, event in record.of(ev.ConditionDone):
        node = nodes.get(event.node)
        if isinstance(node, UntilNode) and (event.met or node.or_go_on):
            ended.add(node.id)
    reverted = {event.node for _, event in record.of(ev.RevertDone)}
    ended |= {event.node for _, event in record.of(ev.AdjustDone) if isinstance(nodes.get(event.node), AdjustNode)}
    return ended | {node.id for node in nodes.values() if isinstance(node, RevertNode) and node.injection in reverted}


def judge_deaths(record: Record) -> Iterator[Finding]:
    """Members that ended although no fault held them.

    Inconclusive, not invalid: a fault elsewhere in the mesh may well have killed them, so it is no broken assumption. Not a
    pass: the mesh was not only under the planned fault. And no fail by itself: whether service suffered, the objectives say.
    """
    for entry, event in record.of(ev.MemberDied):
        yield Finding(
            about="outcome",
            id=f"member-died-{event.member}",
            verdict="inconclusive",
            sentence=f"{event.member} ended by itself, held by no fault: {event.detail}",
            hint=f"see the log of {event.member}",
            evidence=(entry.seq,),
        )


def judge_problems(record: Record) -> Iterator[Finding]:
    """What misbehaved on our side while the run went on: shown, not judged, because what it cost is unknown in its place."""
    for entry, event in record.of(ev.ProblemNoted):
        yield Finding(
            about="outcome",
            id=f"problem-{entry.seq}",
            verdict="inconclusive",
            sentence=f"{event.where}: {event.message}",
            evidence=(entry.seq,),
            informational=True,
        )
