"""In what state a run left its environment: clean, dirty, untouched or unknown, with the reason.

Takes a record. Dirty is whatever is not known to be undone after something was touched; clean needs a fingerprint that was
compared, or, for an environment that the run deployed, a teardown that left nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import FaultWindow, Record, fault_windows
from meshkit_chaos.judge.phrases import listed
from meshkit_chaos.judge.verdict import EnvironmentName, Finding, VerdictName


def environment_of(record: Record) -> tuple[EnvironmentName, str, tuple[int, ...]]:
    """The environment's state, why, and the entries that say so."""
    if record.first(ev.DeployIntended) is None and not fault_windows(record):
        return "untouched", "nothing was deployed and nothing was injected", ()
    reasons = list(_left_broken(record))
    if reasons:
        return "dirty", listed(reason for reason, _ in reasons), tuple(seq for _, seqs in reasons for seq in seqs)
    if torn_down := _torn_down(record):
        return "clean", "it was torn down and nothing is left of it", torn_down
    verified = record.last(ev.EnvironmentVerified)
    touched = max((seq for window in fault_windows(record) for seq in window.seqs), default=0)
    if verified is not None and verified[0].seq > touched:
        return "clean", "every member is as it was before the fault", (verified[0].seq,)
    return "unknown", "it was never compared with its state before the fault", ()


def judge_environment(record: Record) -> Finding:
    """The state as a finding: anything but clean or untouched is at best inconclusive."""
    state, reason, evidence = environment_of(record)
    verdict: VerdictName = "pass" if state in ("clean", "untouched") else "inconclusive"
    words = {"unknown": "it is not known in what state the environment was left", "dirty": "the environment was left dirty"}
    return Finding(
        about="environment",
        id="environment",
        verdict=verdict,
        sentence=f"{words.get(state, f'the environment is {state}')}: {reason}",
        hint=_hint(record) if state == "dirty" else "",
        evidence=evidence,
    )


def _hint(record: Record) -> str:
    if _torn_down(record):
        return "all of it was torn down since, so nothing runs any more; but its rollback did not work, and must elsewhere"
    return "run `meshkit-chaos recover`"


def _left_broken(record: Record) -> Iterator[tuple[str, tuple[int, ...]]]:
    torn_down = _torn_down(record)
    verified = record.last(ev.EnvironmentVerified)
    if verified is not None and not verified[1].clean:
        told = listed(verified[1].differences) or "its members differ from before"
        yield f"after the rollback {told}", (verified[0].seq,)
    for window in fault_windows(record):
        held_since = verified is not None and verified[1].clean and verified[0].seq > max(window.seqs)
        if held_since:
            continue  # whatever the revert said, the fingerprint holds
        if failed := _revert_failed(record, window):
            yield f"the revert of {window.node} failed: {window.revert_failed}", (failed,)
        elif window.outstanding and not torn_down:
            yield f"{window.fault} ({window.node}) on {listed(window.members)} was never reverted", window.seqs
    teardown = record.last(ev.TeardownDone)
    if teardown is not None and teardown[1].left:
        yield f"teardown left {listed(teardown[1].left)}", (teardown[0].seq,)
    deployed = record.last(ev.DeployIntended)
    if deployed is not None and teardown is None and (record.started is None or record.started.deployed):
        yield "it was deployed and never torn down", (deployed[0].seq,)


def _torn_down(record: Record) -> tuple[int, ...]:
    """Where the journal says that nothing is left of an environment that the run deployed; empty where it does not."""
    deployed, teardown = record.last(ev.DeployIntended), record.last(ev.TeardownDone)
    if deployed is None or teardown is None or teardown[1].left or teardown[0].seq < deployed[0].seq:
        return ()
    return (teardown[0].seq,)


def _revert_failed(record: Record, window: FaultWindow) -> int:
    """The entry in which the last attempt to revert failed; 0 where the last one succeeded or none was made."""
    failed = 0
    for entry in record.entries:
        match entry.event:
            case ev.RevertFailed(node=node) if node == window.node:
                failed = entry.seq
            case ev.RevertDone(node=node) if node == window.node:
                failed = 0
            case _:
                continue
    return failed
