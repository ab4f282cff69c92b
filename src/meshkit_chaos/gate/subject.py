"""What is to be released, and whether a result is of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from meshkit_chaos.gate.policy import Match
from meshkit_chaos.history.model import PastInvocation, PastScenario


class Subject(Struct, frozen=True, kw_only=True):
    """``pairs``: as stated. ``members``: SHA-256 by member. ``digests``: of files, any member may have been one of them."""

    pairs: dict[str, str] = {}
    members: dict[str, str] = {}
    digests: tuple[str, ...] = ()

    @property
    def commit(self) -> str:
        return self.pairs.get("commit", "")

    def known(self, match: Match) -> bool:
        """Whether enough is stated to tell its results from others."""
        stated = (self.commit,) if match == "commit" else (*self.members.values(), *self.digests)
        return bool(stated) and all(one.strip() for one in stated)

    def tested_by(self, result: PastScenario, match: Match) -> bool:
        """Whether a result is of this subject.

        By digest: a pass only if every binary of every run that tells them is accounted for; anything else if a single run's
        are, so that a run which died before it deployed takes no failure out of sight.
        """
        if match == "commit":
            return bool(self.commit) and result.subject.get("commit") == self.commit
        own = [self._deployed(run.binaries) for run in result.runs if run.binaries]
        return bool(own) and all(own) if result.verdict == "pass" else any(own)

    def _deployed(self, binaries: Mapping[str, str]) -> bool:
        return all(
            bool(digest.strip()) and (digest == self.members[member] if member in self.members else digest in self.digests)
            for member, digest in binaries.items()
        )

    def announced_by(self, invocation: PastInvocation) -> bool:
        """Whether an invocation says that it is of this subject: by the commit, as only results have digests."""
        return bool(self.commit) and invocation.subject.get("commit") == self.commit

    def fits(self, wanted: Mapping[str, str]) -> bool:
        """Whether an override's subject is this one: every pair of it, the digest among those that are to be released."""
        every = {*self.digests, *self.members.values()}
        return all(value in every if key == "digest" else self.pairs.get(key) == value for key, value in wanted.items())
