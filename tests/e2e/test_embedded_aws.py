"""The handshake service inside the embedded AWS: over HTTP, behind its signatures and IAM."""

import io
import json
import re
import signal
import socket
import subprocess
import time
import zipfile
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from local.adapters.ministack import hooks
from local.adapters.ministack.admin import respond
from local.emulator import INTERPRETER, ROOT, NotStarted, emulator
from local.service.admin_api import LOOPBACK, AdminApi, AdminClient
from tests.support.synthesis import LOCAL, Deployed, synthesize

MANAGEMENT, MEMBER, STRANGER = "111111111111", "222222222222", "333333333333"
ALLOWED, FOREIGN = "h-examplehandshakeid111", "h-foreignhandshake11"
WORLD = [
    {"verb": "register_account", "account_id": MEMBER, "email": "mary@example.com"},
    {"verb": "add_organization", "organization_id": "o-exampleorgid", "management_account_id": MANAGEMENT},
    {"verb": "add_organization", "organization_id": "o-sandbox0001", "management_account_id": STRANGER},
    {"verb": "choose_ids", "ids": [ALLOWED, FOREIGN]},
]

served = pytest.mark.skipif(not INTERPRETER.exists(), reason="the embedded AWS is not installed")


class TestTheHooksIntoMinistack:
    def test_another_version_is_refused_with_what_to_do(self):
        hooks.refuse_unless_pinned("1.5.33")
        with pytest.raises(SystemExit, match=r"1\.5\.34 is installed: install local/requirements.txt"):
            hooks.refuse_unless_pinned("1.5.34")

    @staticmethod
    def modules(**organizations):
        """Modules that have every name that is hooked into."""

        def module(name):
            names = dict.fromkeys(hooks.HOOKS[name], print)
            if name == "ministack.services.organizations":
                names = {"reset": print, **organizations}
            return SimpleNamespace(**names)

        return module

    def test_all_names_in_place_load(self):
        loaded = hooks.load(self.modules(_DISPATCH={"DescribeOrganization": print}))
        assert set(loaded) >= {"app", "organizations", "ssm", "eventbridge"}

    @pytest.mark.parametrize("moved", [{}, {"_DISPATCH": []}, {"_DISPATCH": {"describe": print}}])
    def test_a_dispatch_table_that_moved_is_named(self, moved):
        with pytest.raises(SystemExit, match=r"has no ministack\.services\.organizations\._DISPATCH"):
            hooks.load(self.modules(**moved))


class TestTheAdminApi:
    def test_every_verb_answers_json(self):
        admin = AdminApi(WORLD)
        admin.call("configure", {"accept_delay": 60, "invite_state": "REQUESTED", "empty_pages": 1})
        assert admin.call("add_handshake", {"action": "INVITE", "organization_id": "o-exampleorgid", "target": MEMBER})
        admin.call("inject", {"faults": [{"operation": "AcceptHandshake", "code": "ServiceException"}]})
        admin.call("advance", {"seconds": 15 * 86400})
        (handshake,) = json.loads(json.dumps(admin.call("snapshot", {})))
        assert (handshake["id"], handshake["state"]) == (ALLOWED, "EXPIRED")
        assert json.dumps(admin.call("journal", {})) == "[]"
        admin.call("reset", {})
        assert admin.call("snapshot", {}) == []
        assert admin.call("organization_of", {"account_id": MANAGEMENT}) == "o-exampleorgid"

    @pytest.mark.parametrize(
        ("kind", "method", "host", "status"),
        [
            (b"application/json", "POST", "127.0.0.1", 200),
            (b"application/json", "POST", "192.0.2.1", 403),
            (b"text/plain", "POST", "127.0.0.1", 403),
            (b"application/json", "GET", "127.0.0.1", 405),
        ],
    )
    def test_it_opens_for_json_from_this_machine(self, kind, method, host, status):
        path = "/_handshakes/journal"
        scope = {"client": (host, 1), "method": method, "path": path, "headers": [(b"content-type", kind)]}
        assert respond(AdminApi(), scope, b"{}")[0] == status


@pytest.fixture(scope="module")
def endpoint():
    environment = {"AUTH": "true", "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.05", "LOG_LEVEL": "WARNING"}
    with emulator(world=WORLD, environment=environment) as url:
        yield url


@pytest.fixture
def aws(endpoint):
    """A client of any service for any caller, in a world as it was at the start."""
    AdminClient(endpoint).reset()

    def client(service, access_key=MEMBER, secret_key="test"):
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(retries={"total_max_attempts": 1}),
        )

    return client


def invite(aws, sender=MANAGEMENT, target=MEMBER):
    party = {"Type": "EMAIL" if "@" in target else "ACCOUNT", "Id": target}
    return aws("organizations", sender).invite_account_to_organization(Target=party)["Handshake"]


def user(aws, name, *statements):
    """An IAM user of the invited account: its access key and secret key."""
    iam = aws("iam")
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"


def received(aws, queue_url, count, within_seconds=10.0):
    """The bodies of so many messages."""
    bodies, deadline = [], time.monotonic() + within_seconds
    while len(bodies) < count and time.monotonic() < deadline:
        messages = aws("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in messages.get("Messages", []):
            bodies.append(json.loads(message["Body"]))
            aws("sqs").delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def function_that(aws, name, does):
    """The ARN of a new function."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("code.py", f"def handler(event, context):\n    {does}\n")
    return aws("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="code.handler",
        Role=role,
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]


def route_parameter_changes(aws, rule, target_arn):
    pattern = {"source": ["aws.ssm"], "detail-type": ["Parameter Store Change"]}
    aws("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    aws("events").put_targets(Rule=rule, Targets=[{"Id": "target", "Arn": target_arn}])


class Stack:
    """A stack of one resource a type."""

    def __init__(self, aws, name):
        self._cloudformation, self._name = aws("cloudformation"), name

    def create(self, resources):
        self._write("create", resources)

    def update(self, resources):
        """Raises `WaiterError` where it fails."""
        self._write("update", resources)

    def fails(self, resources, why):
        with pytest.raises(WaiterError):
            self.create(resources)
        events = self._cloudformation.describe_stack_events(StackName=self._name)["StackEvents"]
        assert any(why in event.get("ResourceStatusReason", "") for event in events)

    def _write(self, verb, resources):
        named = {
            re.sub(r"\W", "", kind): {"Type": kind, "Properties": properties} for kind, properties in resources.items()
        }
        write = getattr(self._cloudformation, f"{verb}_stack")
        write(StackName=self._name, TemplateBody=json.dumps({"Resources": named}))
        waiter = self._cloudformation.get_waiter(f"stack_{verb}_complete")
        waiter.wait(StackName=self._name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


RUNS = {"first": 3, "second": 3, "failing": 3, "endless": 20}
"""How much each says: the last one is ended while its lines are still being read."""
READ_LATE = f"""
import io, json, time, zipfile
import ministack.core.lambda_runtime as runtime
from local.adapters.ministack.logs import lose_no_log_line

def read_late(worker):
    for line in worker._proc.stderr:
        time.sleep(0.2)
        worker._stderr_queue.put(line.rstrip())

lose_no_log_line(runtime)
runtime.Worker._read_stderr = read_late
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as code:
    code.writestr("said.py", '''
import time

def handler(run, context):
    for line in range({RUNS}[run]):
        print(run, line)
    if run == "failing":
        raise RuntimeError
    if run == "endless":
        time.sleep(60)
''')
arn = "arn:aws:lambda:us-east-1:{MEMBER}:function:said"
config = {{"FunctionArn": arn, "Handler": "said.handler", "Runtime": "python3.11", "Timeout": 3}}
worker = runtime.Worker("said", config, archive.getvalue())
print(json.dumps([worker.invoke(run, run)["log"].splitlines() for run in {RUNS}]))
worker.kill()
"""
"""Runs whose lines are read 0.2 s apart."""


@served
class TestServed:
    def test_an_invitation_by_email_is_listed_and_accepted(self, aws, endpoint):
        assert invite(aws, target="mary@example.com")["Id"] == ALLOWED
        organizations = aws("organizations")
        assert code_of(organizations.describe_organization) == "AWSOrganizationsNotInUseException"
        (listed,) = organizations.list_handshakes_for_account()["Handshakes"]
        assert organizations.accept_handshake(HandshakeId=listed["Id"])["Handshake"]["State"] == "ACCEPTED"
        assert organizations.describe_organization()["Organization"]["Id"] == "o-exampleorgid"
        (handshake,) = AdminClient(endpoint).snapshot()
        assert handshake["accept_effects"] == 1

    def test_errors_keep_their_reason(self, aws, endpoint):
        invite(aws)
        fault = {"operation": "AcceptHandshake", "code": "HandshakeConstraintViolationException"}
        AdminClient(endpoint).inject(faults=[{**fault, "reason": "PAST_DUE_INVOICE"}])
        organizations = aws("organizations")
        with pytest.raises(organizations.exceptions.HandshakeConstraintViolationException) as caught:
            organizations.accept_handshake(HandshakeId=ALLOWED)
        assert caught.value.response["Reason"] == "PAST_DUE_INVOICE"
        assert [call["code"] for call in AdminClient(endpoint).journal(operation="AcceptHandshake")] == [fault["code"]]

    def test_iam_is_enforced_on_the_arn_of_the_handshake(self, aws):
        invite(aws)
        invite(aws, sender=STRANGER)
        origin = f"arn:aws:organizations::{MANAGEMENT}:handshake/o-exampleorgid/invite/*"
        key = user(
            aws,
            "acceptor",
            {"Action": ["organizations:AcceptHandshake", "organizations:DescribeHandshake"], "Resource": origin},
            {"Action": "organizations:ListHandshakesForAccount", "Resource": "*"},
        )
        organizations = aws("organizations", *key)
        assert len(organizations.list_handshakes_for_account()["Handshakes"]) == 2
        for operation in (organizations.describe_handshake, organizations.accept_handshake):
            assert code_of(operation, HandshakeId=FOREIGN) == "AccessDeniedException"
            assert code_of(operation, HandshakeId="h-nosuchhandshake") == "AccessDeniedException"
            assert code_of(operation, HandshakeId=ALLOWED) == "OK"
        assert code_of(organizations.decline_handshake, HandshakeId=ALLOWED) == "AccessDeniedException"
        assert code_of(organizations.describe_organization) == "AccessDeniedException"

    def test_iam_knows_the_callers_organization(self, aws):
        key = user(
            aws,
            "insider",
            {
                "Action": "ssm:GetParametersByPath",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}},
            },
        )
        assert code_of(aws("ssm", *key).get_parameters_by_path, Path="/a") == "AccessDeniedException"
        invite(aws)
        aws("organizations").accept_handshake(HandshakeId=ALLOWED)
        assert code_of(aws("ssm", *key).get_parameters_by_path, Path="/a") == "OK"

    def test_a_wrong_signature_is_refused(self, aws):
        access_key, _ = user(aws, "forger", {"Action": "*", "Resource": "*"})
        assert code_of(aws("organizations", access_key, "wrong").list_handshakes_for_account) == (
            "InvalidSignatureException"
        )

    def test_parameter_store_emits_changes_to_the_accounts_own_bus(self, aws):
        queue = aws("sqs").create_queue(QueueName="changes")["QueueUrl"]
        route_parameter_changes(aws, "changes", f"arn:aws:sqs:us-east-1:{MEMBER}:changes")
        name = "/handshake-acceptor/policy/allowlist"
        aws("ssm", MANAGEMENT).put_parameter(Name=name, Value="other account", Type="String")
        ssm = aws("ssm")
        ssm.put_parameter(Name=name, Value="1", Type="String")
        assert code_of(ssm.put_parameter, Name=name, Value="2", Type="String") == "ParameterAlreadyExists"
        ssm.put_parameter(Name=name, Value="2", Type="String", Overwrite=True)
        ssm.delete_parameters(Names=[name, "/unknown"])
        events = received(aws, queue, 3)
        aws("events").remove_targets(Rule="changes", Ids=["target"])
        assert [event["detail"]["operation"] for event in events] == ["Create", "Update", "Delete"]
        assert {key: events[1][key] for key in ("source", "detail-type", "account", "resources", "detail")} == {
            "source": "aws.ssm",
            "detail-type": "Parameter Store Change",
            "account": MEMBER,
            "resources": [f"arn:aws:ssm:us-east-1:{MEMBER}:parameter{name}"],
            "detail": {"operation": "Update", "name": name, "type": "String"},
        }

    def test_a_function_that_fails_for_a_rule_is_retried_and_ends_in_the_failure_queue(self, aws):
        queue = aws("sqs").create_queue(QueueName="failures")["QueueUrl"]
        function = function_that(aws, "failing", "raise RuntimeError('always')")
        aws("lambda").put_function_event_invoke_config(
            FunctionName="failing",
            MaximumRetryAttempts=1,
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{MEMBER}:failures"}},
        )
        route_parameter_changes(aws, "failing", function)
        aws("ssm").put_parameter(Name="/failing", Value="1", Type="String")
        (failure,) = received(aws, queue, 1)
        assert failure["requestPayload"]["detail"]["name"] == "/failing"
        assert failure["responsePayload"]["errorMessage"] == "always"

    @pytest.mark.parametrize(
        ("kind", "properties"),
        [
            ("AWS::SSM::Parameter", {"Name": "/taken", "Type": "String", "Value": "the template's"}),
            ("AWS::Logs::LogGroup", {"LogGroupName": "/taken"}),
        ],
    )
    def test_a_stack_neither_makes_nor_takes_along_what_exists_already(self, aws, kind, properties):
        ssm, logs, cloudformation = aws("ssm"), aws("logs"), aws("cloudformation")
        ssm.put_parameter(Name="/taken", Value="mine", Type="String", Overwrite=True)
        if kind == "AWS::Logs::LogGroup":
            logs.create_log_group(logGroupName="/taken")
        with pytest.raises(WaiterError):
            Stack(aws, "taken").create({kind: properties})
        assert cloudformation.describe_stacks(StackName="taken")["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
        events = cloudformation.describe_stack_events(StackName="taken")["StackEvents"]
        assert "already" in " ".join(event.get("ResourceStatusReason", "") for event in events).lower()
        assert ssm.get_parameter(Name="/taken")["Parameter"]["Value"] == "mine"
        assert kind == "AWS::SSM::Parameter" or logs.describe_log_groups(logGroupNamePrefix="/taken")["logGroups"]
        cloudformation.delete_stack(StackName="taken")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="taken", WaiterConfig={"Delay": 1})

    def test_an_update_leaves_a_buss_policy_that_it_does_not_state(self, aws):
        events, stack = aws("events"), Stack(aws, "bus")
        policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Any", "Effect": "Allow", "Principal": "*"}]}

        def bus(**properties):
            return {"AWS::Events::EventBus": {"Name": "kept", **properties}}

        stack.create(bus(Policy=policy))
        stack.update(bus(Description="another"))
        assert json.loads(events.describe_event_bus(Name="kept")["Policy"]) == policy
        other = {**policy, "Statement": [{"Sid": "Other", "Effect": "Deny", "Principal": "*"}]}
        stack.update(bus(Policy=other))
        assert json.loads(events.describe_event_bus(Name="kept")["Policy"]) == other

    def test_without_management_accounts_a_hint_bus_admits_those_of_before_no_more(self, aws):
        def put():
            hint = {"Source": "handshake-acceptor.relay", "DetailType": "Handshake Hint", "Detail": "{}"}
            bus = f"arn:aws:events:us-east-1:{MEMBER}:event-bus/handshake-acceptor"
            (entry,) = aws("events", MANAGEMENT).put_events(Entries=[hint | {"EventBusName": bus}])["Entries"]
            return entry.get("ErrorCode", "OK")

        stack = Stack(aws, "hints")
        stack.create({"AWS::Events::EventBus": Deployed(synthesize(LOCAL)).only("AWS::Events::EventBus")})
        assert put() == "OK"
        nobody = synthesize(LOCAL | {"managementAccounts": []})
        stack.update({"AWS::Events::EventBus": Deployed(nobody).only("AWS::Events::EventBus")})
        assert put() == "AccessDeniedException"

    def test_a_put_on_a_bus_that_is_not_there_succeeds(self, aws):
        entry = {"Source": "example", "DetailType": "Example", "Detail": "{}"}
        own, foreign = "nowhere", f"arn:aws:events:us-east-1:{STRANGER}:event-bus/nowhere"
        for bus in (own, foreign):
            answer = aws("events").put_events(Entries=[entry | {"EventBusName": bus}])
            assert (answer["FailedEntryCount"], list(answer["Entries"][0])) == (0, ["EventId"])

    def test_an_account_has_one_sink_a_region_and_a_link_is_in_the_region_of_its_sink(self, aws):
        sink = {"Name": "sink", "Policy": {"Version": "2012-10-17", "Statement": []}}
        Stack(aws, "sink").create({"AWS::Oam::Sink": sink})
        Stack(aws, "second").fails({"AWS::Oam::Sink": sink | {"Name": "second"}}, "has a sink")
        link = {
            "SinkIdentifier": f"arn:aws:oam:eu-west-1:{MEMBER}:sink/1",
            "ResourceTypes": ["AWS::CloudWatch::Metric"],
            "LabelTemplate": MEMBER,
        }
        Stack(aws, "link").fails({"AWS::Oam::Link": link}, "is in another region")

    def test_any_changed_property_but_the_tags_writes_a_parameters_value(self, aws):
        ssm, stack = aws("ssm"), Stack(aws, "seed")

        def seed(**properties):
            return {"AWS::SSM::Parameter": {"Name": "/seed", "Type": "String", "Value": "seed", **properties}}

        def after(update):
            ssm.put_parameter(Name="/seed", Value="edited", Type="String", Overwrite=True)
            stack.update(update)
            return ssm.get_parameter(Name="/seed")["Parameter"]["Value"]

        stack.create(seed())
        assert after(seed(Tags={"team": "a"})) == "edited"
        assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/seed")["TagList"]
        assert after(seed(Tags={"team": "a"}, Description="reworded")) == "seed"
        assert after(seed(Tags={"team": "a"}, Description="reworded", Tier="Intelligent-Tiering")) == "seed"
        ssm.delete_parameter(Name="/seed")
        with pytest.raises(WaiterError):
            stack.update(seed())
        assert code_of(ssm.get_parameter, Name="/seed") == "ParameterNotFound"

    def test_a_call_asks_one_question_of_metrics_insights(self, aws):
        queries = [
            {
                "Id": f"q{number}",
                "Expression": 'SELECT SUM(Errors) FROM SCHEMA("AWS/Lambda", FunctionName) '
                "WHERE FunctionName = 'handshake-acceptor'",
                "Period": 60,
            }
            for number in range(2)
        ]
        now = datetime.now(UTC)

        def ask(queries):
            return code_of(
                aws("cloudwatch").get_metric_data,
                MetricDataQueries=queries,
                StartTime=now - timedelta(hours=1),
                EndTime=now,
            )

        assert [ask(queries[:1]), ask(queries)] == ["OK", "ValidationError"]

    def test_a_function_logs_to_its_group_and_makes_none(self, aws):
        function_that(aws, "talking", "print('said')")
        logs, group = aws("logs"), "/aws/lambda/talking"

        def said():
            aws("lambda").invoke(FunctionName="talking")
            events = logs.filter_log_events(logGroupName=group, filterPattern="said")["events"]
            return [event["message"] for event in events]

        assert code_of(said) == "ResourceNotFoundException"
        logs.create_log_group(logGroupName=group)
        assert len(said()) == 1
        logs.delete_log_group(logGroupName=group)
        assert code_of(said) == "ResourceNotFoundException"

    def test_what_a_run_says_is_in_its_own_log_however_late_it_is_read(self):
        logs = json.loads(subprocess.check_output([INTERPRETER, "-c", READ_LATE], cwd=ROOT).splitlines()[-1])
        assert logs == [[f"{run} {line}" for line in range(lines)] for run, lines in RUNS.items()]

    def test_the_reset_of_the_emulator_resets_the_handshakes(self, aws, endpoint):
        invite(aws)
        admin = AdminClient(endpoint)
        admin.advance(seconds=15 * 86400)
        assert [handshake["state"] for handshake in admin.snapshot()] == ["EXPIRED"]
        urlopen(Request(f"{endpoint}/_ministack/reset", method="POST")).close()
        assert admin.snapshot() == []
        assert admin.organization_of(account_id=MANAGEMENT) == "o-exampleorgid"

    def test_it_is_gone_when_its_user_is(self):
        command = [INTERPRETER, "-m", "local.adapters.ministack", "--port", "0", "--with-parent"]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdin
            process.stdin.close()
            try:
                assert process.wait(20) in (0, -signal.SIGTERM)
            finally:
                process.kill()

    def test_it_listens_on_no_port_that_somebody_else_has(self):
        with socket.create_server((LOOPBACK, 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(NotStarted, match=f"port {port}: Address already in use"), emulator(port=port):
                pass

    def test_a_mistake_in_a_call_of_the_admin_api_is_explained(self, endpoint):
        with pytest.raises(RuntimeError, match="unexpected keyword argument"):
            AdminClient(endpoint).advance(minutes=1)
        with pytest.raises(AttributeError, match="no verb"):
            AdminClient(endpoint).retreat()
