"""Become a program inside a member's network. A script of its own, started as ``python -I -S enter.py``, which imports little.

``enter.py REPORT NAMESPACES HOSTS PROGRAM ARGUMENT…``: descriptors of a pipe and of namespaces (a user namespace first, where
there is one), and a file that stands in for ``/etc/hosts``. The pipe is closed when the program has taken this process over;
what is written there before says why it could not.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_MS_BIND = 0x1000


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def main(report: int, namespaces: list[int], hosts: str, words: list[str]) -> None:
    os.set_inheritable(report, False)
    libc = ctypes.CDLL(None, use_errno=True)
    for descriptor in namespaces:
        _checked(libc.setns(descriptor, 0), "setns")
        os.close(descriptor)
    if hosts:
        _checked(libc.unshare(_CLONE_NEWNS), "unshare")
        _checked(libc.mount(None, b"/", None, _MS_REC_PRIVATE, None), "mount")
        _checked(libc.mount(hosts.encode(), b"/etc/hosts", None, _MS_BIND, None), "mount")
    program, *argv = words
    os.execvp(program, argv)  # noqa: S606  # what the operator configured, never by way of a shell


if __name__ == "__main__":
    pipe = int(sys.argv[1])
    try:
        main(pipe, [int(word) for word in sys.argv[2].split(",")], sys.argv[3], sys.argv[4:])
    except OSError as error:
        os.write(pipe, str(error).encode())
        sys.exit(127)
