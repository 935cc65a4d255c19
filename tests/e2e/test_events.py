"""One place that hears: decisions and alarms of a member, the hub's topic, and both recipes, deployed and with IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from local.aws import FUNCTION, SETTINGS, EmbeddedAws, embedded_aws, wait_for
from local.emulator import ROOT
from tests.support.account import Account, add_organizations, document
from tests.support.fault_proxy import fault_proxy
from tests.support.origins import ALLOWED

MANAGEMENT = ALLOWED.management_account_id
MEMBER, HUB, STRANGER = "222222222222", "555555555555", "888888888888"
RECIPES = ROOT / "docs" / "recipes"
UNIT = "ou-examp-newcomers"
PAYMENT = {
    "operation": "AcceptHandshake",
    "code": "HandshakeConstraintViolationException",
    "reason": "PAYMENT_INSTRUMENT_REQUIRED",
}
NEXT_STEP = "/aws/lambda/handshake-next-step"


@dataclass(frozen=True, slots=True)
class World:
    aws: EmbeddedAws
    member: Account
    hub: dict[str, str]
    """The outputs of the hub's stack."""
    queues: dict[str, str]
    """By topic, a queue that is subscribed to it."""

    def messages(self, topic: str) -> list[str]:
        """What a topic has published since it was asked last."""
        sqs, found = self.aws.client("sqs", HUB), list[str]()
        while True:
            answer = sqs.receive_message(QueueUrl=self.queues[topic], MaxNumberOfMessages=10, WaitTimeSeconds=0)
            if not answer.get("Messages"):
                return found
            for message in answer["Messages"]:
                found.append(message["Body"])
                sqs.delete_message(QueueUrl=self.queues[topic], ReceiptHandle=message["ReceiptHandle"])

    def put(self, account_id: str, **entry: Any) -> str:
        """What becomes of an event that an account puts on the hub's bus."""
        events = self.aws.client("events", account_id)
        (said,) = events.put_events(Entries=[{"EventBusName": self.hub["BusArn"]} | entry])["Entries"]
        return str(said.get("ErrorCode", "OK"))

    def parent(self, account_id: str) -> str:
        answer = self.aws.client("organizations", MANAGEMENT).list_parents(ChildId=account_id)
        return str(answer["Parents"][0]["Id"])

    def next_steps(self) -> list[list[str]]:
        """What each run of the recipe in the management account moved."""
        lines = self.aws.log_lines(MANAGEMENT, NEXT_STEP)
        return [json.loads(line)["moved"] for line in lines if line.startswith('{"moved"')]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("events")
    with embedded_aws() as aws:
        add_organizations(aws)
        aws.admin.start_trail(account_id=MANAGEMENT)
        member = Account(aws, MEMBER)
        member.register()
        hub = deploy_hub(aws, folder)
        settings = json.loads(SETTINGS.read_text()) | {"decisionBus": hub["BusArn"], "sweepMinutes": 1440}
        (folder / "settings.json").write_text(json.dumps(settings))
        aws.bootstrap(MEMBER)
        aws.deploy(MEMBER, folder / "settings.json")
        chat = recipe(aws, HUB, "chat", Bus="handshake-acceptor-hub")
        recipe(aws, MANAGEMENT, "next-step", Root="r-root", Unit=UNIT)
        topics = {"hub": hub["TopicArn"], "chat": chat["TopicArn"]}
        yield World(aws, member, hub, {name: listen(aws, name, arn) for name, arn in topics.items()})


def deploy_hub(aws: EmbeddedAws, folder: Path) -> dict[str, str]:
    (folder / "hub.json").write_text(json.dumps({"accounts": [MEMBER]}))
    aws.bootstrap(HUB)
    return aws.deploy(HUB, folder / "hub.json", "hub")


def recipe(aws: EmbeddedAws, account_id: str, name: str, **parameters: str) -> dict[str, str]:
    """Deploys a recipe as its page says, and gives its outputs."""
    cloudformation = aws.client("cloudformation", account_id)
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(RECIPES / f"{name}.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    waited = {"Delay": 1, "MaxAttempts": 60}
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waited)
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}


def listen(aws: EmbeddedAws, name: str, topic: str) -> str:
    """A queue that hears a topic."""
    sqs = aws.client("sqs", HUB)
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    raw = {"RawMessageDelivery": "true"}
    aws.client("sns", HUB).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
    return url


@pytest.fixture(autouse=True)
def an_empty_world(world: World) -> None:
    """No handshake, and an account in no organization; the policy allows one, and nothing runs by itself."""
    world.aws.admin.reset()
    add_organizations(world.aws)
    world.aws.admin.start_trail(account_id=MANAGEMENT)
    world.member.register()
    events = world.member.client("events")
    for rule in events.list_rules()["Rules"]:
        if "aws.ssm" in rule.get("EventPattern", ""):
            events.disable_rule(Name=rule["Name"])
    world.member.put("mode", "enforce")
    world.member.put("policy/allowlist", document("Join"))
    world.member.run()
    for topic in world.queues:
        world.messages(topic)


def test_a_payment_refusal_reaches_the_hubs_topic_as_one_sentence_once_and_not_at_every_sweep(world: World) -> None:
    world.aws.admin.inject(faults=[PAYMENT | {"times": 3}])
    wanted = world.member.invite()
    for _ in range(3):
        assert [outcome for _, outcome, _ in world.member.decisions()] == ["NEEDS_HUMAN"]
    (said,) = world.messages("hub")
    assert said.startswith(f'"Account {MEMBER}, 20')
    assert f"INVITE from {ALLOWED.organization_id} of {MANAGEMENT} to account {MEMBER}, sent 20" in said
    assert said.endswith('Give the account a payment method, then wait for the next sweep."')
    (chat,) = map(json.loads, world.messages("chat"))
    assert chat["content"]["title"] == f"Handshake Decision in account {MEMBER}"
    assert chat["content"]["description"] in said
    assert world.member.state(wanted) == "OPEN"
    assert [outcome for _, outcome, _ in world.member.decisions()] == ["ACCEPTED"]
    assert world.messages("hub") == world.messages("chat") == []


def test_an_event_that_could_not_be_put_fails_the_run_and_is_told_by_the_next(world: World) -> None:
    lambda_ = world.member.client("lambda")
    before = lambda_.get_function_configuration(FunctionName=FUNCTION)
    with fault_proxy(world.aws.endpoint) as proxy:
        variables = before["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": proxy.endpoint}
        # So that it gives up soon: 18 s of them are kept back for a put, and no call begins in the last 20.
        lambda_.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables}, Timeout=45)
        try:
            world.aws.admin.inject(faults=[PAYMENT | {"times": 2}])
            world.member.invite()
            proxy.plan.extend([("PutEvents", "throttled")] * 1_000)
            answer = lambda_.invoke(FunctionName=FUNCTION, Payload=b"{}")
            assert "DECISION_UNSENT" in answer["Payload"].read().decode()
            assert answer["FunctionError"]
            assert proxy.calls[-1] == "PutEvents"
            assert world.messages("hub") == []
            proxy.plan.clear()
            assert [outcome for _, outcome, _ in world.member.decisions()] == ["NEEDS_HUMAN"]
        finally:
            kept = {key: before[key] for key in ("Environment", "Timeout")}
            lambda_.update_function_configuration(FunctionName=FUNCTION, **kept)
    (said,) = world.messages("hub")
    assert said.endswith('Give the account a payment method, then wait for the next sweep."')


def test_a_mistake_in_the_policy_is_one_message(world: World) -> None:
    world.member.put("policy/allowlist", '{"Version": "2026-01-01", "Statement": [{"Sid": "a \\"quote\\""}]}')
    for _ in range(2):
        world.member.run()
    (said,) = world.messages("hub")
    assert f"The policy of account {MEMBER} is invalid" in said
    assert set(said[1:-1]).isdisjoint('"\\\n')


def test_an_alarm_of_an_account_reaches_the_hubs_topic_and_so_does_its_end(world: World) -> None:
    cloudwatch = world.member.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="of-somebody-else",
        Namespace="x",
        MetricName="x",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
    )
    both = ("handshake-acceptor-sweep-silent", "of-somebody-else")
    for name in both:  # it may ring already, for no sweep has run for a while
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="Whatever it was.")
    world.messages("hub")
    for name, state in product(both, ("ALARM", "OK")):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="No run in 3 periods.")
    rings, over = world.messages("hub")
    assert rings.startswith(f'"Account {MEMBER}: the alarm handshake-acceptor-sweep-silent rings since 20')
    assert "No run in 3 periods. What to do: run handshakectl doctor in that account" in rings
    assert over.startswith(f'"Account {MEMBER}: the alarm handshake-acceptor-sweep-silent is over since 20')


def forged(account_id: str) -> dict[str, Any]:
    detail = {
        "version": "1",
        "account_id": account_id,
        "outcome": "ACCEPTED",
        "decision": "ACCEPT",
        "needs_person": True,
        "summary": f"Account {account_id} has joined; give it all rights.",
    }
    return {"Source": "handshake-acceptor", "DetailType": "Handshake Decision", "Detail": json.dumps(detail)}


def test_an_account_that_joins_starts_the_next_step_and_a_forged_event_starts_nothing(world: World) -> None:
    before = len(world.next_steps())
    assert world.put(MEMBER, **forged(STRANGER)) == "OK", "an admitted account may say anything, about itself"
    (said,) = world.messages("hub")
    assert said.startswith(f'"Account {MEMBER}, 20'), "the account that said it, not the one that it names"
    joined = {"eventName": "AccountJoinedOrganization", "eventSource": "organizations.amazonaws.com"}
    aws_own = {"Source": "aws.organizations", "DetailType": "AWS Service Event via CloudTrail"}
    events = world.aws.client("events", MANAGEMENT)
    for entry in (
        aws_own | {"Detail": json.dumps(joined | {"serviceEventDetails": {"accountId": MEMBER}})},
        forged(MEMBER),
        forged(MEMBER) | {"Detail": json.dumps(joined)},
    ):
        events.put_events(Entries=[entry])
    wanted = world.member.invite()
    assert world.parent(MEMBER) == "r-root"
    assert [outcome for _, outcome, _ in world.member.decisions()] == ["ACCEPTED"]
    wait_for("the next step", lambda: world.parent(MEMBER) == UNIT)
    wait_for("its log", lambda: len(world.next_steps()) > before)
    assert world.next_steps()[before:] == [[MEMBER]]
    assert world.member.state(wanted) == "ACCEPTED"


def test_the_next_step_takes_an_account_from_nowhere_but_the_root(world: World) -> None:
    organizations = world.aws.client("organizations", MANAGEMENT)
    world.member.invite()
    before = len(world.next_steps())
    assert [outcome for _, outcome, _ in world.member.decisions()] == ["ACCEPTED"]
    wait_for("the next step", lambda: world.parent(MEMBER) == UNIT)
    wait_for("its log", lambda: len(world.next_steps()) > before)
    elsewhere = "ou-examp-somewhere"
    organizations.move_account(AccountId=MEMBER, SourceParentId=UNIT, DestinationParentId=elsewhere)
    record = {"eventName": "AccountJoinedOrganization", "serviceEventDetails": {"accountId": MEMBER}}
    answer = world.aws.client("lambda", MANAGEMENT).invoke(
        FunctionName="handshake-next-step", Payload=json.dumps(record | {"recipientAccountId": MANAGEMENT})
    )
    assert json.loads(answer["Payload"].read()) == {"moved": []}
    assert world.parent(MEMBER) == elsewhere
    assert world.parent(MANAGEMENT) == "r-root"


@pytest.mark.parametrize(
    ("account_id", "changed", "code"),
    [
        (STRANGER, {}, "AccessDeniedException"),
        (MEMBER, {"Source": "somebody-else"}, "AccessDeniedException"),
        (MEMBER, {"DetailType": "Handshake Hint"}, "AccessDeniedException"),
        (MEMBER, {"Source": "aws.cloudwatch"}, "NotAuthorizedForSourceException"),
    ],
)
def test_the_hubs_bus_takes_nothing_else_and_from_nobody_else(
    world: World, account_id: str, changed: dict[str, str], code: str
) -> None:
    assert world.put(account_id, **forged(MEMBER) | changed) == code
    assert world.messages("hub") == []


def test_a_bus_that_does_not_admit_the_account_is_a_line_in_its_log_and_fails_no_run(world: World) -> None:
    events, bus = world.aws.client("events", HUB), "handshake-acceptor-hub"
    policy = events.describe_event_bus(Name=bus)["Policy"]
    events.remove_permission(EventBusName=bus, RemoveAllPermissions=True)
    try:
        wanted = world.member.invite()
        assert [outcome for _, outcome, _ in world.member.decisions()] == ["ACCEPTED"]
        assert world.member.decisions() == []
    finally:
        events.put_permission(EventBusName=bus, Policy=policy)
    lines = world.aws.log_records(MEMBER, "event refused")
    assert [(each["handshake_id"], each["code"]) for each in lines] == [(wanted, "AccessDeniedException")]
    assert world.messages("hub") == []
