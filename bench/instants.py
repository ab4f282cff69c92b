"""When faults came, against when they were asked for, from journals of runs. Asserts nothing.

``python bench/instants.py [FOLDER…]`` reads every journal below; by default the kept ones of real etcd.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record, fault_windows
from meshkit_chaos.plan import HoldNode

KEPT = Path(__file__).parent.parent / "tests" / "journals"


def facts(record: Record) -> dict[str, list[float]]:
    """Milliseconds by what they are of."""
    out: dict[str, list[float]] = {}
    injected = {event.node: entry.t for entry, event in record.of(ev.FaultInjected)}
    held = {event.node: entry.t for entry, event in record.of(ev.HoldDone)}
    for window in fault_windows(record):
        if window.injected is not None:
            out.setdefault(f"{window.fault}: intent to acknowledged", []).append((window.injected - window.intended) / 1e6)
        if window.reverted is not None and window.revert_intended is not None:
            out.setdefault(f"{window.fault}: revert to acknowledged", []).append(
                (window.reverted - window.revert_intended) / 1e6
            )
    for node in record.started.plan.nodes if record.started else ():
        if (
            isinstance(node, HoldNode)
            and node.id in held
            and (begun := injected.get(node.id.removesuffix(".hold"))) is not None
        ):
            out.setdefault("hold: longer than asked for", []).append((held[node.id] - begun - node.lasting.ns) / 1e6)
    for source, rounds in record.samples.rounds.items():
        out.setdefault(f"{source}: begun after its tick", []).extend((one.start - one.tick) / 1e6 for one in rounds)
        out.setdefault(f"{source}: length of a round", []).extend(
            (one.end - one.start) / 1e6 for one in rounds if not one.failed
        )
    return out


def main() -> None:
    places = [Path(text) for text in sys.argv[1:]] or sorted(KEPT.glob("etcd-*"))
    journals = sorted({path.parent for place in places for path in place.rglob("journal.jsonl")})
    joined: dict[str, list[float]] = {}
    for folder in journals:
        for name, spans in facts(read_record(folder)).items():
            joined.setdefault(name, []).extend(spans)
    print(f"{len(journals)} runs\n{'ms':<34} {'n':>5} {'median':>8} {'99th':>8} {'most':>8}")
    for name, spans in sorted(joined.items()):
        ordered = sorted(spans)
        print(f"{name:<34} {len(spans):>5} {median(spans):>8.2f} {ordered[int(len(spans) * 0.99)]:>8.2f} {ordered[-1]:>8.2f}")


if __name__ == "__main__":
    sys.exit(main())
