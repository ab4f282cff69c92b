"""Secrets: read where they are used, and hidden wherever their values would be written.

Takes the references of an environment document; gives texts with the values filled in, for a member's environment, a command
line or a request, and a ``Redactor`` that puts ``[secret NAME]`` in their place in everything else. Refuses values too short to
be told from ordinary text. No value is part of any ``repr``.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import msgspec

from meshkit_chaos.errors import CannotRun, EnvironmentProblem
from meshkit_chaos.scenario.environment import EnvironmentDescription, SecretSource

SHORTEST: Final = 6
_LARGEST_FILE: Final = 64 * 1024
_SHORTEST_LINE: Final = 12
_REFERENCE: Final = re.compile(r"\$\{secret\.([A-Za-z_][A-Za-z0-9_]*)\}")
_ESCAPE: Final = re.compile(r"%[0-9A-F]{2}")


def reference(name: str) -> str:
    """How a text refers to a secret; what stands in state files and records instead of the value."""
    return f"${{secret.{name}}}"


class Secrets:
    """The secrets of one environment, read once. One that cannot be read is no error until it is needed."""

    def __init__(self, sources: Mapping[str, SecretSource], *, folder: Path) -> None:
        self._values: dict[str, str] = {}
        self._missing: dict[str, CannotRun] = {}
        for name, source in sources.items():
            try:
                self._values[name] = read_secret(name, source, folder=folder)
            except CannotRun as error:
                self._missing[name] = error

    @classmethod
    def of(cls, description: EnvironmentDescription) -> Secrets:
        return cls({**description.secrets, **_of_metrics(description)}, folder=Path(description.path).parent)

    def __repr__(self) -> str:
        return f"Secrets({', '.join((*self._values, *self._missing))})"

    def refuse_missing(self) -> None:
        """Raises CannotRun with every secret that cannot be read: before a run, none may be missing."""
        if self._missing:
            told = "; ".join(error.message for error in self._missing.values())
            raise CannotRun(told, hint=next(iter(self._missing.values())).hint)

    def reveal(self, text: str) -> str:
        """Fill in the values. Raises EnvironmentProblem for one that cannot be read."""

        def value(found: re.Match[str]) -> str:
            if (missing := self._missing.get(found[1])) is not None:
                raise EnvironmentProblem(missing.message, hint=missing.hint)
            return self._values.get(found[1], found[0])

        return _REFERENCE.sub(value, text)

    def include(self, name: str, value: str) -> None:
        """Hide one more value, from wherever it was read. To be called before ``redactor`` is first asked for."""
        self._values[name] = value

    @cached_property
    def redactor(self) -> Redactor:
        return Redactor(self._values)


def read_secret(name: str, source: SecretSource, *, folder: Path) -> str:
    """The value. Raises CannotRun, which says where it was looked for and never what was found."""
    value = _of_variable(name, source.env) if source.env is not None else _of_file(name, folder / (source.file or ""))
    if len(value) < SHORTEST:
        raise CannotRun(
            f"secret {name} has {len(value)} characters; expected at least {SHORTEST}",
            hint="a shorter value cannot be told from ordinary text, so it could not be kept out of records",
        )
    if "\0" in value:
        raise CannotRun(f"secret {name} holds a NUL character, which no environment variable or argument can")
    return value


def _of_variable(name: str, variable: str) -> str:
    value = os.environ.get(variable)
    if value is None:
        raise CannotRun(
            f"secret {name}: the environment variable {variable} is not set", hint=f"export {variable}, then try again"
        )
    return value


def _of_file(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            raise CannotRun(f"secret {name}: {path} has more than {_LARGEST_FILE} bytes", hint="is it the right file?")
        return data.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        said = f"secret {name}: {path} cannot be read: {error.strerror}"
        raise CannotRun(said, hint="check the path and its mode") from None
    except UnicodeDecodeError:
        raise CannotRun(f"secret {name}: {path} is not text (UTF-8)", hint="is it the right file?") from None


def _of_metrics(description: EnvironmentDescription) -> dict[str, SecretSource]:
    """The credentials of a metric source: read by whoever connects, hidden like all others."""
    external = description.metrics.external if description.metrics is not None else None
    if external is None:
        return {}
    return {
        name: SecretSource(env=found.env or None, file=found.file or None) for name, found in external.access.secrets.items()
    }


def anchored(description: EnvironmentDescription) -> EnvironmentDescription:
    """The same with absolute paths: for a state file, which is read from other working directories."""
    folder = Path(description.path).absolute().parent
    secrets = {
        name: source if source.file is None else SecretSource(file=str(folder / source.file))
        for name, source in description.secrets.items()
    }
    return msgspec.structs.replace(description, path=str(Path(description.path).absolute()), secrets=secrets)


class Redactor:
    """Replaces values, in every form in which they are usually written, by ``[secret NAME]``."""

    def __init__(self, values: Mapping[str, str]) -> None:
        names: dict[bytes, str] = {}
        for name, value in values.items():
            for form in forms(value):
                names.setdefault(form.encode(errors="surrogatepass"), name)
        self._names = names
        longest_first = sorted(names, key=lambda form: (-len(form), form))
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first))) if names else None
        self.longest = max(map(len, names), default=0)

    def __repr__(self) -> str:
        return f"Redactor({', '.join(dict.fromkeys(self._names.values()))})"

    def __bool__(self) -> bool:
        return self._pattern is not None

    def data(self, data: bytes) -> bytes:
        if self._pattern is None or not self.found_in(data):  # to look for each form is many times faster than for any
            return data
        return self._pattern.sub(lambda found: f"[secret {self._names[found[0]]}]".encode(), data)

    def text(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self.data(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def found_in(self, data: bytes) -> tuple[str, ...]:
        """The names of the secrets whose values are there, each once."""
        return tuple(sorted({name for form, name in self._names.items() if form in data}))


HIDES_NOTHING: Final = Redactor({})


def forms(value: str) -> frozenset[str]:
    """A value as it is, escaped (JSON, Python, HTML, URL), in base64 at any alignment, and in hexadecimal."""
    return frozenset(form for form in _forms(value) if len(form) >= SHORTEST)


def _forms(value: str) -> Iterator[str]:
    yield from _escaped(value)
    yield from _encoded(value.encode(errors="surrogatepass"))
    if "\n" in value:  # output is often seen line by line
        for line in value.splitlines():
            if len(line) >= _SHORTEST_LINE:
                yield from _escaped(line)


def _escaped(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield repr(f"\"{value}'")[2:-3]  # in a text with both kinds of quotes
    yield html.escape(value)
    yield html.escape(value, quote=False)
    yield html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    for quoted in (
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
    ):
        yield quoted
        yield _ESCAPE.sub(lambda found: found[0].lower(), quoted)


def _encoded(value: bytes) -> Iterator[str]:
    yield value.hex()
    yield value.hex().upper()
    for before in range(3):  # ``user:value`` in base64 holds the value at one of three alignments
        padded = b"\0" * before + value
        first, last = -(-before * 8 // 6), len(padded) * 8 // 6
        yield base64.b64encode(padded).decode()[first:last]
        yield base64.urlsafe_b64encode(padded).decode()[first:last]
