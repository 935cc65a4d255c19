"""The deployed function under faults on the wire: each operation by each fault, alone and in sequences of a seed.

Wrong is a handshake accepted that the policy refuses, or twice, or a record that is not true; lost is one that is not
where the policy says two sweeps after the faults. `pytest -s` prints the matrix; `E2E_FAULT_RUNS` says how many
sequences.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import FUNCTION
from tests.e2e.conftest import Acceptor
from tests.support.fault_proxy import ERRORS, OTHERS, PAGES, FaultProxy, fault_proxy
from tests.support.origins import ALLOWED, BEYOND, DENIED, MEMBER

SEED = 20260101
RANDOM_RUNS = int(os.environ.get("E2E_FAULT_RUNS", "40"))
# The embedded AWS names every exception alike; the messages of our own are these words, each with an error's code.
OWN_FAILURE = re.compile(
    r"(?:(?:LIST_UNREADABLE|POLICY_UNREADABLE|DESCRIBE_HANDSHAKE|DESCRIBE_ORGANIZATION|DEADLINE|ACCEPT_UNCONFIRMED"
    r"|HINTED_HANDSHAKE_NOT_SEEN)(?: \w+)?(?:, |$))+"
)
# DeclineHandshake is not among them: the deployed role may decline nothing.
OPERATIONS = (
    "ListHandshakesForAccount",
    "DescribeHandshake",
    "DescribeOrganization",
    "AcceptHandshake",
    "GetParametersByPath",
)
PAIRS = [
    *((operation, kind) for operation in OPERATIONS for kind in (*ERRORS, *OTHERS)),
    *((operation, "repeated page") for operation in PAGES),
]


@pytest.fixture(scope="module")
def proxy(deployed: Acceptor) -> Iterator[FaultProxy]:
    """Between the function and the embedded AWS, for as long as this module runs."""
    lambda_ = deployed.client("lambda")
    before = lambda_.get_function_configuration(FunctionName=FUNCTION)["Environment"]
    with fault_proxy(deployed.aws.endpoint) as proxy:
        variables = before["Variables"] | {"AWS_ENDPOINT_URL": proxy.endpoint}
        lambda_.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})
        try:
            yield proxy
        finally:
            lambda_.update_function_configuration(FunctionName=FUNCTION, Environment=before)


class Scenario:
    """One invitation that is allowed and two that are not; what became of them; what the records said."""

    def __init__(self, acceptor: Acceptor, proxy: FaultProxy) -> None:
        self.acceptor, self.proxy = acceptor, proxy
        admin = acceptor.aws.admin
        admin.reset()
        for origin in (ALLOWED, DENIED, BEYOND):
            admin.add_organization(
                organization_id=origin.organization_id, management_account_id=origin.management_account_id
            )
        target = {"action": "INVITE", "target": MEMBER}
        self.wanted = admin.add_handshake(organization_id=ALLOWED.organization_id, **target)
        self.refused = [
            admin.add_handshake(organization_id=each.organization_id, **target) for each in (DENIED, BEYOND)
        ]
        foreign = target | {"target": "999999999999"}
        self.foreign = admin.add_handshake(organization_id=ALLOWED.organization_id, **foreign)

    def run(self, *plan: tuple[str, str], hint: bool = False) -> str:
        """Runs under a plan, then twice without; empty if all is well."""
        self.proxy.plan.extend(plan)
        event = {"source": "handshake-acceptor.relay", "handshake_id": self.foreign} if hint else None
        if wrong := self._judged(*self.acceptor.invoke(event)):
            return wrong
        self.proxy.plan.clear()
        for _ in range(2):
            failed, answer = self.acceptor.invoke()
            if wrong := self._judged(failed, answer):
                return wrong
            if self._state(self.wanted) == "ACCEPTED":
                break
        return "" if self._state(self.wanted) == "ACCEPTED" else f"lost: {self._state(self.wanted)}"

    def _state(self, handshake_id: str) -> str:
        return str(self.acceptor.handshake(handshake_id)["state"])

    def _judged(self, failed: bool, answer: dict[str, Any]) -> str:
        if failed and not OWN_FAILURE.fullmatch(answer["errorMessage"]):
            return f"wrong: not its own failure: {answer}"
        for record in () if failed else answer["decisions"]:
            accepted = record["outcome"] in ("ACCEPTED", "ALREADY_ACCEPTED")
            if record["handshake_id"] and accepted != (self._state(record["handshake_id"]) == "ACCEPTED"):
                return f"wrong: {record}"
        for handshake in self.acceptor.aws.admin.snapshot():
            if handshake["id"] != self.wanted and handshake["state"] != "OPEN":
                return f"wrong: {handshake}"
            if handshake["accept_effects"] > 1:
                return f"wrong: accepted twice: {handshake}"
        return ""


def test_nothing_is_wrong_and_nothing_is_lost_on_the_wire(acceptor: Acceptor, proxy: FaultProxy) -> None:
    acceptor.allow(ALLOWED)
    dice = random.Random(SEED)
    random.seed(SEED)
    runs, wrong, lost = Counter[str](), Counter[str](), Counter[str]()
    failures = []
    sequences = [(f"{operation} x {kind}", [(operation, kind)]) for operation, kind in PAIRS]
    sequences += [("several at random", dice.sample(PAIRS, dice.randint(1, 3))) for _ in range(RANDOM_RUNS)]
    for name, plan in sequences:
        scenario = Scenario(acceptor, proxy)
        said = scenario.run(*plan, hint=any(operation == "DescribeHandshake" for operation, _ in plan))
        runs[name] += 1
        wrong[name] += said.startswith("wrong")
        lost[name] += said.startswith("lost")
        failures += [f"{plan}: {said}"] if said else []
    print(f"\n{'operation x fault':60} {'runs':>5} {'wrong':>6} {'lost':>5}")
    for name in runs:
        print(f"{name:60} {runs[name]:5} {wrong[name]:6} {lost[name]:5}")
    assert failures == []
    assert runs.total() == len(PAIRS) + RANDOM_RUNS


@pytest.mark.parametrize("seconds", [0, 2])
def test_an_accept_that_lands_later_and_empty_pages(acceptor: Acceptor, seconds: int) -> None:
    acceptor.aws.admin.configure(accept_delay=seconds, empty_pages=2, page_size=1)
    acceptor.allow(ALLOWED)
    wanted, denied = acceptor.invite(), acceptor.invite(DENIED)
    assert set(acceptor.decisions()) == {(wanted, "ACCEPT", "ACCEPTED"), (denied, "NO_MATCH", "LEFT_PENDING")}


@pytest.mark.parametrize(
    ("code", "effect"),
    [("ServiceException", "after"), ("ServiceException", "before"), ("TooManyRequestsException", "before")],
)
def test_the_services_own_faults_are_waited_out(acceptor: Acceptor, code: str, effect: str) -> None:
    acceptor.allow(ALLOWED)
    wanted = acceptor.invite()
    acceptor.aws.admin.inject(faults=[{"operation": "AcceptHandshake", "code": code, "effect": effect}])
    assert acceptor.decisions() == [(wanted, "ACCEPT", "ACCEPTED")]
    assert acceptor.handshake(wanted)["accept_effects"] == 1
