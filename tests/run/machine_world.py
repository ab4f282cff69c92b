"""A world around the machine in which everything may take any time and go wrong in any way, without any clock or I/O.

Takes a plan and a way to choose; carries out commands as the engine would (one queue of inputs, acts that end when they like),
and keeps every command in order. What the machine must never do is checked on that list.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from meshkit_chaos.faults import CATALOGUE, Aim, MemberState
from meshkit_chaos.journal import events as ev
from meshkit_chaos.plan import AdjustNode, InjectNode, Plan, candidates_of, draw, wanted
from meshkit_chaos.run import commands as do
from meshkit_chaos.run.machine import State, step

LEADER = frozenset({"node-1"})
Choose = Callable[[int], int]
"""Choose one of so many: a number from 0."""
Act = Iterator[do.Input]


@dataclass
class World:
    """``mischief``: inputs that may come at any moment, each at most once. ``in_turn``: what is due first happens first."""

    plan: Plan
    choose: Choose
    mischief: list[do.Input] = field(default_factory=list)
    deploys: bool = True
    in_turn: bool = False
    now: int = 0
    done: list[tuple[int, do.Command | do.Input]] = field(default_factory=list)
    queue: deque[do.Input] = field(default_factory=deque)
    timers: list[tuple[int, str]] = field(default_factory=list)
    acting: list[Act] = field(default_factory=list)
    undoing: list[Act] = field(default_factory=list)
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    most_held: int = 0

    def __post_init__(self) -> None:
        self.state = State(plan=self.plan, deploys=self.deploys)
        self.queue.append(do.Begin())

    @property
    def over(self) -> bool:
        return any(isinstance(one, do.Finish) for _, one in self.done)

    def run(self, *, steps: int = 600) -> None:
        """Let things happen until the machine says it is finished."""
        for _ in range(steps):
            if self.over:
                return
            self._happen()
        raise AssertionError(f"still in stage {self.state.stage} after {steps} steps: {self.state}")

    def _happen(self) -> None:
        ways: list[Callable[[], None]] = [self._deliver] if self.queue else []
        ways += [lambda act=act: self._go_on(act, self.acting) for act in self.acting]  # type: ignore[misc]  # bound now
        ways += [lambda act=act: self._go_on(act, self.undoing) for act in self.undoing]  # type: ignore[misc]  # as above
        ways += [self._fire] if self.timers else []
        ways += [self._mischief] if self.mischief else []
        assert ways, f"nothing can happen any more in stage {self.state.stage}"
        ways[0 if self.in_turn else self.choose(len(ways))]()

    def _deliver(self) -> None:
        given = self.queue.popleft()
        self.done.append((self.now, given))
        self.state, commands = step(self.state, given, self.now)
        for command in commands:
            self.done.append((self.now, command))
            self._perform(command)

    def _go_on(self, act: Act, among: list[Act]) -> None:
        told = next(act, None)
        if told is None:
            among.remove(act)
        else:
            self.queue.append(told)

    def _fire(self) -> None:
        self.timers.sort()
        at, name = self.timers.pop(0)
        self.now = max(self.now, at)
        self.queue.append(do.TimerFired(name))

    def _mischief(self) -> None:
        self.queue.append(self.mischief.pop(self.choose(len(self.mischief))))

    def _perform(self, command: do.Command) -> None:  # noqa: PLR0912  # one case a command
        match command:
            case do.Deploy():
                self.acting.append(iter([ev.DeployDone(members=())] if self.choose(8) else [ev.DeployFailed(reason="no")]))
            case do.CheckPrerequisites():
                self.acting.append(iter([do.PrerequisitesSettled(self.choose(8) > 0)]))
            case do.CheckSteadyState():
                self.acting.append(iter([do.SteadyStateSettled(self.choose(8) > 0)]))
            case do.TakeFingerprint():
                self.acting.append(
                    iter([ev.FingerprintTaken(when="before", members={"node-1": MemberState(up=True, paused=False)})])
                )
            case do.SetTimer():
                self.timers.append((command.at, command.name))
            case do.Inject():
                self.acting.append(self._inject(command))
            case do.AwaitCondition():
                self.acting.append(iter([ev.ConditionDone(node=command.node, met=self.choose(4) > 0, detail="as seen")]))
            case do.StopActing():
                self.acting.clear()
                self.undoing.append(iter([do.ActingStopped()]))
            case do.Adjust():
                self.acting.append(self._adjust(command.node))
            case do.Revert():
                self.undoing.append(self._revert(command.injection))
            case do.Verify():
                self.undoing.append(iter([ev.EnvironmentVerified(clean=not self.held, differences=())]))
            case do.Teardown():
                self.undoing.append(iter([ev.TeardownDone(left=())]))
            case _:
                pass

    def _inject(self, command: do.Inject) -> Act:
        """As the actor does it: refuse, or write the intent, pull, look."""
        node = next(node for node in self.plan.nodes if node.id == command.node)
        assert isinstance(node, InjectNode)
        everyone = self.plan.capabilities.members
        free = [
            one
            for one in candidates_of(node.step.target, members=everyone, roles={"leader": LEADER})
            if one not in command.held
        ]
        count = wanted(node.step.target, len(free))
        members = draw(tuple(free), count=count, seed=self.plan.seed, node=node.id)
        more = len(set(members) - command.under)
        if not 1 <= count <= len(free) or more > command.free or not self.choose(6):
            yield ev.FaultFailed(node=node.id, reason="refused")
            return
        self.held[node.id] = members
        self.most_held = max(self.most_held, len({one for several in self.held.values() for one in several}))
        fault = CATALOGUE[node.step.fault]
        parameters = fault.completed(node.step.parameters)
        calls = fault.revert(Aim(node=node.id, targets=members, members=everyone, parameters=parameters))
        yield ev.FaultIntended(node=node.id, fault=node.step.fault, members=members, calls=(), undo=calls, deadline=self.now)
        yield ev.FaultInjected(node=node.id) if self.choose(6) else ev.FaultFailed(node=node.id, reason="the lever broke")
        yield do.InjectionSettled(node.id, "" if self.choose(6) else "it did not bite")

    def _adjust(self, name: str) -> Act:
        node = next(node for node in self.plan.nodes if node.id == name)
        assert isinstance(node, AdjustNode)
        assert node.injection in self.held, f"{node.injection} is not in force: nothing can be changed"
        yield ev.AdjustIntended(node=name, injection=node.injection, calls=())
        yield ev.AdjustDone(node=name) if self.choose(6) else ev.FaultFailed(node=name, reason="the lever broke")
        yield do.InjectionSettled(name, "" if self.choose(6) else "it does not bite any more")

    def _revert(self, injection: str) -> Act:
        assert injection in self.held, f"{injection} was never intended: its undo is not known"
        if self.choose(6):
            del self.held[injection]
            yield ev.RevertDone(node=injection)
        else:
            yield ev.RevertFailed(node=injection, reason="the lever broke")

    def seen(self, *kinds: type) -> list[do.Command | do.Input]:
        return [one for _, one in self.done if isinstance(one, kinds)]
