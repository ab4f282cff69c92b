"""Laws of the outbox, over generated lives in virtual time: three workers, deaths at any moment, every answer a channel can
give.

Nothing is lost, nothing is doubled where the channel allows that, order per thread, rates kept.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from history_builder import opened
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from scripted_channel import ANSWERS, ARRIVES, SECOND, Killed, Scripted, ScriptedSender, Service, World, action

from meshkit_chaos.deliver.action import Look, Outcome, Unsure
from meshkit_chaos.deliver.backoff import Patience
from meshkit_chaos.deliver.claiming import Claim, Claims, Wait, Ways
from meshkit_chaos.deliver.outbox import Outbox, enqueue
from meshkit_chaos.deliver.sending import Rate, WhenUnsure
from meshkit_chaos.slo import Duration

LAG = Duration(30 * SECOND)
PATIENCE = Patience(attempts=6, lease=Duration(60 * SECOND))
CHANNELS: dict[str, WhenUnsure] = {"tracker": "look", "chat": "repeat", "pager": "hold"}
RATE = Rate(bucket="all", count=4, per=Duration(10 * SECOND))
WORKERS = ("one", "two", "three")
NAMES = st.sampled_from(list(CHANNELS))
SELDOM = st.sampled_from([False, False, False, True])
DEATHS = ("killed before", "killed after")
MEMORY = "/dev/shm"
PHASES = (Phase.explicit, Phase.generate)


class Lives(RuleBasedStateMachine):
    """``in_hand``: what each worker has claimed and not settled. ``unsure``: how often a key may have arrived unseen."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if Path(MEMORY).is_dir() else None)
        self.opening = opened(Path(self.folder.name) / "h")
        history = self.opening.__enter__()
        with history.database._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA synchronous = OFF")
        self.world = World()
        self.outbox = Outbox(history.database, now=self.world.wall)
        self.service = Service(self.world, delay=LAG.ns)
        self.in_hand: dict[str, tuple[str, Claim]] = {}
        self.unsure: dict[str, int] = defaultdict(int)
        self.order: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.later: set[str] = set()
        self.claimed: list[int] = []
        self.count = 0

    def teardown(self) -> None:
        try:
            self.settle_everything()
        finally:
            self.opening.__exit__(None, None, None)
            self.folder.cleanup()

    def claims(self, channel: str) -> Claims:
        ways = Ways(channel=channel, rates=(RATE,), when_unsure=CHANNELS[channel], lag=LAG)
        return Claims(self.outbox.database, ways, patience=PATIENCE, chance=lambda: 1.0, now=self.outbox.now)

    @rule(channel=NAMES, thread=st.sampled_from("ttu"), replaces=st.booleans(), later=SELDOM, many=st.integers(1, 3))
    def decide(self, channel: str, thread: str, replaces: bool, later: bool, many: int) -> None:
        line = self.order[channel, thread]
        for _ in range(many):
            self.count += 1
            key = f"{channel}-{self.count:03d}"
            not_before = self.world.now + 5 * SECOND if later else 0
            self.later |= {key} if later else set()
            new = action(
                key, channel=channel, thread=thread, replaces=tuple(line[-1:]) if replaces else (), not_before=not_before,
                at=self.world.now,
            )  # fmt: skip
            with self.outbox.database.writing() as connection:
                assert enqueue(connection, (new, new)) == (key,)
            line.append(key)

    @rule(channel=NAMES)
    def claim(self, channel: str) -> None:
        worker = next((name for name in WORKERS if name not in self.in_hand), None)
        if worker is None:
            return
        found = self.claims(channel).claim(worker)
        if isinstance(found, Claim):
            assert found.told.action.key not in {claim.told.action.key for _, claim in self.in_hand.values()}
            self.in_hand[worker] = channel, found
            self.claimed.append(self.world.now)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), answer=st.sampled_from((*ANSWERS, *DEATHS, "ok", "ok", "ok", "lost", "arrived")))
    def go_on(self, data: st.DataObject, answer: str) -> None:
        self.attempt(data.draw(st.sampled_from(sorted(self.in_hand))), answer)

    def attempt(self, worker: str, answer: str) -> None:
        channel, claim = self.in_hand.pop(worker)
        sender = ScriptedSender(self.service, Scripted(answer), looks=Scripted("503" if answer.startswith("again") else "ok"))
        key = claim.told.action.key
        if claim.do == "send" and answer in (*ARRIVES, "lost", "bug before", "killed before") and answer != "ok":
            self.unsure[key] += 1
        try:
            outcome: Outcome | Look = (
                sender.look(claim.told.action, claim.thread)
                if claim.do == "look"
                else sender.send(claim.told.action, claim.thread)
            )
        except ZeroDivisionError:
            outcome = Unsure(why="a bug")
        except Killed:
            return
        self.claims(channel).settle(claim, outcome)

    @rule(seconds=st.sampled_from([1, 5, 20]))
    def time_passes(self, seconds: int) -> None:
        """A sender takes no longer than its lease: that is what its time-outs are for."""
        oldest = min((claim.at for _, claim in self.in_hand.values()), default=self.world.now)
        self.world.now = max(self.world.now, min(self.world.now + seconds * SECOND, oldest + PATIENCE.lease.ns - 1))

    def settle_everything(self) -> None:
        """All goes well from now on: then everything is settled, but what only a person can settle."""
        for worker in list(self.in_hand):
            self.attempt(worker, "killed after")
        for channel in CHANNELS:
            for _ in range(2000):
                found = self.claims(channel).claim("last")
                if found is None:
                    break
                if isinstance(found, Wait):
                    assert found.until > self.world.now
                    self.world.now = found.until
                else:
                    self.in_hand["last"] = channel, found
                    self.attempt("last", "ok")
            else:
                raise AssertionError("it never ends")
        self.everything_is_settled()

    def everything_is_settled(self) -> None:
        entries = {one.told.action.key: one for one in self.outbox.entries()}
        assert len(entries) == self.count
        held = {(one.told.action.channel, one.told.action.thread) for one in entries.values() if one.held}
        for key, one in entries.items():
            channel = one.told.action.channel
            waits = (channel, one.told.action.thread) in held
            assert one.told.state in ("delivered", "dead", "superseded") or waits, one
            assert not one.held or CHANNELS[channel] == "hold", one
            if one.told.state == "delivered":
                assert self.service.count(key) >= 1, "nothing is called delivered that did not arrive"
            if one.told.state == "superseded":
                most = self.unsure[key] if CHANNELS[channel] == "repeat" else 0
                assert self.service.count(key) <= most, "what was sent is not called replaced"
        self.nothing_is_doubled()
        self.threads_keep_their_order()

    @invariant()
    def nothing_is_doubled(self) -> None:
        for channel, how in CHANNELS.items():
            for line in (keys for (of, _), keys in self.order.items() if of == channel):
                for key in line:
                    most = 1 + self.unsure[key] if how == "repeat" else 1
                    assert self.service.count(key) <= most, (key, how)

    @invariant()
    def threads_keep_their_order(self) -> None:
        """What was due goes in the order in which it was decided; what was for later may be overtaken."""
        first: dict[str, int] = {}
        for number, (key, _) in enumerate(self.service.arrivals):
            first.setdefault(key, number)
        for line in self.order.values():
            came = [first[key] for key in line if key in first and key not in self.later]
            assert came == sorted(came)

    @invariant()
    def rates_are_kept(self) -> None:
        """A request is counted when its row is taken; between that and the request a worker does nothing else."""
        for at in self.claimed[-10:]:
            assert sum(at - RATE.per.ns < one <= at for one in self.claimed) <= RATE.count


@pytest.mark.parametrize("examples", [20, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_nothing_is_lost_and_nothing_doubled(examples: int) -> None:
    """Whatever dies, breaks or is asked to wait: the laws above hold at every step, and in the end all is settled or held."""
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=PHASES,
        ),
    )
