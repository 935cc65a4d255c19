"""What is checked of a relay, in a management account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from handshakectl.account.checks.finding import Wrong
from handshakectl.account.checks.stack import StackChecks
from handshakectl.names import NAME

_LOOKED_BACK = timedelta(days=7)
_LATE = timedelta(minutes=15)
"""Events are in CloudTrail's history, and at EventBridge, within some minutes of the call:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html"""


class RelayChecks(StackChecks):
    """The checks of what passes hints on to invited accounts."""

    def all(self) -> dict[str, Callable[[], str]]:
        """Each check by its name, in the order in which they are told."""
        return {
            "region": self.region,
            "stack": self.stack,
            "function": self.function,
            "trail": self.trail,
            "rules": self.rules,
            "permissions": self.permissions,
            "queue": self.queue,
            "subscribers": self.subscribers,
            "hints": self.hints,
        }

    def trail(self) -> str:
        """Whether a trail records invitations here, without which no hint is sent."""
        if not self._has_trail():
            advice = "make a trail that logs management events that write, in this account and region"
            raise Wrong("no trail here logs what is written, so that no record of an invitation arrives", advice)
        return "a trail logs what is written"

    def rules(self) -> str:
        """Whether rules wake the function, and none of them is disabled."""
        return f"enabled: {self._rules_of('default', 'no hint is sent')} on default"

    def permissions(self) -> str:
        """Asks IAM whether the function's role may send hints, find whom to send them to, and report."""
        self._may(
            {
                "events:PutEvents": [self._deployed.arn("events", f"event-bus/{NAME}")],
                "organizations:ListHandshakesForOrganization": ["*"],
                "sqs:SendMessage": [self._queue_arn()],
                "logs:PutLogEvents": [self._log_arn()],
            }
        )
        return "the function's role may send hints, and report"

    def hints(self) -> str:
        """Whether the last invitation that CloudTrail knows had its hint."""
        now = datetime.now(UTC)
        sent = dict(self._deployed.hints_sent)
        came = f"last hint {max(sent.values()).isoformat(timespec='seconds')}" if sent else "no hint in seven days"
        invited = next(self._calls("InviteAccountToOrganization", now - _LOOKED_BACK, now - _LATE), None)
        if invited is None:
            return f"{came}; nobody was invited within seven days"
        time, record = invited
        handshake_id = str(record["responseElements"]["handshake"]["id"])
        if handshake_id not in sent:
            why = f"{handshake_id}, sent at {time.isoformat(timespec='seconds')}, had no hint; {came}"
            raise Wrong(why, "look at the checks trail and rules, and at the function's errors")
        return f"{came}; the last invitation had one"
