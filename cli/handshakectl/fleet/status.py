"""One account's line of `status`: a few of doctor's checks, and what they looked at.

It costs six calls: one to enter the account, one each for stack, parameters, handshakes, schedule and log. One more
where a handshake waits (its organization), two more where a StackSet named the stack, and three in all where nothing
is deployed; a policy of more than ten parameters, or a long log, takes a call for every further page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from handshake_acceptor.policy.decide import InvalidPolicy
from handshake_acceptor.policy.documents import Mode
from handshake_core import retry
from handshakectl.account.checks import Checks, Finding, Verdict, finding
from handshakectl.account.deployment import Deployment
from handshakectl.account.waiting import nobody_allows
from handshakectl.fleet.selection import Target, label

NOT_DEPLOYED = "not deployed"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Status:
    """How one account is. None is what could not be seen."""

    account_id: str | None
    profile: str | None
    problems: tuple[Finding, ...]
    """Every check that did not come to ok."""
    deployed: str | None = None
    """The stack's status, or `NOT_DEPLOYED`."""
    mode: str | None = None
    policy_version: str | None = None
    policy_mistake: str | None = None
    """Where the first one is, in a policy that is invalid."""
    pending: int | None = None
    nobody_allows: int | None = None
    """How many of the pending ones no statement allows or denies."""
    last_sweep: str | None = None
    """When the function last ran; None if not within two sweeps."""

    @property
    def verdict(self) -> Verdict:
        """What all checks came to."""
        found = {each.verdict for each in self.problems}
        return next((each for each in (Verdict.WRONG, Verdict.CANNOT_TELL) if each in found), Verdict.OK)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "account_id": self.account_id,
            "profile": self.profile,
            "verdict": self.verdict.value,
            "deployed": self.deployed,
            "mode": self.mode,
            "policy_version": self.policy_version,
            "pending": self.pending,
            "nobody_allows": self.nobody_allows,
            "last_sweep": self.last_sweep,
            "problems": [each.as_dict() for each in self.problems],
        }

    def cells(self) -> list[str]:
        """For a table with `HEADERS`."""
        policy = self.policy_version or (f"invalid: {self.policy_mistake}" if self.policy_mistake else None)
        pending = str(self.pending) if self.pending is not None else None
        if self.nobody_allows:
            pending = f"{pending} ({self.nobody_allows} nobody allows)"
        seen = (self.deployed, self.mode, policy, pending, self.last_sweep)
        unseen = "-" if self.deployed == NOT_DEPLOYED else "?"
        why = "; ".join(f"{each.check}: {each.why}" for each in self.problems)
        return [self.verdict, label(self.account_id, self.profile), *(cell or unseen for cell in seen), why]


HEADERS = ("verdict", "account", "deployed", "mode", "policy", "pending", "last sweep", "why")


def status_of(target: Target, stack: str | None, prefix: str) -> Status:
    """How the account is. Raises what botocore raises where it cannot be entered."""
    aws, caller = target.enter()
    deployed = Deployment(aws, caller, stack, prefix)
    check = Checks(deployed)
    there = finding("stack", check.stack)
    stack_status = _seen(lambda: str(deployed.stack["StackStatus"]))
    if there.verdict is Verdict.WRONG and stack_status is None:
        return Status(caller.account_id, target.profile, (there,), NOT_DEPLOYED)
    asked = {"region": check.region, "policy": check.policy, "pending": check.pending, "last run": check.last_run}
    findings = [there, *(finding(name, one) for name, one in asked.items())]
    policy = _seen(lambda: deployed.snapshot.policy)
    run = _seen(lambda: deployed.last_run)
    mistake = policy.errors[0] if isinstance(policy, InvalidPolicy) else None
    return Status(
        caller.account_id,
        target.profile,
        tuple(each for each in findings if each.verdict is not Verdict.OK),
        stack_status,
        _seen(lambda: _mode(deployed.parameters.mode)),
        None if policy is None or isinstance(policy, InvalidPolicy) else policy.version,
        f"{mistake.document.removeprefix(prefix)} {mistake.pointer}".rstrip() if mistake else None,
        _seen(lambda: len(deployed.pending.handshakes)),
        _seen(lambda: nobody_allows(deployed.pending)),
        run[0].isoformat(timespec="seconds") if run else None,
    )


def _mode(text: str | None) -> str:
    """A mode as it is, if it is one; what else somebody wrote there may not be fit to show."""
    return "none" if text is None else text if text in set(Mode) else "invalid"


def _seen(read: Callable[[], T]) -> T | None:
    """What a check has read already; None where AWS refused it, which is that check's own answer."""
    try:
        return read()
    except retry.READ_FAILURES:
        return None
