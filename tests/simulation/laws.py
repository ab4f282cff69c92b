"""What must hold of every run, whatever its world: the rules that nothing may break, each as a check of record against truth.

``broken`` gives every law that a run breaks, in words. The laws read the record's lines and the truth, and nothing of how the
judge or the engine came to what they say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise

from troubles import State, undone
from whole_runs import Simulated

from meshkit_chaos.faults import CATALOGUE, Kill, Pause, Shape, Stop
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import outstanding
from meshkit_chaos.judge import judge
from meshkit_chaos.plan import InjectNode
from meshkit_chaos.slo.codec import encode_pretty

SECOND = 10**9


def broken(run: Simulated) -> list[str]:
    """Every broken law, with its name."""
    return [f"{law.__name__}: {told}" for law in LAWS for told in law(run)]


def the_journal_is_readable(run: Simulated) -> Iterator[str]:
    """Every line stands by itself, seq is dense, instants never go back; only a killed runner leaves a torn line."""
    torn = run.world.death is not None and run.world.death[0] == "torn-write"
    if run.record.damage and not torn:
        yield f"damage: {run.record.damage}"
    lines = (run.folder / "journal.jsonl").read_bytes().splitlines()
    raw = [json.loads(line) for line in (lines[:-1] if torn else lines)]
    if [line["seq"] for line in raw] != list(range(len(raw))):
        yield "seq is not dense"
    if any(later["t"] < earlier["t"] for earlier, later in pairwise(raw)):
        yield "instants go back"


def every_act_was_announced_on_disk(run: Simulated) -> Iterator[str]:
    """No lever is pulled before its intent, with all that undoes it, is synced."""
    yield from run.truth.unannounced


def no_fault_comes_after_an_abort(run: Simulated) -> Iterator[str]:
    """Once an abort was decided no injection is intended any more; and none before the mesh was looked at."""
    aborted = looked = False
    for entry in run.record.entries:
        aborted = aborted or isinstance(entry.event, ev.AbortDecided)
        looked = looked or (isinstance(entry.event, ev.FingerprintTaken) and entry.event.when == "before")
        if isinstance(entry.event, ev.FaultIntended | ev.AdjustIntended) and (aborted or not looked):
            when = "after an abort" if aborted else "before a fingerprint"
            yield f"{entry.event.node} was intended at seq {entry.seq}, {when}"


def every_stop_is_an_abort(run: Simulated) -> Iterator[str]:
    """A signal, a tripped guard rail, a dead watchdog or a lost record ends the run as aborted, if it ends."""
    stops = (ev.SignalReceived, ev.GuardTripped, ev.WatchdogDied, ev.FaultFailed)
    stopped = [entry for entry in run.record.entries if isinstance(entry.event, stops)]
    if (stopped or run.truth.disk_lost) and run.outcome == "completed" and not run.record.crashed:
        yield f"completed in spite of {[type(entry.event).__name__ for entry in stopped] or 'a lost record'}"


def the_blast_radius_is_kept(run: Simulated) -> Iterator[str]:
    """At no moment are more members under a fault than allowed, and none is taken away by two."""
    held: dict[str, tuple[str, ...]] = {}
    taking: set[str] = set()
    for entry in run.record.entries:
        match entry.event:
            case ev.FaultIntended(node=node, members=members, fault=fault):
                held[node] = members
                taking |= {node} if CATALOGUE[fault].silences else set()
            case ev.RevertDone(node=node):
                held.pop(node, None)
            case _:
                continue
        under = [member for members in held.values() for member in members]
        taken = [member for node, members in held.items() if node in taking for member in members]
        if len(set(under)) > run.plan.blast_radius or len(set(taken)) < len(taken):
            yield f"seq {entry.seq}: {under} under a fault, at most {run.plan.blast_radius} allowed"


def every_fault_is_reverted_or_said_to_be_left(run: Simulated) -> Iterator[str]:
    """A run that came to its end has undone each injection, or names it among what is left."""
    if run.outcome is None or run.record.crashed:
        return
    done = {event.node for _, event in run.record.of(ev.RevertDone)}
    failed = {event.node for _, event in run.record.of(ev.RevertFailed)}
    left = {node for _, event in run.record.of(ev.RollbackFinished) for node in event.left}
    for _, intent in run.record.of(ev.FaultIntended):
        if intent.node not in done and intent.node not in left:
            yield f"{intent.node} is neither reverted nor left (reverts failed: {sorted(failed)})"


def rollback_always_runs(run: Simulated) -> Iterator[str]:
    """Whatever ended the run: what was in force then was reverted, or at least tried."""
    if run.outcome is None or run.record.crashed or run.truth.disk_lost:
        return
    tried = {event.node for _, event in run.record.of(ev.RevertIntended)}
    for _, intent in run.record.of(ev.FaultIntended):
        if intent.node not in tried:
            yield f"no revert of {intent.node} was even tried"
    if _in_force_at_abort(run) and not run.record.first(ev.RollbackStarted):
        yield f"an abort while {_in_force_at_abort(run)} were in force, and no rollback"


def _in_force_at_abort(run: Simulated) -> set[str]:
    aborted = run.record.first(ev.AbortDecided)
    if aborted is None:
        return set()
    before = run.record.entries[: aborted[0].seq]
    intended = {entry.event.node for entry in before if isinstance(entry.event, ev.FaultIntended)}
    return intended - {entry.event.node for entry in before if isinstance(entry.event, ev.RevertDone)}


def what_a_death_leaves_can_be_undone(run: Simulated) -> Iterator[str]:
    """Wherever the runner died: undoing what the journal says is in force brings the mesh back to what it was."""
    if not run.truth.dead or run.truth.ended is None or run.truth.before is None or run.truth.disk_lost:
        return
    if run.world.deployed:
        if not run.record.first(ev.DeployIntended):
            yield "it was deployed, and nothing on disk says so"
        return
    calls = [call for window in outstanding(run.record) for call in window.undo]
    for call, lied in ((call, call in run.truth.lied) for call in run.truth.lied):
        if lied and not isinstance(call, Kill | Stop | Pause | Shape):
            return  # an undo that reported success without doing anything: only the fingerprint can tell
    different = _differences(run, undone(run.truth.ended, calls))
    if different:
        yield f"after undoing {calls} there differ {different}"


def _differences(run: Simulated, now: State) -> list[str]:
    """Where the mesh is not as before the first fault; a member that vanished by itself may be either way."""
    before = run.truth.before or {}
    return [
        f"{name}: {before[name]} → {now[name]}"
        for name in before
        if before[name] != now[name] and name not in run.truth.vanished
    ]


def the_environment_is_what_it_is_said_to_be(run: Simulated) -> Iterator[str]:
    """Clean and dirty are compared with the mesh itself."""
    said = run.verdict.environment
    verified = run.record.last(ev.EnvironmentVerified)
    if verified is not None and run.truth.before is not None and run.truth.verified is not None:
        differs = run.truth.before != run.truth.verified
        if verified[1].clean and differs:
            yield f"verified as clean, and it was {run.truth.verified} instead of {run.truth.before}"
        unseen = any(told.startswith("it could not be observed") for told in verified[1].differences)
        if not verified[1].clean and not differs and not run.world.vanishing and not unseen:
            yield f"verified as different ({verified[1].differences}), and it was not"
    ended = run.truth.ended or {}
    if said == "clean" and run.world.deployed and any(up for up, _, _ in ended.values()):
        yield f"said to be clean, and members are up after teardown: {ended}"
    if said == "clean" and not run.world.deployed and _differences(run, ended):
        yield f"said to be clean, and there differ {_differences(run, ended)}"
    if said == "untouched" and (run.truth.pulls or (run.world.deployed and run.truth.deployed)):
        yield f"said to be untouched, and {run.truth.pulls or 'it was deployed'}"
    if run.world.peaceful and said != "clean" and run.record.first(ev.FaultIntended):
        yield f"nothing went wrong, and it is said to be {said}"


def the_run_ends_in_time(run: Simulated) -> Iterator[str]:
    """No deadline passes while the runner lives, but where the environment never returned or nothing can be recorded."""
    if run.truth.overdue and not run.world.may_hang and not run.truth.disk_lost:
        last = run.record.entries[-1]
        yield f"{run.truth.overdue}; the last entry was {type(last.event).__name__} at {(last.t - run.began) / SECOND:g} s"


def nothing_goes_unheard(run: Simulated) -> Iterator[str]:
    """Whatever a task raises is looked at by someone."""
    if not run.truth.dead:
        yield from run.truth.unheard


def the_judge_never_breaks(run: Simulated) -> Iterator[str]:
    """No part of the judge fails, and judging again gives the same bytes."""
    for found in run.verdict.findings:
        if " broke: " in found.sentence and "judging" in found.sentence:
            yield found.sentence
    if encode_pretty(judge(run.record)) != encode_pretty(run.verdict):
        yield "judging twice gives different bytes"


def a_pass_has_its_evidence(run: Simulated) -> Iterator[str]:
    """A pass completed undisturbed, every planned fault truly bit, and every objective that counts was measured."""
    if run.verdict.verdict != "pass":
        return
    if run.outcome != "completed" or run.verdict.outcome != "completed":
        yield f"the run was {run.outcome}"
    verified = next((entry.t for entry, _ in run.record.of(ev.EnvironmentVerified)), 0)
    began = next((entry.t for entry, event in run.record.of(ev.PhaseEntered) if event.phase == "baseline"), 0)
    gone = [name for name, at in run.truth.vanished.items() if began <= at < verified]
    if run.truth.dead or run.truth.disk_lost or gone or run.truth.lied:
        yield f"in spite of {run.truth}"
    disturbing = (ev.SignalReceived, ev.GuardTripped, ev.WatchdogDied, ev.AbortDecided, ev.MemberDied, ev.FaultFailed)
    disturbed = [type(entry.event).__name__ for entry in run.record.entries if isinstance(entry.event, disturbing)]
    if disturbed:
        yield f"in spite of {disturbed}"
    yield from _faults_bit(run)
    for objective in run.plan.scenario.objectives:
        found = [finding for finding in run.verdict.findings if finding.id == objective.id and finding.about == "objective"]
        if len(found) != 1:
            yield f"objective {objective.id} has {len(found)} findings"
        elif not objective.informational:
            measured, share = found[0].measured, found[0].share
            timed = measured is not None and measured.hi is not None and measured.hi <= measured.limit
            if not timed and not (share is not None and share.observed > 0):
                yield f"objective {objective.id} passes without a number: {found[0]}"
    if not any(run.record.samples.rounds.values()):
        yield "without a single round"


def _faults_bit(run: Simulated) -> Iterator[str]:
    bit = {(event.node, event.member) for _, event in run.record.of(ev.EffectObserved) if event.bit}
    members = {event.node: event.members for _, event in run.record.of(ev.FaultIntended)}
    pulled = {name for _, call in run.truth.pulls for name in (call.member, *(call.towards if isinstance(call, Shape) else ()))}
    for node in run.plan.nodes:
        if isinstance(node, InjectNode):
            hit = members.get(node.id, ())
            if not hit or any((node.id, member) not in bit or member not in pulled for member in hit):
                yield f"fault {node.id} on {hit}: seen to bite {sorted(bit)}, truly pulled on {sorted(pulled)}"


def a_pass_is_true(run: Simulated) -> Iterator[str]:
    """Of a single fault: where one leader was truly missing for longer than the limit, ``converge`` does not pass."""
    intents = list(run.record.of(ev.FaultIntended))
    if len(intents) != 1 or run.world.vanishing:
        return
    settled = next((entry.t for entry, event in run.record.of(ev.PhaseEntered) if event.phase == "verify"), run.ended)
    for objective in run.plan.scenario.objectives:
        if objective.form != "converge" or objective.indicator != "one-leader" or objective.flaps == "allowed":
            continue
        found = next(finding for finding in run.verdict.findings if finding.id == objective.id)
        if found.verdict != "pass" or objective.within is None:
            continue
        back = _last_long_outage(run, since=intents[0][0].t, until=settled)
        if back is not None and back - intents[0][0].t > objective.within.ns + SECOND // 50:
            yield f"{objective.id} passes with {found.measured}; the truth is {(back - intents[0][0].t) / SECOND:g} s"


def _last_long_outage(run: Simulated, *, since: int, until: int) -> int | None:
    """The end of the last time without exactly one leader that lasted two rounds with their own lengths."""
    rounds = run.record.samples.rounds.get("scrape", ())
    longest = max((one.end - one.tick for one in rounds), default=0)
    least = 2 * (run.plan.round_every.ns + longest)
    ends = [t for t, _ in run.truth.leaders[1:]] + [until]
    outages = [(max(t, since), min(end, until)) for (t, count), end in zip(run.truth.leaders, ends, strict=True) if count != 1]
    return max((end for start, end in outages if end - start > least), default=None)


LAWS: tuple[Callable[[Simulated], Iterator[str]], ...] = (
    the_journal_is_readable,
    every_act_was_announced_on_disk,
    no_fault_comes_after_an_abort,
    every_stop_is_an_abort,
    the_blast_radius_is_kept,
    every_fault_is_reverted_or_said_to_be_left,
    rollback_always_runs,
    what_a_death_leaves_can_be_undone,
    the_environment_is_what_it_is_said_to_be,
    the_run_ends_in_time,
    nothing_goes_unheard,
    the_judge_never_breaks,
    a_pass_has_its_evidence,
    a_pass_is_true,
)
