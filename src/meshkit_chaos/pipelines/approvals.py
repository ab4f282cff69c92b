"""Who approved a run's protected environment, by what GitHub or Azure DevOps says of it.

Takes GitHub's JSON of ``GET /repos/{owner}/{repo}/actions/runs/{run_id}/approvals``, or Azure's of
``GET …/_apis/build/builds/{id}/timeline`` and ``GET …/_apis/pipelines/approvals?approvalIds=…&$expand=steps``; gives the
approver. Refuses where nobody approved, where somebody rejected, and where the only approval is of who asked: an environment
without approvers lets anybody through and records nobody. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

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
    _known((author,))
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


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    type: str
    parent_id: str | None = None
    name: str | None = None
    identifier: str | None = None


class _Timeline(msgspec.Struct, frozen=True):
    records: tuple[_Record, ...]


class _Person(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    unique_name: str


class _Step(msgspec.Struct, frozen=True, rename="camel"):
    status: str
    actual_approver: _Person | None = None


class _AzureApproval(msgspec.Struct, frozen=True):
    status: str
    steps: tuple[_Step, ...]


class _AzureApprovals(msgspec.Struct, frozen=True):
    value: tuple[_AzureApproval, ...]


def approval_id(data: bytes, *, stage: str) -> str:
    """The id of the one approval that a stage of a run of Azure waited for, by the run's timeline.

    Azure holds up whole stages, and does not say which resource an approval is of. So there must be exactly one: raises
    CannotRun for none and for several, UsageError for what is no timeline of that stage.
    """
    hint = "save the answer of the run's /timeline"
    try:
        records = {record.id: record for record in msgspec.json.decode(data, type=_Timeline).records}
    except msgspec.MsgspecError as error:
        raise UsageError(f"not Azure's timeline of a run: {error}", hint=hint) from error
    stages = {item.id for item in records.values() if item.type == "Stage" and stage in (item.identifier, item.name)}
    if not stages:
        raise UsageError(f"the timeline has no stage {stage}", hint=hint)
    asked = [
        item.id
        for item in records.values()
        if item.type == "Checkpoint.Approval" and any(above.id in stages for above in _above(item, records))
    ]
    if not asked:
        raise CannotRun(f"nobody was asked to approve the stage {stage}", hint="add the check `Approvals` to the environment")
    if len(asked) > 1:
        raise CannotRun(
            f"{len(asked)} approvals were asked for the stage {stage}, and which is the environment's cannot be told",
            hint="use no other resource with an approval in this stage: deploy in a later one",
        )
    try:
        return str(UUID(asked[0]))
    except ValueError as error:
        raise UsageError(f"the timeline has an approval {asked[0]!r}, which is no id", hint=hint) from error


def azure_approver(data: bytes, *, authors: tuple[str, ...]) -> str:
    """The unique name (an address) of the last person who approved. ``authors``: every name and id of the one person who asks.

    Raises UsageError for what is no such answer, CannotRun for no approval that counts.
    """
    _known(authors)
    hint = "save the answer of /pipelines/approvals with $expand=steps, of one approval"
    try:
        every = msgspec.json.decode(data, type=_AzureApprovals).value
    except msgspec.MsgspecError as error:
        raise UsageError(f"not Azure's list of approvals: {error}", hint=hint) from error
    if len(every) != 1:
        raise UsageError(f"Azure's list has {len(every)} approvals, where one was asked for", hint=hint)
    (approval,) = every
    bad = [step for step in approval.steps if step.status == "rejected"]
    if approval.status != "approved" or bad:
        by = ", ".join(step.actual_approver.unique_name for step in bad if step.actual_approver)
        raise CannotRun(
            f"the approval is {'rejected' if bad else approval.status}{f' by {by}' if by else ''}", hint="there is no override"
        )
    people = [step.actual_approver for step in approval.steps if step.status == "approved" and step.actual_approver]
    others = [
        person.unique_name
        for person in people
        if person.unique_name.strip()
        and not any(_same(name, author) for name in (person.unique_name, person.id) for author in authors)
    ]
    if not others:
        raise CannotRun(
            f"nobody but {authors[0]}, who asks for it, approved" if people else "nobody approved",
            hint="let another of the environment's approvers approve",
        )
    return others[-1]


def _above(record: _Record, records: dict[str, _Record]) -> Iterator[_Record]:
    """What a record hangs on, up to the top. A circle ends where it began."""
    seen = {record.id}
    while (above := records.get(record.parent_id or "")) is not None and above.id not in seen:
        seen.add(above.id)
        yield above
        record = above


def _known(authors: tuple[str, ...]) -> None:
    """Nobody can be told from an author who has no name."""
    if not authors or not all(author.strip() for author in authors):
        raise UsageError("who asks for the override has no name", hint="--author takes the name that the platform knows")


def _logins(approvals: Iterable[_Approval], state: str) -> str:
    return ", ".join(item.user.login for item in approvals if item.state == state)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
