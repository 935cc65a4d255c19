"""What a check came to: a verdict, what it saw, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum

from botocore.exceptions import ClientError

from handshake_core import retry
from handshakectl.failures import error_code, explained

_ABSENT = (
    "ResourceNotFoundException",
    "ResourceNotFound",
    "ValidationError",  # what CloudFormation says of a stack that is not there
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NoSuchEntity",
    "NotFound",  # a topic
)


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WRONG = "wrong"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer, for a line of its own."""

    check: str
    verdict: Verdict
    why: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


class Wrong(Exception):
    """A check that found something wrong: why, and what to do."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(why)
        self.why, self.advice = why, advice


class Unclear(Wrong):
    """A check that could not be made: why, and what to do."""


def not_entered(why: str) -> Finding:
    """An account of which nothing could be seen."""
    return Finding("account", Verdict.CANNOT_TELL, why, "see that the credentials may enter the account")


def finding(name: str, check: Callable[[], str]) -> Finding:
    """What a check came to."""
    try:
        return Finding(name, Verdict.OK, check())
    except Unclear as error:
        return Finding(name, Verdict.CANNOT_TELL, error.why, error.advice)
    except Wrong as error:
        return Finding(name, Verdict.WRONG, error.why, error.advice)
    except ClientError as error:
        if error_code(error) in _ABSENT:
            return Finding(name, Verdict.WRONG, f"it is not there ({error.operation_name})", "deploy: cdk deploy")
        return Finding(name, Verdict.CANNOT_TELL, explained(error), "ask with credentials that may read it")
    except retry.READ_FAILURES as error:
        return Finding(name, Verdict.CANNOT_TELL, explained(error), "check region and network, then try again")
