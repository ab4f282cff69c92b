"""The API's answers are bounded, and what one leaves out is asked for by the next question."""

from __future__ import annotations

from typing import Any

import pytest
from gate_worlds import NOW, history, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.api import ENDPOINTS, MOST, ROOT, USUAL, Api, WholeInvocation, answer
from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.openapi import description
from meshkit_chaos.dashboard.sources import Settings, Sources, no_evidence
from meshkit_chaos.errors import UsageError
from meshkit_chaos.slo.codec import encode

SCENARIOS = 250
PATH = f"{ROOT}/invocations/{{invocation}}"


def asked(**parameters: str) -> WholeInvocation:
    """An invocation of many scenarios, one of which failed."""
    held = history(
        *(
            result("fail" if number == 200 else "pass", scenario=f"s{number:03}", invocation="I1", hours=2)
            for number in reversed(range(SCENARIOS))
        )
    )
    sources = Sources(reader=held, settings=Settings(project="m"), clock=ManualClock(wall_ns=NOW))
    endpoint = next(one for one in ENDPOINTS if one.path == PATH)
    told = answer(Api(held, Feeds(sources), no_evidence), endpoint, {"invocation": "I1", **parameters})
    assert isinstance(told, WholeInvocation)
    return told


def test_an_invocation_of_many_scenarios_is_answered_in_parts() -> None:
    """The usual answer holds so many results in the order of their names, and says after which one to go on."""
    told = asked()
    assert [one.scenario for one in told.results] == [f"s{number:03}" for number in range(USUAL)]
    assert told.more_after == f"s{USUAL - 1:03}"
    assert len(encode(told)) < 100_000


@pytest.mark.parametrize("limit", [1, 49, 125, MOST])
def test_parts_hold_every_result_once(limit: int) -> None:
    """Whoever goes on until nothing is left has all of them, each once."""
    found: list[str] = []
    told = asked(limit=str(limit))
    while True:
        found += [one.scenario for one in told.results]
        if not told.more_after:
            break
        told = asked(limit=str(limit), after=told.more_after)
    assert found == [f"s{number:03}" for number in range(SCENARIOS)]


def test_a_part_says_what_the_whole_invocation_came_to() -> None:
    """All scenarios are named in it, so that nobody takes a part without the failure for the whole."""
    told = asked(limit="10")
    assert len(told.invocation.announced) == SCENARIOS
    assert told.more_after


def test_after_the_last_there_is_nothing() -> None:
    """No result and nothing more, and that is no error: the invocation is there."""
    told = asked(after=f"s{SCENARIOS - 1:03}")
    assert (told.results, told.more_after) == ((), "")


@pytest.mark.parametrize("wrong", [{"limit": "0"}, {"limit": str(MOST + 1)}, {"limit": "x"}, {"after": ""}, {"before": "1"}])
def test_what_is_no_question_is_refused(wrong: dict[str, str]) -> None:
    """A wrong number, an empty name and an unknown parameter are errors of the asker."""
    with pytest.raises(UsageError):
        asked(**wrong)


def test_the_description_tells_of_the_parts() -> None:
    """A client that is made from it knows how to go on."""
    described: dict[str, Any] = description()
    names = [one["name"] for one in described["paths"][PATH]["get"]["parameters"]]
    assert names == ["invocation", "limit", "after"]
    assert "more_after" in described["components"]["schemas"]["WholeInvocation"]["properties"]
