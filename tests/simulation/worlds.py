"""A world for one simulated run, drawn from a seed: a scenario of any shape, a mesh, and everything that goes wrong.

Takes a seed; gives a ``World``: two documents as text (so that a failing world can be read, and run by the command too) and its
troubles as values. The same seed gives the same world on every machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

LeverTrouble = Literal["raises", "breaks", "lies", "hangs", "slow", "acts-and-raises", "acts-and-hangs"]
LookTrouble = Literal["raises", "breaks", "hangs"]
PageTrouble = Literal["refused", "error", "garbage", "torn", "nan", "hangs", "gone"]
DiskTrouble = Literal["full", "full-for-good", "torn", "read-only", "sync"]
DeathPlace = Literal["write", "torn-write", "before-pull", "after-pull"]

LEVERS = ("kill", "stop", "start", "pause", "resume", "shape", "unshape")
NETWORK: dict[str, dict[str, Any]] = {
    "partition": {"way": "both"},
    "latency": {"delay": "20ms", "jitter": "5ms"},
    "packet-loss": {"loss": "20%", "burst": 2},
    "corruption": {"share": "10%"},
    "duplication": {"share": "10%"},
    "reordering": {"share": "25%"},
    "udp-blocked": {},
}
RAMPS = {"latency": ("delay", "200ms"), "packet-loss": ("loss", "60%"), "corruption": ("share", "90%")}


@dataclass(frozen=True, kw_only=True)
class BadLever:
    """A lever that misbehaves from its ``first`` call on, ``times`` times."""

    lever: str
    how: LeverTrouble
    first: int
    times: int


@dataclass(frozen=True, kw_only=True)
class BadLook:
    """``observe``, ``holders``, ``check`` or ``teardown`` misbehaves at its ``first`` call and the next ones."""

    what: str
    how: LookTrouble
    first: int
    times: int


@dataclass(frozen=True, kw_only=True)
class BadPages:
    """A member's metrics are not there, or not what they should be, between two instants (seconds after deployment)."""

    member: str
    how: PageTrouble
    since: float
    until: float


@dataclass(frozen=True, kw_only=True)
class Vanishing:
    """A member ends by itself, ``at`` seconds after deployment or a phase's begin; ``back``: when it comes back by itself."""

    member: str
    at: float
    back: float | None
    phase: str = ""


@dataclass(frozen=True, kw_only=True)
class World:
    """``signal_at``, ``watchdog_dies_at``: the journal's entry after which it happens. ``death``: where the runner dies."""

    seed: int
    scenarios: str
    environment: str
    deployed: bool
    levers: tuple[BadLever, ...] = ()
    looks: tuple[BadLook, ...] = ()
    pages: tuple[BadPages, ...] = ()
    vanishing: tuple[Vanishing, ...] = ()
    signal_at: tuple[int, float] | None = None
    watchdog_dies_at: int | None = None
    disk: tuple[DiskTrouble, int] | None = None
    death: tuple[DeathPlace, int] | None = None

    @property
    def peaceful(self) -> bool:
        """Nothing at all goes wrong."""
        return not (
            self.levers
            or self.looks
            or self.pages
            or self.vanishing
            or self.signal_at
            or self.watchdog_dies_at
            or self.disk
            or self.death
        )

    @property
    def may_hang(self) -> bool:
        """An environment breaks its promise that everything is bounded in time: then only the watchdog can end the run."""
        return any(look.how == "hangs" for look in self.looks)

    def told(self) -> str:
        """The whole world, to be read by people."""
        troubles = [
            *map(str, (*self.levers, *self.looks, *self.pages, *self.vanishing)),
            f"signal at {self.signal_at}, watchdog dies at {self.watchdog_dies_at}, disk {self.disk}, death {self.death}",
        ]
        return f"seed {self.seed}, deployed {self.deployed}\n{self.environment}\n{self.scenarios}\n" + "\n".join(troubles)


def draw(seed: int) -> World:
    """The world of a seed."""
    rng = Random(f"world/{seed}")
    members = rng.choice([1, 3, 3, 3, 3, 4, 5])
    every = rng.choice([100, 200, 200, 500])
    environment = _environment(rng, members, every)
    scenarios = _Author(rng, members, every).document()
    world = World(
        seed=seed,
        scenarios=json.dumps(scenarios, indent=1),
        environment=json.dumps(environment, indent=1),
        deployed=rng.random() < 0.4,
    )
    return world if rng.random() < 0.4 else _troubled(world, rng, members)


def _troubled(world: World, rng: Random, members: int) -> World:
    names = [f"node-{index}" for index in range(1, members + 1)]
    many = rng.random() < 0.2  # mostly one or two troubles, so that each is seen to its end; sometimes all at once

    def some(chance: float) -> bool:
        return rng.random() < (0.5 if many else chance)

    return World(
        seed=world.seed,
        scenarios=world.scenarios,
        environment=world.environment,
        deployed=world.deployed,
        levers=tuple(_bad_lever(rng) for _ in range(rng.randint(1, 2)) if some(0.35)),
        looks=tuple(_bad_look(rng) for _ in range(1) if some(0.2)),
        pages=tuple(_bad_pages(rng, names) for _ in range(rng.randint(1, 3)) if some(0.3)),
        vanishing=tuple(_vanishing(rng, names) for _ in range(1) if some(0.2)),
        signal_at=(rng.randint(3, 50), rng.choice([0, 0, rng.random()])) if some(0.15) else None,
        watchdog_dies_at=rng.randint(3, 50) if some(0.05) else None,
        disk=(rng.choice(["full", "full-for-good", "torn", "read-only", "sync"]), rng.randint(2, 60)) if some(0.15) else None,
        death=_death(rng) if some(0.15) else None,
    )


def _bad_lever(rng: Random) -> BadLever:
    how: LeverTrouble = rng.choice(["raises", "breaks", "lies", "hangs", "slow", "acts-and-raises", "acts-and-hangs"])
    return BadLever(lever=rng.choice(LEVERS), how=how, first=rng.choice([1, 1, 1, 2]), times=rng.choice([1, 2, 10**6]))


def _bad_look(rng: Random) -> BadLook:
    what = rng.choice(["observe", "observe", "holders", "check", "teardown", "deploy"])
    how: LookTrouble = rng.choice(["raises", "raises", "breaks", "breaks", "hangs"])
    return BadLook(what=what, how=how, first=rng.randint(1, 12) if what == "observe" else 1, times=rng.choice([1, 1, 3, 10**6]))


def _bad_pages(rng: Random, names: list[str]) -> BadPages:
    how: PageTrouble = rng.choice(["refused", "error", "garbage", "torn", "nan", "hangs", "gone"])
    since = rng.choice([rng.uniform(0, 3), rng.uniform(3, 15)])
    return BadPages(member=rng.choice(names), how=how, since=since, until=since + rng.choice([0.3, 1.0, 4.0, 60.0]))


def _vanishing(rng: Random, names: list[str]) -> Vanishing:
    phase = rng.choice(["", "", "revert", "settle", "verify"])
    at = rng.uniform(0, 0.3) if phase else rng.uniform(1, 15)
    back = at + rng.uniform(0.1, 3) if rng.random() < 0.5 else None
    return Vanishing(member=rng.choice(names), at=at, back=back, phase=phase)


def _death(rng: Random) -> tuple[DeathPlace, int]:
    place: DeathPlace = rng.choice(["write", "torn-write", "before-pull", "after-pull"])
    return place, rng.randint(2, 60) if "write" in place else rng.randint(1, 3)


def _environment(rng: Random, members: int, every: int) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "simulated-lab",
        "kind": "simulated",
        "members": {"count": members, "name": "node-${index}"},
        "ports": ["client"],
        "roles": {
            "leader": {
                "http": {
                    "method": "POST",
                    "url": "http://${member.host}:${member.port.client}/v3/maintenance/status",
                    "body": "{}",
                    "path": "leader",
                    "equals_path": "header.member_id",
                }
            }
        },
        "metrics": {"url": "http://${member.host}:${member.port.client}/metrics", "every": f"{every}ms"},
        "simulated": {"election": f"{rng.choice([300, 800, 1500, 2500])}ms", "rejoin": f"{rng.choice([50, 200, 700])}ms"},
    }


@dataclass
class _Author:
    """Writes a scenario that lint accepts."""

    rng: Random
    members: int
    every: int
    count: int = 0
    faults: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)
    """How many members each fault that is held takes away: a plan that surely exceeds its blast radius is refused."""

    def document(self) -> dict[str, Any]:
        rng = self.rng
        steps = self._sequence(depth=0, length=rng.choice([1, 1, 2, 3]))
        if not self.faults:
            steps.append(self._fault())
        probed = rng.random() < 0.4
        indicators: dict[str, Any] = {"one-leader": {"promql": "sum(etcd_server_is_leader)", "good": "== 1"}}
        if probed:
            url = "http://${member.host}:${member.port.client}/v3/kv/put"
            body = '{"key": "aw==", "value": "dg=="}'
            check = {"http": {"method": "POST", "url": url, "body": body}}
            indicators["writes"] = {"probe": {**check, "every": "250ms", "timeout": "500ms", "need": "any"}}
        if rng.random() < 0.3:
            indicators["elections"] = {"promql": "etcd_server_leader_changes_seen_total", "kind": "event", "good": "== 0"}
        used = list(indicators)
        scenario: dict[str, Any] = {
            "id": "drawn",
            "title": "A drawn scenario",
            "steady_state": {"for": "1s", "indicators": ["one-leader"]},
            "rollback": {"within": rng.choice(["2s", "5s"]), "verify": ["one-leader"]},
            "timeout": rng.choice(["25s", "60s", "60s"]),
            "blast_radius": {"members": max(1, self.members - 1)},
            "steps": steps,
            "objectives": self._objectives(used),
        }
        if rng.random() < 0.3:
            guarded = rng.choice(["one-leader", used[-1]])
            scenario["guard_rails"] = [{"indicator": guarded, "bad_for": rng.choice(["500ms", "9s"])}]
        if rng.random() < 0.4:
            scenario["prerequisites"] = [
                {"members": f">= {rng.choice([1, self.members, self.members, self.members, self.members + 1])}"},
                {"indicator": "one-leader", "within": rng.choice(["1s", "10s", "10s", "10s"])},
            ]
        return {"version": 1, "environment": "lab.yaml", "indicators": indicators, "scenarios": [scenario]}

    def _name(self) -> str:
        self.count += 1
        return f"s{self.count}"

    def _milliseconds(self, *choices: int) -> str:
        return f"{self.rng.choice(choices)}ms"

    def _sequence(self, *, depth: int, length: int) -> list[dict[str, Any]]:
        return [self._step(depth) for _ in range(length)]

    def _step(self, depth: int) -> dict[str, Any]:
        chance = self.rng.random()
        if chance < 0.6:
            return self._fault()
        if chance < 0.7:
            return {"wait": self._milliseconds(100, 500, 2000), "id": self._name()}
        if chance < 0.8 or depth:
            go_on = {"or_go_on": True} if self.rng.random() < 0.7 else {}
            return {"until": "one-leader", "timeout": self._milliseconds(500, 3000, 6000), "id": self._name(), **go_on}
        if chance < 0.9 and self.held:
            self.taken.pop(self.held[-1], None)
            return {"revert": self.held.pop(), "id": self._name()}
        if chance < 0.95:
            return self._repeat(depth)
        branches = [self._sequence(depth=depth + 1, length=self.rng.choice([1, 2])) for _ in range(2)]
        return {"parallel": branches, "id": self._name()}

    def _repeat(self, depth: int) -> dict[str, Any]:
        """Each time undoes what it did."""
        steps = [self._fault(held=False) for _ in range(self.rng.choice([1, 1, 2]))]
        step = {"repeat": self.rng.choice([2, 3]), "steps": steps, "id": self._name()}
        if self.rng.random() < 0.6:
            step |= {"every": self._milliseconds(1500, 4000)}
        return step | ({"jitter": "300ms"} if self.rng.random() < 0.5 else {})

    def _fault(self, *, held: bool = True) -> dict[str, Any]:
        network = [self.rng.choice(sorted(NETWORK)) for _ in range(3)] if self.members > 1 else []
        kind = self.rng.choice(["kill", "kill", "pause", "pause", "restart", "stop", "rolling-restart", *network])
        name = self._name()
        self.faults.append(name)
        target = {"count": 1} if kind == "rolling-restart" else self._target()
        if kind not in NETWORK and sum(self.taken.values()) + target.get("count", 1) > max(1, self.members - 1):
            if self.members == 1:
                self.faults.pop()
                return {"wait": "100ms", "id": name}
            kind, target = "latency", {"count": 1}
        if kind == "partition" and target.get("count", 1) == self.members:
            target = {"count": 1}
        step: dict[str, Any] = {"fault": kind, "id": name, "target": target}
        if kind in NETWORK:
            step["with"] = NETWORK[kind]
        if not kind.endswith("restart") and (not held or self.rng.random() < 0.75):
            step["hold"] = self._milliseconds(300, 1000, 3000)
        elif not kind.endswith("restart"):
            self.held.append(name)
            self.taken |= {} if kind in NETWORK else {name: target.get("count", 1)}
        if kind in RAMPS and self.rng.random() < 0.4:
            parameter, to = RAMPS[kind]
            step["ramp"] = {"parameter": parameter, "to": to, "over": "300ms", "steps": self.rng.choice([1, 3])}
        if self.rng.random() < 0.1:
            wait = {"until": "one-leader", "is": self.rng.choice(["good", "bad"]), "timeout": self._milliseconds(500, 3000)}
            step["when"] = wait | ({"or_go_on": True} if self.rng.random() < 0.8 else {})
        return step

    def _target(self) -> dict[str, Any]:
        chance = self.rng.random()
        if chance < 0.5:
            return {"role": "leader"}
        if chance < 0.7 and self.members > 1:
            return {"not_role": "leader", "count": 1}
        if chance < 0.85:
            return {"names": [f"node-{self.rng.randint(1, self.members)}"]}
        return {"count": self.rng.randint(1, max(1, self.members - 1))}

    def _objectives(self, indicators: list[str]) -> list[dict[str, Any]]:
        out = [self._objective(number, self.rng.choice(indicators)) for number in range(self.rng.choice([1, 1, 2, 3]))]
        if all(one.get("informational") for one in out):
            out[0].pop("informational")
        counting = [one for one in out if not one.get("informational")]
        if all(one.get("during") == "baseline" for one in counting):
            counting[0]["during"] = "settle"  # lint refuses a scenario that nothing past the fault can fail
        return out

    def _objective(self, number: int, indicator: str) -> dict[str, Any]:
        rng = self.rng
        if indicator == "elections" or rng.random() < 0.2:
            during = rng.choice(["baseline", "settle"])
            return {"stay": indicator, "id": f"o{number}", "during": during, "allowed": rng.choice(["1%", "40%"])}
        one: dict[str, Any] = {
            rng.choice(["converge", "converge", "recover"]): indicator,
            "id": f"o{number}",
            "within": self._milliseconds(1500, 3000, 6000),
            "settle": self._milliseconds(500, 1000),
        }
        if rng.random() < 0.35:
            one["disturbance"] = "optional"
        if rng.random() < 0.2:
            one["flaps"] = "allowed"
        if rng.random() < 0.3:
            one["after"] = rng.choice(self.faults)
        if rng.random() < 0.15:
            one["informational"] = True
        return one
