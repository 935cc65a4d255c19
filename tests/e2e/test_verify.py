"""`handshakectl verify` against the embedded AWS: green on the real stack, and red for lies planted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from time import sleep

import pytest

from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws
from handshakectl.account.verification.everything import checks_of
from handshakectl.account.verification.proof import Proof, Verdict, proved
from handshakectl.account.verification.wakes import Patience
from tests.e2e.conftest import Acceptor
from tests.support.origins import ALLOWED, MEMBER, PREFIX

STRANGER = "999999999999"


class Time:
    """Real time, and what was slept away of it; who sleeps brings the next sweep forward."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor, self._slept, self.sweeps = acceptor, timedelta(0), 0

    def now(self) -> datetime:
        return datetime.now(UTC) + self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += timedelta(seconds=seconds)
        sleep(min(seconds, 1.0))
        if self.sweeps == 0:
            self._acceptor.aws.sweep_now(MEMBER)
            self.sweeps += 1


@pytest.fixture
def verify(acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Proof]]]:
    acceptor.allow(ALLOWED)
    acceptor.wake_on_policy_changes()
    acceptor.start_the_sweep()
    names = count()

    def as_account(account: str) -> Aws:
        for name, value in acceptor.aws.environment(account).items():
            monkeypatch.setenv(name, value)
        return Aws(None, "us-east-1").with_credentials(
            {"AccessKeyId": account, "SecretAccessKey": "test", "SessionToken": "", "Expiration": datetime.now(UTC)}
        )

    def verified(stranger: bool = False) -> dict[str, Proof]:
        time, ours = Time(acceptor), as_account(MEMBER)
        deployed = Deployment(ours, ours.caller(), None, PREFIX)
        other = as_account(STRANGER) if stranger else None
        named = lambda: f"verify{next(names):010}"  # noqa: E731
        checks = checks_of(deployed, Patience(time.now, time.sleep, 300), named, other)
        return {check.name: proved(check) for check in checks}

    return verified


def test_everything_is_proven(acceptor: Acceptor, verify: Callable[..., dict[str, Proof]]) -> None:
    found = verify(stranger=True)
    assert [proof.as_dict() for proof in found.values() if proof.verdict is not Verdict.PROVEN] == []
    history = acceptor.client("ssm").get_parameter_history(Name=f"{PREFIX}mode")["Parameters"]
    assert [version["Labels"] for version in history] == [[]]
