"""How a metric server is reached: secrets from where they are, certificates, headers, one client.

Takes the recorded ``Access`` and the folder that its files are relative to; gives a client. Secrets live only in here: they are
in the client's headers and in nothing that is written, and ``redacted`` takes them out of whatever a server says. Raises
``CannotRun`` where a secret or a certificate cannot be read.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from meshkit_chaos.errors import CannotRun
from meshkit_chaos.scenario.metric_sources import Access, SecretRef, TlsFiles

_CONNECTIONS: Final = 10
_SHORTEST_SECRET: Final = 4
"""A shorter one is not looked for in texts: it would be found in every other word."""


class Secrets:
    """Reads secrets, and remembers them to take them out of texts."""

    def __init__(self, *, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._variables = os.environ if variables is None else variables
        self._known: set[str] = set()

    def read(self, reference: SecretRef, *, what: str) -> str:
        """The value. Raises CannotRun where it is not there, is empty, or cannot stand in a header."""
        value = self._value(reference, what)
        if not value or any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise CannotRun(f"{what}: {reference} is empty or holds control characters", hint="write the bare value there")
        self.keep(value)
        return value

    def keep(self, value: str) -> None:
        """Take this out of texts too."""
        if len(value) >= _SHORTEST_SECRET:
            self._known.add(value)

    def _value(self, reference: SecretRef, what: str) -> str:
        if reference.env:
            if reference.env not in self._variables:
                raise CannotRun(f"{what}: the environment variable {reference.env} is not set", hint="set it for this command")
            return self._variables[reference.env]
        path = self._folder / reference.file
        try:
            return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise CannotRun(f"{what}: the file {path} cannot be read: {_said(error)}") from error

    def redacted(self, text: str) -> str:
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, "[secret]")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A client for one server, and the secrets that it uses."""

    url: str
    client: httpx2.AsyncClient
    secrets: Secrets
    timeout_s: float


def open_door(access: Access, *, secrets: Secrets, folder: Path, variables: Mapping[str, str], tenant: str = "") -> Door:
    """``variables``: values for ``${var.NAME}`` in the address. Redirects are not followed: credentials would go along."""
    headers = {name: secrets.read(found, what=f"the header {name}") for name, found in access.headers.items()}
    if tenant:
        headers["X-Scope-OrgID"] = tenant
    if access.bearer is not None:
        headers["Authorization"] = f"Bearer {secrets.read(access.bearer, what='the token')}"
    if access.basic is not None:
        password = secrets.read(access.basic.password, what=f"the password of {access.basic.user}")
        pair = base64.b64encode(f"{access.basic.user}:{password}".encode()).decode("ascii")
        secrets.keep(pair)
        headers["Authorization"] = f"Basic {pair}"
    client = httpx2.AsyncClient(
        headers=headers,
        verify=tls_context(access.tls, folder),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # every request runs under its own deadline
        limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=60),
    )
    return Door(url=_address(access.url, variables), client=client, secrets=secrets, timeout_s=access.timeout.seconds)


def _address(url: str, variables: Mapping[str, str]) -> str:
    """The address with its variables filled; what they put in may not hold credentials either."""
    filled = re.sub(r"\$\{var\.([^{}]+)\}", lambda found: variables.get(found[1], found[0]), url).rstrip("/")
    parsed = httpx2.URL(filled)
    if parsed.userinfo or parsed.scheme not in {"http", "https"} or not parsed.host:
        raise CannotRun(f"{parsed.scheme}://{parsed.host} cannot be asked: expected http(s)://host without user or password")
    return filled


def tls_context(files: TlsFiles | None, folder: Path, *, of: str = "the metric source") -> ssl.SSLContext:
    """The system's authorities, or the one given; our own certificate where there is one. Raises CannotRun."""
    try:
        context = ssl.create_default_context(cafile=str(folder / files.ca) if files and files.ca else None)
        if files is not None and files.certificate:
            context.load_cert_chain(folder / files.certificate, folder / files.key)
    except (OSError, ssl.SSLError) as error:
        raise CannotRun(f"the certificates of {of} cannot be used: {_said(error)}", hint="they must be PEM") from error
    if files is not None and files.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
