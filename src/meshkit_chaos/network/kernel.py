"""The few calls to the kernel that Python 3.11 has no name for: namespaces entered, left and made, and TUN devices.

Takes descriptors and names; raises OSError with the call's name, as the kernel has it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
TUN: Final = Path("/dev/net/tun")
OWN_NETWORK: Final = Path("/proc/thread-self/ns/net")
OWN_USER: Final = Path("/proc/thread-self/ns/user")
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
_PR_SET_TIMERSLACK: Final = 29
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter(namespace: int, kind: int) -> None:
    """Move the calling thread into the namespace of a descriptor."""
    _checked(_LIBC.setns(namespace, kind), "setns")


def leave_for_new(kind: int) -> None:
    """Move the calling thread into a new namespace of its own."""
    _checked(_LIBC.unshare(kind), "unshare")


def become_own_administrator() -> None:
    """Enter a new user namespace in which this user stays itself and may administer the networks that it makes there.

    Only a process with a single thread can.
    """
    user, group = os.geteuid(), os.getegid()
    leave_for_new(CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        try:
            (Path("/proc/self") / name).write_text(text, encoding="ascii")
        except OSError as error:
            raise OSError(error.errno, f"{name} of a user namespace: {error.strerror}") from error


def open_tun(name: str) -> int:
    """A new TUN device in the network namespace of the calling thread; it lives as long as its descriptor is open."""
    descriptor = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, error.strerror, str(TUN)) from error
    return descriptor


def be_punctual() -> None:
    """Let the kernel end this thread's waits when they are over, not up to 50 µs later to save power."""
    _LIBC.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
