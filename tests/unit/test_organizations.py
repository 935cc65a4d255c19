"""What the calls to Organizations believe of an answer, and what they do not."""

from __future__ import annotations

from typing import Any

import pytest

from handshake_acceptor.observed import unknown_account
from handshake_acceptor.organizations import Organizations
from handshake_core.handshake import Account, Handshake, InvalidHandshake, Role
from handshake_core.retry import Clock
from local.world import MANAGEMENT, MEMBER, ORGANIZATION, OTHER_MANAGEMENT, World

HANDSHAKE_CALLS = ("describe", "accept", "decline")
WHOLE = {"Id": ORGANIZATION, "MasterAccountId": MANAGEMENT}


@pytest.fixture
def world() -> World:
    return World()


def organizations(world: World) -> Organizations:
    clock = Clock(now=lambda: world.now, remaining=lambda: 60.0, sleep=world.sleep, random=lambda: 1.0)
    return Organizations(world.client, clock)  # type: ignore[arg-type] # it has the operations, and no more


@pytest.mark.parametrize("call", HANDSHAKE_CALLS)
def test_an_answer_about_another_handshake_is_not_taken_for_the_one_that_was_asked_for(world: World, call: str) -> None:
    asked, other = world.invite(), world.invite(OTHER_MANAGEMENT)
    answer = world.service.call("DescribeHandshake", MEMBER, {"HandshakeId": other})
    setattr(world.client, f"{call}_handshake", lambda **_: answer)
    seen = getattr(organizations(world), call)(asked)
    assert isinstance(seen, InvalidHandshake)
    assert (seen.id, [reason.code for reason in seen.reasons]) == (asked, ["OTHER_HANDSHAKE"])
    assert other in str(seen.reasons[0].as_dict())


@pytest.mark.parametrize("call", HANDSHAKE_CALLS)
@pytest.mark.parametrize("answer", [None, {}, {"Handshake": None}, {"Handshake": {}}, {"Handshake": {"Id": "x"}}])
def test_an_answer_that_shows_no_handshake_is_an_invalid_one_by_the_id_that_was_asked_for(
    world: World, call: str, answer: Any
) -> None:
    asked = world.invite()
    setattr(world.client, f"{call}_handshake", lambda **_: answer)
    seen = getattr(organizations(world), call)(asked)
    assert isinstance(seen, InvalidHandshake)
    assert seen.id == asked


@pytest.mark.parametrize(
    "organization",
    [
        None,
        {},
        {"MasterAccountId": MANAGEMENT},
        {"Id": ORGANIZATION},
        WHOLE | {"Id": "o-\u0435xampleorgid"},
        WHOLE | {"Id": f"{ORGANIZATION}\n"},
        WHOLE | {"Id": 7},
        WHOLE | {"MasterAccountId": "11111111111"},
        WHOLE | {"MasterAccountId": int(MANAGEMENT)},
    ],
)
def test_an_organization_that_cannot_be_believed_makes_no_member_and_no_standalone_account(
    world: World, organization: Any
) -> None:
    world.client.describe_organization = lambda **_: {"Organization": organization}
    assert organizations(world).account(MEMBER, "aws") == unknown_account(MEMBER, "aws")


def test_an_organization_that_can_be_believed_makes_a_member(world: World) -> None:
    world.client.describe_organization = lambda **_: {"Organization": WHOLE}
    assert organizations(world).account(MEMBER, "aws") == Account(MEMBER, "aws", Role.MEMBER, ORGANIZATION)


def test_of_what_two_pages_show_the_later_one_stands(world: World) -> None:
    """A list can change between two of its pages, and then shows one handshake twice."""
    invited = world.invite()
    raw = world.service.call("DescribeHandshake", MEMBER, {"HandshakeId": invited})["Handshake"]
    pages = [{"Handshakes": [raw], "NextToken": "1"}, {"Handshakes": [raw | {"State": "OPEN"}], "NextToken": "2"}]
    pages.append({"Handshakes": [raw | {"State": "DECLINED"}]})
    world.client.list_handshakes_for_account = lambda **request: pages[int(request.get("NextToken", "0"))]
    assert organizations(world).list().handshakes == ()
    (seen,) = organizations(world).list({invited}).handshakes
    assert isinstance(seen, Handshake)
    assert seen.state == "DECLINED"


def test_what_has_no_usable_id_is_kept_each_by_itself(world: World) -> None:
    raw = world.service.call("DescribeHandshake", MEMBER, {"HandshakeId": world.invite()})["Handshake"]
    pages = {"Handshakes": [raw | {"Id": ""}, raw | {"Id": "\u0445"}, raw]}
    world.client.list_handshakes_for_account = lambda **_: pages
    listing = organizations(world).list()
    assert listing.count == 3
    assert [isinstance(each, InvalidHandshake) for each in listing.handshakes] == [False, True, True]
