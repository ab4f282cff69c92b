"""Who approved a run's protected environment, by what GitHub says of it.

Takes the JSON of ``GET /repos/{owner}/{repo}/actions/runs/{run_id}/approvals``; gives the approver. Refuses where nobody
approved, where somebody rejected, and where the only approval is of who asked: an environment without required reviewers lets
anybody through and records nobody. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from meshkit_chaos.errors import CannotRun, UsageError


class _Named(msgspec.Struct, frozen=True):
    name: str


class _User(msgspec.Struct, frozen=True):
    login: str


class _Approval(msgspec.Struct, frozen=True):
    state: str
    user: _User
    environments: tuple[_Named, ...]


def approver(data: bytes, *, environment: str, author: str) -> str:
    """The login of the last person who approved the environment. Raises UsageError for what is no such answer, CannotRun for no
    approval that counts.
    """
    try:
        every = msgspec.json.decode(data, type=tuple[_Approval, ...])
    except msgspec.MsgspecError as error:
        raise UsageError(f"not GitHub's list of approvals: {error}", hint="save the answer of the run's /approvals") from error
    mine = [item for item in every if any(named.name == environment for named in item.environments)]
    if any(item.state == "rejected" for item in mine):
        raise CannotRun(f"{environment} was rejected by {_logins(mine, 'rejected')}", hint="there is no override")
    others = [item.user.login for item in mine if item.state == "approved" and not _same(item.user.login, author)]
    if not others:
        by = _logins(mine, "approved")
        raise CannotRun(
            f"nobody but {author}, who asks for it, approved {environment}" if by else f"nobody approved {environment}",
            hint="protect the environment with required reviewers, and let one of them approve",
        )
    return others[-1]


def _logins(approvals: Iterable[_Approval], state: str) -> str:
    return ", ".join(item.user.login for item in approvals if item.state == state)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
