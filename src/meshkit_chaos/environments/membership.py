"""The list that a mesh keeps of its own members: read, and changed, by asking any of them that is up.

Takes how to ask, the values of every member, and who is up; gives who is listed. A change that is refused is asked for again
until the mesh agrees or its time is over: then EnvironmentProblem. Nothing is remembered: what a member is named by is read
from the list each time, so another process can go on where one died.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx2

from meshkit_chaos.environments.checks import dotted
from meshkit_chaos.environments.secrets import Secrets
from meshkit_chaos.environments.state import MemberSpec
from meshkit_chaos.environments.templates import render
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Membership
from meshkit_chaos.scenario.environment import EnvironmentDescription, MembershipCall, MembershipDescription

_LOOK_S: Final = 0.5
_CHANGE_S: Final = 3.0
_AGAIN_S: Final = 0.1
_QUOTED: Final = 200
Listed = Mapping[str, str]
"""By member: what the mesh names it by."""


class _Refused(Exception):
    """Why this member gave no answer that counts."""


class Roster:
    """``up``: the members that can be asked now, the likeliest first."""

    def __init__(
        self,
        description: MembershipDescription,
        *,
        values: Mapping[str, Mapping[str, str]],
        up: Callable[[], Sequence[str]],
        secrets: Secrets,
        client: httpx2.AsyncClient,
    ) -> None:
        self._how = description
        self._values = values
        self._up = up
        self._secrets = secrets
        self._client = client

    @classmethod
    def of(
        cls,
        environment: EnvironmentDescription,
        specs: Mapping[str, MemberSpec],
        *,
        up: Callable[[], Sequence[str]],
        secrets: Secrets,
        client: httpx2.AsyncClient,
    ) -> Roster:
        """Raises EnvironmentProblem where the document does not say how. Clients of the mesh are nobody here."""
        if environment.membership is None:
            raise EnvironmentProblem(
                f"environment {environment.name} does not say how members join and leave it",
                hint="write `membership:` in its document",
            )
        values = {name: spec.values for name, spec in specs.items() if not spec.client}

        def asked() -> tuple[str, ...]:
            return tuple(name for name in up() if name in values)

        return cls(environment.membership, values=values, up=asked, secrets=secrets, client=client)

    async def membership(self) -> dict[str, Membership]:
        """Of every member, as the mesh has it."""
        listed = await self.listed()
        return {member: "unknown" if listed is None else "in" if member in listed else "out" for member in self._values}

    async def listed(self) -> Listed | None:
        """Who is in the list, by the first who answers; None where nobody who is up does."""
        asking = [asyncio.ensure_future(self._list(member)) for member in self._up()]
        try:
            for answer in asyncio.as_completed(asking):
                try:
                    return await answer
                except _Refused:
                    continue
            return None
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def has(self, member: str) -> bool:
        """Raises EnvironmentProblem where nobody says so in time."""
        try:
            async with asyncio.timeout(self._how.within.seconds):
                while True:
                    listed = await self.listed()
                    if listed is not None:
                        return member in listed
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError:
            said = f"whether {member} is a member, no other one that is up could say within {self._how.within}"
            raise EnvironmentProblem(said) from None

    async def add(self, member: str) -> None:
        await self._change(member, self._how.add, wanted=True)

    async def remove(self, member: str) -> None:
        await self._change(member, self._how.remove, wanted=False)

    async def _change(self, member: str, call: MembershipCall, *, wanted: bool) -> None:
        """Look, ask, look again: what was asked for by whoever died before us may be done meanwhile."""
        last = "nobody who is up says who is a member"
        try:
            async with asyncio.timeout(self._how.within.seconds):
                while True:
                    listed = await self.listed()
                    if listed is not None and (member in listed) == wanted:
                        return
                    if listed is not None:
                        last = await self._ask(member, call, listed.get(member, "")) or last
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError:
            what = "join" if wanted else "leave"
            said = f"the mesh did not let {member} {what} within {self._how.within}: {last}"
            raise EnvironmentProblem(said, hint="whether the others still have a majority is what most meshes ask") from None

    async def _ask(self, member: str, call: MembershipCall, known_by: str) -> str:
        """Ask one after another until one agrees. Why the last one did not; empty where one did."""
        last = "nobody is up"
        for asked in self._up():
            try:
                await self._send(call, asked, {**self._values[member], "member.id": known_by}, within=_CHANGE_S)
            except _Refused as refusal:
                last = f"{asked}: {refusal}"
            else:
                return ""
        return last

    async def _list(self, asked: str) -> Listed:
        how = self._how.list
        answer = await self._send(how.call, asked, self._values[asked], within=_LOOK_S)
        entries = dotted(answer, how.entries)
        if not isinstance(entries, list):
            raise _Refused(f"the answer has no list {how.entries}")
        found = {str(dotted(entry, how.key)): str(dotted(entry, how.id)) for entry in entries}
        whose = {member: self._secrets.reveal(render(how.equals, values)) for member, values in self._values.items()}
        return {member: found[text] for member, text in whose.items() if text in found}

    async def _send(self, call: MembershipCall, asked: str, about: Mapping[str, str], *, within: float) -> Any:
        """The answer as JSON. Raises _Refused."""
        url = self._secrets.reveal(render(call.url, self._values[asked]))
        body = self._secrets.reveal(render(call.body, about))
        try:
            async with asyncio.timeout(within):
                answer = await self._client.request(call.method, url, content=body)
        except TimeoutError:
            raise _Refused(f"no answer within {within:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ExceptionGroup) as error:
            raise _Refused(self._secrets.redactor.text(str(error) or type(error).__name__)) from None
        if not answer.is_success:
            said = self._secrets.redactor.text(answer.text[:_QUOTED])
            raise _Refused(f"status {answer.status_code}: {said}")
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            raise _Refused("the answer is not JSON") from None
