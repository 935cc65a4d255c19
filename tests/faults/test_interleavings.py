"""No interleaving of a small world is wrong, and the exploration would see one that is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import interleavings
from tests.faults.broken import remembers, takes_pages_for_one
from tests.faults.fault_world import Wrong
from tests.faults.interleavings import (
    DECLINE,
    DENY,
    FIRST,
    SECOND,
    SMALL,
    Place,
    Replay,
    Run,
    Scenario,
    Worlds,
    allow,
    explore,
)

ENDS = {
    "a Deny comes, goes, and the brake": {"ACCEPTED DECLINED", "ACCEPTED OPEN", "OPEN OPEN"},
    "the brake comes, goes, and a Deny": {"ACCEPTED DECLINED", "ACCEPTED OPEN", "OPEN OPEN"},
    "cancelled while the brake is on": {
        "ACCEPTED DECLINED",
        "ACCEPTED OPEN",
        "CANCELED DECLINED",
        "CANCELED OPEN",
    },
    "two allowed, and one no longer": {"ACCEPTED OPEN", "OPEN OPEN"},
    "a Deny moves between two pages": {"OPEN OPEN"},
}


@pytest.mark.parametrize("scenario", SMALL, ids=lambda scenario: scenario.name)
def test_no_schedule_is_wrong(scenario: Scenario) -> None:
    explored = explore(scenario)
    print(f"{explored.schedules:,} schedules, {explored.states:,} states")
    assert explored.ends == ENDS[scenario.name]
    assert explored.schedules > 1_000_000


def test_schedules_that_are_counted_are_those_that_there_are() -> None:
    """Each walked by itself, without a look at whether another led to the same state."""
    scenario = Scenario("small", {"a": [allow(), DECLINE]}, (DENY,))
    worlds, first = Worlds(scenario), Run()
    ends: dict[str, int] = {}

    def walk(place: Place, depth: int) -> int:
        steps = [step for _, step in interleavings._steps(place, scenario, worlds)]
        if not steps or depth == 0:
            end = " ".join(place[0].handshakes[each].state.value for each in (FIRST, SECOND))
            ends[end] = ends.get(end, 0) + 1
            return 1
        return sum(walk(step, depth - 1) for step in steps)

    walked = walk((worlds.first, 0, (first, ()), (first, ())), 9)
    explored = explore(scenario, most_steps=9)
    assert (explored.schedules, explored.ends) == (walked, set(ends))
    assert walked > 10_000


@pytest.mark.parametrize(
    ("broken", "number", "complaint"),
    [
        (lambda perform: remembers("GetParametersByPath", perform), 0, "the policy was not read after"),
        (lambda perform: remembers("ListHandshakesForAccount", perform), 2, "the list was not read again"),
        (takes_pages_for_one, 4, "at every instant since the policy was read it says DENY"),
    ],
    ids=["reads the policy once", "reads the list once", "believes pages of two moments"],
)
def test_a_broken_run_is_noticed(broken: Any, number: int, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_runs(broken, monkeypatch)
    with pytest.raises(Wrong, match=complaint) as wrong:
        explore(SMALL[number])
    assert "ListHandshakesForAccount {}" in str(wrong.value)  # the schedule that leads there


def test_what_no_schedule_may_lead_to_is_noticed_by_its_end_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    break_runs(takes_pages_for_one, monkeypatch)
    monkeypatch.setattr(interleavings, "judge_send", lambda *_: None)
    with pytest.raises(Wrong, match=f"{FIRST} is ACCEPTED"):
        explore(SMALL[4])


def break_runs(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class BrokenReplay(Replay):
        def __init__(self, answers: Any) -> None:
            super().__init__(answers)
            self.perform = broken(super().perform)  # type: ignore[method-assign]

    monkeypatch.setattr(interleavings, "Replay", BrokenReplay)
