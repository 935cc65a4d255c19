"""The construct for somebody else's stack: the same acceptor as in a stack of its own; settings that are checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Environment, Stack, Stage
from aws_cdk.assertions import Template

from handshake_acceptor_cdk import (
    AcceptorStack,
    Action,
    HandshakeAcceptor,
    HubSettings,
    Origin,
    PolicyFile,
    RelaySettings,
    RelayStack,
    Settings,
    WrongSettings,
)
from tests.support.synthesis import ACCOUNT, LOCAL, ROOT, STAND_IN, Deployed, app, synthesize

ORIGIN = Origin("o-exampleorgid", "111111111111")


def somebodys_stack(region: str | None = "us-east-1") -> Stack:
    return Stack(app(), "Baseline", env=Environment(account=ACCOUNT, region=region))


def without_ids(stack: Stack) -> list[str]:
    """The resources of a stack, without their ids and what follows from them: where they are in the tree."""
    template = Template.from_stack(stack).to_json()
    ids = "|".join(sorted(template["Resources"], key=len, reverse=True))
    following = r'"aws:cdk:path": "[^"]*"|AllowEventRule\w+'
    texts = (json.dumps(each, sort_keys=True) for each in template["Resources"].values())
    return sorted(re.sub(following, "", re.sub(f'"({ids})"', '"an id"', text)) for text in texts)


def test_the_construct_makes_what_the_stack_makes() -> None:
    settings = Settings(
        region="us-east-1",
        origins=[ORIGIN, Origin("o-sandbox0001", "333333333333", [Action.INVITE, Action.ENABLE_ALL_FEATURES])],
        management_accounts=["111111111111"],
        policy=PolicyFile.read("local/demo/allowlist.json", ROOT),
        tracing=True,
    )
    stack = somebodys_stack()
    HandshakeAcceptor(stack, "Handshakes", settings=settings, asset=STAND_IN)
    alone = AcceptorStack(app(), "HandshakeAcceptor", settings=settings, asset=STAND_IN, account=ACCOUNT)
    for one, other in zip(without_ids(stack), without_ids(alone), strict=True):
        assert one == other


def test_settings_in_python_are_those_in_json() -> None:
    typed = Settings(
        region="us-east-1",
        origins=[
            Origin("o-exampleorgid", "111111111111", [Action.INVITE, Action.ENABLE_ALL_FEATURES]),
            Origin("o-sandbox0001", "333333333333"),
        ],
        management_accounts=["111111111111", "333333333333"],
    )
    stack = AcceptorStack(app(), "HandshakeAcceptor", settings=typed, asset=STAND_IN, account=ACCOUNT)
    assert Deployed(stack).template == Deployed(synthesize(LOCAL)).template


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: Settings(origins=[Origin("example", "111111111111")]), "/origins/0/organizationId"),
        (lambda: Settings(origins=[Origin("o-exampleorgid", "111111111111", [])]), "/origins/0/actions"),
        (lambda: Settings(origins=[ORIGIN], allow_any_origin=True), "/allowAnyOrigin"),
        (lambda: Settings(sweep_minutes=4), "/sweepMinutes"),
        (lambda: Settings(prefix="policy"), "/prefix"),
        (lambda: RelaySettings(log_retention_days=2), "/logRetentionDays"),
        (lambda: HubSettings(), "/"),
        (lambda: HubSettings(accounts=["1"]), "/accounts/0"),
        (lambda: PolicyFile.read("cdk.json", ROOT), "/policy"),
    ],
)
def test_wrong_settings_are_refused_in_python_too(make: Callable[[], Any], place: str) -> None:
    with pytest.raises(WrongSettings, match=f"^setting {re.escape(place)}: "):
        make()


def test_a_stack_in_another_region_is_refused_and_one_for_any_region_is_not() -> None:
    with pytest.raises(WrongSettings, match=r"^region eu-west-1: "):
        HandshakeAcceptor(somebodys_stack("eu-west-1"), "Handshakes", settings=Settings(), asset=STAND_IN)
    HandshakeAcceptor(somebodys_stack(None), "Handshakes", settings=Settings(), asset=STAND_IN)


@pytest.mark.parametrize(
    ("region", "settings", "place"),
    [
        (
            "us-east-1",
            {"observability_sink": "arn:aws-us-gov:oam:us-gov-west-1:111111111111:sink/1"},
            "observabilitySink",
        ),
        ("us-gov-west-1", {"observability_sink": "arn:aws:oam:us-east-1:111111111111:sink/1"}, "observabilitySink"),
        ("cn-northwest-1", {"tracing": True}, "tracing"),
    ],
)
def test_settings_that_name_no_region_are_held_against_the_stacks(
    region: str, settings: dict[str, Any], place: str
) -> None:
    with pytest.raises(WrongSettings, match=f"^setting /{place}: "):
        HandshakeAcceptor(somebodys_stack(region), "Handshakes", settings=Settings(**settings), asset=STAND_IN)
    stage = Stage(app(), "There", env=Environment(account=ACCOUNT, region=region))
    with pytest.raises(WrongSettings, match=f"^setting /{place}: "):
        RelayStack(stage, "Relay", settings=RelaySettings(**settings), asset=STAND_IN)
