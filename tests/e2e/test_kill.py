"""The function's process is killed with SIGKILL, at the moment it waits for an answer; nothing is lost.

(Every point of a run, in hundreds of worlds, is killed in `tests/faults/test_faults.py`; these are real processes.)
"""

from __future__ import annotations

import pytest

from local.aws import FUNCTION, wait_for
from tests.e2e.conftest import Acceptor
from tests.e2e.test_faults import proxy as proxy
from tests.support.fault_proxy import KILLS, FaultProxy
from tests.support.origins import ALLOWED, DENIED

OPERATIONS = ("GetParametersByPath", "ListHandshakesForAccount", "DescribeOrganization", "AcceptHandshake")


def left_behind(operation: str, kind: str) -> set[str]:
    """The states in which the wanted handshake may be when its run was killed."""
    if operation == "GetParametersByPath":
        # The first reading goes on beside all else: the run need not have waited for it.
        return {"OPEN", "ACCEPTED"}
    return {"ACCEPTED"} if (operation, kind) == ("AcceptHandshake", "killed after") else {"OPEN"}


@pytest.mark.parametrize("kind", KILLS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_next_sweep_finishes_what_was_killed(
    acceptor: Acceptor, proxy: FaultProxy, operation: str, kind: str
) -> None:
    acceptor.allow(ALLOWED)
    wanted, denied = acceptor.invite(), acceptor.invite(DENIED)
    killed = len(proxy.killed)
    proxy.plan.append((operation, kind))
    failed, _ = acceptor.invoke()
    assert failed, proxy.errors
    assert len(proxy.killed) == killed + 1
    assert acceptor.handshake(wanted)["state"] in left_behind(operation, kind)
    failed, answer = acceptor.invoke()
    assert not failed, answer
    assert acceptor.handshake(wanted)["state"] == "ACCEPTED"
    assert acceptor.handshake(wanted)["accept_effects"] == 1
    assert acceptor.handshake(denied)["state"] == "OPEN"


@pytest.mark.parametrize("kind", KILLS)
def test_the_asynchronous_retry_finishes_what_was_killed_at_the_accept(
    acceptor: Acceptor, proxy: FaultProxy, kind: str
) -> None:
    acceptor.allow(ALLOWED)
    wanted = acceptor.invite()
    proxy.plan.append(("AcceptHandshake", kind))
    event = b'{"source": "handshake-acceptor.relay", "handshake_id": "%s"}' % wanted.encode()
    acceptor.client("lambda").invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=event)
    records = wait_for("the retry's record", lambda: acceptor.recorded(wanted), 30)
    outcome = "ACCEPTED" if kind == "killed before" else "ALREADY_ACCEPTED"
    assert [record["outcome"] for record in records] == [outcome]
    assert acceptor.handshake(wanted)["accept_effects"] == 1
    assert acceptor.failed_messages() == []
