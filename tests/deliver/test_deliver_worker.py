"""The worker over every outcome a channel can give, in virtual time: what becomes of the row, and when it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from history_builder import opened
from scripted_channel import MINUTE, SECOND, START, Killed, Scripted, ScriptedSender, Service, World, action

from meshkit_chaos.deliver.action import Action, Told
from meshkit_chaos.deliver.backoff import Patience
from meshkit_chaos.deliver.claiming import Wait
from meshkit_chaos.deliver.outbox import HELD, Entry, Outbox, enqueue
from meshkit_chaos.deliver.sending import Rate
from meshkit_chaos.deliver.worker import Courier, Going, Heard
from meshkit_chaos.errors import UsageError
from meshkit_chaos.slo import Duration

PATIENCE = Patience(attempts=8, lease=MINUTE)


@dataclass
class Stage:
    """An outbox in SQLite, a service, and couriers that are driven by hand."""

    outbox: Outbox
    world: World
    service: Service
    heard: Heard = field(default_factory=Heard)

    def put(self, *actions: Action) -> tuple[str, ...]:
        with self.outbox.database.writing() as connection:
            return enqueue(connection, actions)

    def courier(self, sender: ScriptedSender | None = None, *, channel: str = "chat") -> Courier:
        going = Going(patience=PATIENCE, chance=lambda: 1.0, hide=lambda text: text.replace("hunter2", "[secret]"))
        return Courier(channel, sender or self.sender(), self.outbox, going=going, watching=self.heard)

    def sender(self, *answers: str, **named: object) -> ScriptedSender:
        return ScriptedSender(self.service, Scripted(*answers), **named)  # type: ignore[arg-type]  # fields of the sender

    def row(self, key: str) -> Entry:
        (entry,) = self.outbox.entries(keys=(key,))
        return entry

    def drain(self, courier: Courier, *, most: int = 200) -> list[Told]:
        """Step until nothing is left to do, time passing as fast as it may."""
        done: list[Told] = []
        for _ in range(most):
            match courier.step():
                case Wait(until=until):
                    self.world.now = until
                case None:
                    return done
                case told:
                    assert isinstance(told, Told)
                    done.append(told)
        raise AssertionError(f"not done after {most} steps: {done[-3:]}")


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    world = World()
    with opened(folder) as history:
        yield Stage(Outbox(history.database, now=world.wall), world, Service(world))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path / "h") as found:
        yield found


def test_what_arrives_is_delivered_once(stage: Stage) -> None:
    """The receipt is kept, and nothing is left to do."""
    stage.put(action("a"))
    assert [one.state for one in stage.drain(stage.courier())] == ["delivered"]
    told = stage.row("a").told
    assert told.receipt is not None
    assert (told.receipt.reference, told.attempts, told.tried_at, told.settled_at) == ("ref-a", 1, START, START)
    assert stage.courier().step() is None


def test_the_same_key_is_written_once(stage: Stage) -> None:
    """Deciding twice adds nothing, whether the first is still to be sent or was."""
    assert stage.put(action("a"), action("a"), action("b")) == ("a", "b")
    stage.drain(stage.courier())
    assert stage.put(action("a"), action("c")) == ("c",)
    stage.drain(stage.courier())
    assert [key for key, _ in stage.service.arrivals] == ["a", "b", "c"]


def test_a_failure_is_tried_again_later_and_later(stage: Stage) -> None:
    """Pauses double from two seconds on; the row says why and counts attempts."""
    stage.put(action("a"))
    courier = stage.courier(stage.sender("again", "again", "again"))
    stage.drain(courier)
    told = stage.row("a").told
    assert (told.state, told.attempts) == ("delivered", 4)
    assert [at - START for at in stage.service.requests] == [0, 2 * SECOND, 6 * SECOND, 14 * SECOND]


def test_what_the_channel_asks_for_is_waited(stage: Stage) -> None:
    """Retry-After is longer than our own pause, so it counts; other threads of the channel go on."""
    stage.put(action("a"), action("b", thread="u"))
    courier = stage.courier(stage.sender("again after"))
    stage.drain(courier)
    assert stage.service.arrivals == [("b", START), ("a", START + MINUTE.ns)]


def test_a_pause_for_everybody_closes_the_channel(stage: Stage) -> None:
    """After a secondary limit nothing goes to that channel, whoever sends; other channels go on."""
    stage.put(action("a"), action("b", thread="u"), action("c", channel="mail"))
    stage.courier(stage.sender("everybody")).step()
    waiting = stage.courier().step()
    assert isinstance(waiting, Wait)
    assert waiting.until == START + MINUTE.ns
    assert isinstance(stage.courier(channel="mail").step(), Told)
    stage.drain(stage.courier())
    assert stage.service.arrivals == [("c", START), ("a", START + MINUTE.ns), ("b", START + MINUTE.ns)]


def test_it_gives_up_visibly(stage: Stage) -> None:
    """After so many attempts the row is dead, says why, and lets the next of its thread go."""
    stage.put(action("a"), action("b"))
    stage.drain(stage.courier(stage.sender(*["again"] * 8)))
    told = stage.row("a").told
    assert (told.state, told.error) == ("dead", "given up after 8 attempts: 503")
    assert stage.row("a").undelivered(stage.world.now)
    assert [key for key, _ in stage.service.arrivals] == ["b"]


def test_it_gives_up_on_what_is_old(tmp_path: Path) -> None:
    """Three days after it was due, five attempts are enough, and fewer are not."""
    assert not Patience().is_over(attempts=4, age=10**18)
    assert Patience().is_over(attempts=5, age=Patience().age.ns)
    assert not Patience().is_over(attempts=59, age=0)
    assert Patience().is_over(attempts=60, age=0)


def test_pauses_are_jittered_and_bounded() -> None:
    """A pause is between half and all of what doubling gives, and never longer than the longest."""
    patience = Patience()
    assert [patience.pause(n, lambda: 0.0) // SECOND for n in range(1, 6)] == [1, 2, 4, 8, 16]
    assert patience.pause(4, lambda: 1.0) == 16 * SECOND
    assert patience.pause(10**6, lambda: 1.0) == patience.most.ns


def test_a_refusal_is_dead_at_once(stage: Stage) -> None:
    """What will never arrive is not tried again; the row says who must act and what to do."""
    stage.put(action("a"))
    stage.drain(stage.courier(stage.sender("refused")))
    told = stage.row("a").told
    assert (told.state, told.attempts) == ("dead", 1)
    assert told.error == "404 (operator must act: name another channel)"


@pytest.mark.parametrize("answer", ["arrived", "bug after"])
def test_after_an_unsure_attempt_it_looks_and_finds(stage: Stage, answer: str) -> None:
    """It arrived, and is shown late: found, delivered, never sent again."""
    stage.service.delay = 20 * SECOND
    stage.put(action("a"))
    stage.drain(stage.courier(stage.sender(answer)))
    told = stage.row("a").told
    assert (told.state, told.attempts) == ("delivered", 1)
    assert stage.service.count("a") == 1
    assert len(stage.heard.bugs) == (answer == "bug after")


@pytest.mark.parametrize("answer", ["lost", "bug before"])
def test_it_sends_again_once_absence_is_proven(stage: Stage, answer: str) -> None:
    """It did not arrive: only after the channel's lag that is sure, and then it is sent again."""
    stage.put(action("a"))
    stage.drain(stage.courier(stage.sender(answer)))
    told = stage.row("a").told
    assert (told.state, told.attempts) == ("delivered", 2)
    (arrived,) = stage.service.arrivals
    assert arrived[1] >= START + 30 * SECOND


def test_it_looks_more_seldom(stage: Stage) -> None:
    """Looks come at doubling distances, and the last at the end of the lag: it proves the absence."""
    stage.put(action("a"))
    stage.drain(stage.courier(stage.sender("lost")))
    assert [(at - START) // SECOND for at in stage.service.requests] == [0, 2, 4, 8, 16, 30, 32]


def test_a_channel_that_cannot_be_asked_just_now_is_asked_later(stage: Stage) -> None:
    """A look without an answer proves nothing; nothing is sent until one does."""
    stage.put(action("a"))
    sender = stage.sender("arrived", looks=Scripted("503", "503", "503", "bug", "503", "503"))
    stage.drain(stage.courier(sender))
    assert (stage.row("a").told.state, stage.service.count("a")) == ("delivered", 1)


def test_what_cannot_be_looked_for_is_held(stage: Stage) -> None:
    """No way to look, no way to repeat: the row stays ambiguous and visible, blocks its thread, and a person settles it."""
    stage.put(action("a"), action("b"), action("c", thread="u"))
    stage.drain(stage.courier(stage.sender("lost", looks=Scripted("never"))))
    entry = stage.row("a")
    assert entry.held
    assert entry.undelivered(stage.world.now)
    assert entry.told.error == "it may have arrived: the connection broke; it cannot be looked for: never"
    assert [key for key, _ in stage.service.arrivals] == ["c"]
    stage.outbox.resolve("a", "again", by="jo")
    stage.drain(stage.courier())
    assert [key for key, _ in stage.service.arrivals] == ["c", "a", "b"]


@pytest.mark.parametrize("answer", ["lost", "arrived", "killed before", "killed after"])
def test_a_channel_that_holds_never_repeats(stage: Stage, answer: str) -> None:
    """``hold``: whether the connection broke or the sender died, a person decides."""
    stage.put(action("a"))
    sender = stage.sender(answer, when_unsure="hold")
    try:
        stage.courier(sender).step()
    except Killed:
        stage.world.pass_by(PATIENCE.lease.ns)
    stage.drain(stage.courier(stage.sender(when_unsure="hold")))
    assert stage.row("a").held
    assert stage.row("a").not_before == HELD
    assert len(stage.service.requests) == 1


@pytest.mark.parametrize("answer", ["lost", "arrived", "killed before", "killed after"])
def test_a_channel_that_repeats_says_so(stage: Stage, answer: str) -> None:
    """``repeat``: at least once; after an unsure attempt it may come twice."""
    stage.put(action("a"))
    try:
        stage.courier(stage.sender(answer, when_unsure="repeat")).step()
    except Killed:
        assert stage.row("a").told.state == "sending"
        stage.world.pass_by(PATIENCE.lease.ns)
    stage.drain(stage.courier(stage.sender(when_unsure="repeat")))
    assert stage.row("a").told.state == "delivered"
    assert stage.service.count("a") == 1 + (answer in ("arrived", "killed after"))


@pytest.mark.parametrize("answer", ["killed before", "killed after"])
def test_a_sender_that_died_left_its_intent(stage: Stage, answer: str) -> None:
    """Killed at any side of the request: the row says ``sending``; after the lease it is looked for, and arrives once."""
    stage.put(action("a"))
    with pytest.raises(Killed):
        stage.courier(stage.sender(answer)).step()
    assert (stage.row("a").told.state, stage.row("a").told.attempts) == ("sending", 1)
    waiting = stage.courier().step()
    assert isinstance(waiting, Wait), "its lease is not over"
    stage.drain(stage.courier())
    assert (stage.row("a").told.state, stage.service.count("a")) == ("delivered", 1)


def test_a_looker_that_died_is_followed(stage: Stage) -> None:
    """Whoever dies while looking loses nothing; somebody else looks after the lease."""
    stage.put(action("a"))
    courier = stage.courier(stage.sender("arrived", looks=Scripted("killed")))
    with pytest.raises(Killed):
        stage.drain(courier)
    stage.drain(stage.courier())
    assert (stage.row("a").told.state, stage.service.count("a")) == ("delivered", 1)


def test_a_late_answer_of_a_slow_sender_is_still_true(stage: Stage) -> None:
    """A sender that lost its lease and then says *delivered* is believed; what else it says is not."""
    stage.put(action("a"))
    slow, outbox = stage.courier(), stage.outbox
    claim = slow._claims.claim("slow")
    stage.world.pass_by(PATIENCE.lease.ns)
    stage.courier(stage.sender(when_unsure="look")).step()
    assert stage.row("a").told.state == "ambiguous"
    assert claim is not None
    assert not isinstance(claim, Wait)
    refused = stage.sender("refused").send(claim.told.action, ())
    assert slow._claims.settle(claim, refused).state == "ambiguous"
    delivered = stage.sender("ok").send(claim.told.action, ())
    assert slow._claims.settle(claim, delivered).state == "delivered"
    assert not outbox.entries(states=("ambiguous", "sending", "pending"))


def test_a_thread_keeps_its_order(stage: Stage) -> None:
    """Nothing of a thread goes before what was decided earlier; it hears what was delivered before it."""
    stage.put(*(action(key) for key in "abc"))
    sender = stage.sender("again", "again")
    stage.drain(stage.courier(sender))
    assert [key for key, _ in stage.service.arrivals] == ["a", "b", "c"]
    assert sender.threads == [(), (), (), ("a",), ("a", "b")]


def test_what_is_for_later_blocks_nothing(stage: Stage) -> None:
    """A digest that is due in a week does not keep back what is due now."""
    week = 7 * 24 * 3600 * SECOND
    stage.put(action("digest", not_before=START + week), action("now"))
    stage.drain(stage.courier())
    assert stage.service.arrivals == [("now", START), ("digest", START + week)]


def test_what_is_loud_goes_first(stage: Stage) -> None:
    """A dirty environment is told before what was decided earlier in other threads."""
    stage.put(action("a"), action("b", thread="u"), action("loud", thread="v", occasion="environment-dirty"))
    stage.drain(stage.courier())
    assert [key for key, _ in stage.service.arrivals] == ["loud", "a", "b"]


def test_only_what_nobody_sends_is_superseded(stage: Stage) -> None:
    """A replaced action is not sent, unless somebody is at it or has sent it."""
    stage.put(action("a"), action("b"), action("c"))
    with pytest.raises(Killed):
        stage.courier(stage.sender("killed before")).step()
    stage.put(action("d", replaces=("a", "b", "nonsense")))
    assert [stage.row(key).told.state for key in "abcd"] == ["sending", "superseded", "pending", "pending"]
    stage.drain(stage.courier())
    assert [key for key, _ in stage.service.arrivals] == ["a", "c", "d"]


def test_rates_hold_in_every_window(stage: Stage) -> None:
    """Two limits at once, shared by two couriers: no window has more requests than either allows."""
    rates = (Rate(bucket="s", count=2, per=Duration(SECOND)), Rate(bucket="s", count=5, per=Duration(10 * SECOND)))
    stage.put(*(action(f"a{number}", thread=str(number)) for number in range(20)))
    couriers = [stage.courier(stage.sender(rates=rates)) for _ in range(2)]
    left = True
    while left:
        for courier in couriers:
            match courier.step():
                case Wait(until=until):
                    stage.world.now = until
                case None:
                    left = False
    asked = stage.service.requests
    assert len(asked) == 20
    for rate in rates:
        assert all(sum(at - rate.per.ns < one <= at for one in asked) <= rate.count for at in asked)
    assert asked[-1] - START <= 35 * SECOND, "and it is no slower than the limits ask for, but for a tenth"


def test_secrets_stay_out_of_rows(stage: Stage) -> None:
    """Whatever a channel repeats of a secret is taken out before it is written."""
    stage.put(action("a"))
    stage.drain(stage.courier(stage.sender("lost", looks=Scripted("token hunter2 expired", "never"))))
    assert "hunter2" not in stage.row("a").told.error


def test_people_settle_what_is_left(stage: Stage) -> None:
    """Sent, given up, or once more; what is done with is refused, and so is what is unknown."""
    stage.put(*(action(key, thread=key) for key in "abc"))
    stage.drain(stage.courier(stage.sender(*["refused"] * 3)))
    stage.outbox.resolve("a", "sent", by="jo", reference="#7")
    stage.outbox.resolve("b", "drop", by="jo")
    stage.outbox.resolve("c", "again", by="jo")
    stage.drain(stage.courier())
    assert [stage.row(key).told.state for key in "abc"] == ["delivered", "dead", "delivered"]
    assert [stage.row(key).undelivered(stage.world.now) for key in "abc"] == [False, False, False]
    assert [key for key, _ in stage.service.arrivals] == ["c"]
    for key, said in (("a", "delivered already"), ("z", "there is no delivery")):
        with pytest.raises(UsageError, match=said):
            stage.outbox.resolve(key, "again", by="jo")


def test_what_is_being_sent_is_not_resolved(stage: Stage) -> None:
    """While somebody is at it nobody decides about it; afterwards it may be."""
    stage.put(action("a"))
    with pytest.raises(Killed):
        stage.courier(stage.sender("killed before")).step()
    with pytest.raises(UsageError, match="is sending a at this moment"):
        stage.outbox.resolve("a", "again", by="jo")
    stage.world.pass_by(PATIENCE.lease.ns)
    stage.outbox.resolve("a", "again", by="jo")
    stage.drain(stage.courier())
    assert stage.row("a").told.attempts == 1
