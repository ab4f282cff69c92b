"""A delivery that fails is red by itself, and holds up neither the gate nor a release."""

from __future__ import annotations

import pytest
from shipped import USERS, users_files

from meshkit_chaos.pipelines.definition import Definition, read_definition, text_of

TELLING = {"tell", "chaos_tell", "chaos-tell"}
SHOWING = {"dashboard", "pages"}
"""They show what was told, so they come after it, and whatever came of it; nothing comes after them."""
USERS_FILES = {place: text for place, text in users_files().items() if place.endswith((".yml", ".yaml"))}


def waits_for(definition: Definition, job: str) -> set[str]:
    """The jobs that come before a job, and those before them."""
    needs = {one.id: set(one.needs) for one in definition.jobs}
    found: set[str] = set()
    left = set(needs.get(job, ()))
    while left:
        one = left.pop()
        found.add(one)
        left |= needs.get(one, set()) - found
    return found


@pytest.mark.parametrize("place", sorted(USERS_FILES))
def test_no_job_waits_for_one_that_tells(place: str) -> None:
    """A chat, a mail server or a tracker that is down makes its own job red; every other job goes on."""
    definition = read_definition(USERS_FILES[place].encode(), path=place)
    for job in definition.jobs:
        if job.id in SHOWING:
            assert text_of(job.condition).startswith("always()"), job.id
            continue
        assert not waits_for(definition, job.id) & (TELLING | SHOWING), job.id


def test_there_are_jobs_that_tell() -> None:
    """Where nobody is told of anything, the test above would hold for nothing: the nightly of GitHub has such a job."""
    nightly = next(text for place, text in USERS_FILES.items() if place.endswith("nightly.yml") and ".github" in place)
    jobs = {job.id: job for job in read_definition(nightly.encode(), path="nightly.yml").jobs}
    assert "tell" in jobs
    assert waits_for(read_definition(nightly.encode(), path="nightly.yml"), "tell") >= {"chaos", "history", "gate"}
    assert USERS.routes
