"""How many hints a second the deployed relay sends, against the embedded AWS.

One call asks 500 members (`EnableAllFeatures`): the relay lists their handshakes and puts a hint on each member's own
bus, whose policy admits it. Beside it the same hints by a bare loop of PutEvents, one entry a call, from this process.
The embedded AWS is one process on this machine; AWS itself answers a call in some tens of milliseconds and takes many
at once, so what carries over is the ratio, and that the relay makes one call for ten hints.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

from bench.shared.figure import figure
from handshake_relay.hint import DETAIL_TYPE, SOURCE, Hint
from local.aws import REGION, EmbeddedAws, embedded_aws

MANAGEMENT, ORGANIZATION = "111111111111", "o-exampleorgid"
MEMBERS = [f"{500_000_000_000 + number}" for number in range(500)]
TIMES = 5


@contextmanager
def deployed() -> Iterator[EmbeddedAws]:
    """The relay in a management account, and members that have nothing but the bus."""
    with embedded_aws() as aws:
        aws.admin.add_organization(
            organization_id=ORGANIZATION,
            management_account_id=MANAGEMENT,
            members=MEMBERS,
            feature_set="CONSOLIDATED_BILLING",
        )
        aws.bootstrap(MANAGEMENT)
        aws.deploy(MANAGEMENT, None, "relay")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda account: admit(aws.client("events", account), account), MEMBERS))
        yield aws


def admit(events: Any, account: str) -> None:
    name = "handshake-acceptor"
    events.create_event_bus(Name=name)
    statement = {
        "Sid": "Hint",
        "Effect": "Allow",
        "Principal": {"AWS": MANAGEMENT},
        "Action": "events:PutEvents",
        "Resource": f"arn:aws:events:{REGION}:{account}:event-bus/{name}",
        "Condition": {"StringEquals": {"events:source": SOURCE, "events:detail-type": DETAIL_TYPE}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    events.put_permission(EventBusName=name, Policy=policy)


def by_relay(aws: EmbeddedAws, record: dict[str, Any]) -> float:
    """Seconds of one run of the deployed function."""
    began = time.perf_counter()
    answer = aws.client("lambda", MANAGEMENT).invoke(FunctionName="handshake-relay", Payload=json.dumps(record))
    seconds = time.perf_counter() - began
    said = json.loads(answer["Payload"].read())
    assert said == {"SENT": len(MEMBERS)}, said
    return seconds


def by_loop(aws: EmbeddedAws, handshakes: dict[str, str]) -> float:
    """Seconds for the same hints, one a call."""
    events = aws.client("events", MANAGEMENT)
    began = time.perf_counter()
    for account, handshake_id in handshakes.items():
        bus = f"arn:aws:events:{REGION}:{account}:event-bus/handshake-acceptor"
        answer = events.put_events(Entries=[Hint(account, handshake_id, "ENABLE_ALL_FEATURES", "").entry(bus)])
        assert not answer["FailedEntryCount"], answer
    return time.perf_counter() - began


def main() -> None:
    with deployed() as aws:
        asked = aws.client("organizations", MANAGEMENT).enable_all_features()["Handshake"]
        handshakes = {each["target"]: each["id"] for each in aws.admin.snapshot() if each["target"] in MEMBERS}
        event = {
            "event_name": "EnableAllFeatures",
            "handshake_id": asked["Id"],
            "action": "enable_all_features",
            "created_at": "2026-11-20T21:41:17Z",
        }
        by_relay(aws, event)  # its cold start
        ours, loops = [], []
        for _ in range(TIMES):
            ours.append(by_relay(aws, event))
            loops.append(by_loop(aws, handshakes))
    bench = "relay: hints a second to 500 members, with listing them, against one PutEvents a hint without"
    figure(bench, len(MEMBERS) / median(ours), "hints/s", len(MEMBERS) / median(loops))


if __name__ == "__main__":
    main()
