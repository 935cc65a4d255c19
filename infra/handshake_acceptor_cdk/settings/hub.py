"""What a deploy of the hub is told: which accounts may share their figures with it and tell it what happens there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from handshake_acceptor_cdk.settings.reading import HUB, checked, refuse_mistakes, schema

MOST_ACCOUNTS: Final = 140
"""A bus's policy holds 10,240 characters, and an account in it takes up to 41 of them, as AWS may write it out.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

_SHARED: Final = ("alarmEmail", "observabilitySink", "runbook")
_SCHEMA: Final[dict[str, Any]] = {
    "definitions": schema()["definitions"],
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "accounts": {"type": "array", "items": {"$ref": "#/definitions/AccountId"}},
        "organizations": {"type": "array", "items": {"$ref": "#/definitions/OrganizationId"}},
        "messageTopic": {
            "type": "string",
            "title": "the ARN of an SNS topic",
            "pattern": "^arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$",
        },
        **{name: schema()["properties"][name] for name in _SHARED},
    },
}


@dataclass(frozen=True, slots=True)
class HubSettings:
    """The object `handshakeHub` in cdk.json. At least one of the first two names somebody. Raises `WrongSettings`."""

    region: str | None = None
    """That of the accounts that link to it. None: where the stage is."""
    accounts: Sequence[str] = ()
    """Accounts that may link themselves and put events, whatever organization they are in."""
    organizations: Sequence[str] = ()
    """Organizations of which every account may."""
    observability_sink: str = ""
    """A sink that this account has already, one a region, with its own policy. Empty: the hub makes it."""
    message_topic: str = ""
    """A topic of this account that takes the messages; its policy must admit EventBridge. Empty: the hub makes one."""
    alarm_email: str = ""
    """Who is sent the messages, once that person has confirmed; only where the hub makes the topic."""
    runbook: str = "docs/runbook.md"
    """Where your copy of it is: what is told of an alarm points to it."""

    def __post_init__(self) -> None:
        refuse_mistakes(self, _SCHEMA, self.region, _together)

    def admitted(self) -> Iterator[tuple[str, Any, dict[str, Any]]]:
        """Whom its policies admit: a statement's id and principal, and what it demands of the caller's keys."""
        if self.accounts:
            yield "Accounts", {"AWS": list(self.accounts)}, {}
        if self.organizations:
            yield "Organizations", "*", {"aws:PrincipalOrgID": list(self.organizations)}


def parse(raw: Any, region: str) -> HubSettings:
    """Settings as JSON gives them, for a deploy to `region`. Raises `WrongSettings` with every mistake."""
    named = checked({} if raw is None else raw, _SCHEMA, region, context=HUB, together=_together)
    lists = {name: tuple(named[name]) for name in named.keys() & {"accounts", "organizations"}}
    return HubSettings(region=region, **named | lists)


def _together(raw: dict[str, Any]) -> Iterator[tuple[str, str]]:
    accounts = raw.get("accounts") or ()
    if not (accounts or raw.get("organizations")):
        yield "", f"accounts and organizations of {HUB} are empty, so nobody could link; name at least one"
    if len(accounts) > MOST_ACCOUNTS:
        room = f"{len(accounts)} accounts; the policy of an event bus has room for {MOST_ACCOUNTS}"
        yield "/accounts", f"{room}. Name the organization of those that have arrived in organizations"
    if raw.get("messageTopic") and raw.get("alarmEmail"):
        yield "/alarmEmail", "is for the topic that the hub makes, and messageTopic names another; subscribe there"
