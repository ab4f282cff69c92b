"""The process that a lab's network is: it holds the namespaces and forwards the packets. An environment starts it, not people.

Takes its settings as its argument; prints one line when all is up, or why it cannot be. It ignores what a
terminal sends: it ends with its environment, by SIGKILL, and everything that it made ends with it.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from meshkit_chaos.clock import Clock, SystemClock
from meshkit_chaos.faults import PacketCounts, Shape, Unshape
from meshkit_chaos.network import messages as say
from meshkit_chaos.network.keeper import Keeper, Shaper
from meshkit_chaos.network.kernel import (
    CLONE_NEWNET,
    OWN_NETWORK,
    OWN_USER,
    TUN,
    be_punctual,
    become_own_administrator,
    leave_for_new,
)
from meshkit_chaos.network.namespaces import make_places
from meshkit_chaos.network.netem import NetemShaper, has_netem, make_bridged_places
from meshkit_chaos.network.switch import Switch
from meshkit_chaos.slo.codec import decode, encode

_BEFORE_OTHERS: Final = -10
_NOT_PERMITTED: Final = frozenset({errno.EPERM, errno.EACCES})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """A network that is up. ``serve`` with a control descriptor and what answers there: for ever."""

    backend: Literal["userspace", "netem"]
    namespaces: dict[str, int]
    shaper: Shaper
    serve: Callable[[int, Callable[[], None]], None]


class _Userspace:
    """The switch's own fabric as a ``Shaper``."""

    def __init__(self, switch: Switch, clock: Clock) -> None:
        self._switch = switch
        self._clock = clock

    def change(self, call: Shape | Unshape) -> None:
        self._switch.fabric.change(call, self._clock.monotonic_ns())

    def in_force(self) -> dict[str, dict[str, PacketCounts]]:
        return self._switch.fabric.in_force(self._clock.monotonic_ns())


def _build(settings: say.Settings, clock: Clock, *, home: int) -> _Built:
    """As the backend says; ``auto`` is the switch, and the kernel only where there can be no switch. Raises OSError."""
    if settings.backend != "netem":
        try:
            return _with_switch(settings, clock, home=home)
        except OSError as error:
            if settings.backend != "auto" or error.filename != str(TUN) or not has_netem():
                raise
    elif not has_netem():
        raise OSError(errno.ENOSYS, "this kernel has no netem (the module sch_netem)")
    return _with_netem(settings, clock, home=home)


def _with_switch(settings: say.Settings, clock: Clock, *, home: int) -> _Built:
    places = make_places(settings.addresses, mtu=settings.mtu, home=home)
    switch = Switch(settings.addresses, {name: place.wire for name, place in places.items()}, clock)
    return _Built(
        backend="userspace",
        namespaces={name: place.namespace for name, place in places.items()},
        shaper=_Userspace(switch, clock),
        serve=switch.serve,
    )


def _with_netem(settings: say.Settings, clock: Clock, *, home: int) -> _Built:
    namespaces = make_bridged_places(settings.addresses, mtu=settings.mtu, home=home)
    shaper = NetemShaper(settings.addresses, clock)

    def serve(control: int, on_control: Callable[[], None]) -> None:
        while True:
            at = shaper.next_at()
            timeout = None if at is None else max(0, at - clock.monotonic_ns()) / 1e9
            asked, _, _ = select.select([control], [], [], timeout)
            shaper.expire()
            if asked:
                on_control()

    return _Built(backend="netem", namespaces=namespaces, shaper=shaper, serve=serve)


def leave_the_machine() -> bool:
    """Into a network of our own; whether that took a user namespace. Raises OSError where the kernel allows neither."""
    try:
        leave_for_new(CLONE_NEWNET)
    except OSError as error:
        if error.errno not in _NOT_PERMITTED:
            raise
        become_own_administrator()
        leave_for_new(CLONE_NEWNET)
        return True
    return False


def hint_for(error: OSError | ImportError) -> str:
    """What to do about it; empty where nobody knows."""
    if isinstance(error, ImportError):
        return "pip install 'meshkit-chaos[network]'"
    if error.filename == str(TUN):
        return f"there must be the device {TUN} (`modprobe tun`), and this user must be able to open it (`chmod 666 {TUN}`)"
    if error.errno in {errno.EPERM, errno.EACCES, errno.ENOSPC}:
        return (
            "run as root, or let this user make user namespaces: `sysctl user.max_user_namespaces=10000`, and where they exist "
            "`sysctl kernel.unprivileged_userns_clone=1` and `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a "
            "container, add the capabilities SYS_ADMIN and NET_ADMIN"
        )
    return ""


def main() -> int:
    """Set up, say so, serve for ever; 1 with the reason on standard output where it cannot be set up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    settings = decode(sys.argv[1], say.Settings)
    clock = SystemClock()
    try:
        user = leave_the_machine()
        home = os.open(OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
        built = _build(settings, clock, home=home)
        keeper = Keeper(
            Path(settings.folder) / say.SOCKET,
            namespaces=built.namespaces,
            home=home,
            user=os.open(OWN_USER, os.O_RDONLY | os.O_CLOEXEC) if user else None,
            shaper=built.shaper,
        )
    except (OSError, ImportError) as error:
        _tell(say.Refused(reason=str(error), hint=hint_for(error)))
        return 1
    if settings.tied:
        _end_with_standard_input(Path(settings.folder))
    be_punctual()
    with contextlib.suppress(PermissionError):  # packets that wait for a busy processor are late; without the right, they are
        os.setpriority(os.PRIO_PROCESS, 0, _BEFORE_OTHERS)
    if built.backend == "userspace":
        gc.collect()
        gc.freeze()
        gc.disable()  # nothing in the switch refers to itself, and a packet must not wait for a collection
    _tell(say.Ready(backend=built.backend, user=user))
    built.serve(keeper.fileno(), keeper.answer_all)
    return 0


def _end_with_standard_input(folder: Path) -> None:
    """Whoever asked for this network holds the other end, and nobody else knows of it: when that is closed, nothing is left."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 1):
                pass
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def _tell(reply: say.Reply) -> None:
    sys.stdout.buffer.write(encode(reply) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
