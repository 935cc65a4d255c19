"""What AWS answers of an account where all is well, and the parts to answer otherwise with."""

import json
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from local.world import MANAGEMENT, MEMBER, ORGANIZATION, PREFIX, allow, document

FUNCTION = f"arn:aws:lambda:us-east-1:{MEMBER}:function:handshake-acceptor"
STACK = "HandshakeAcceptor"
TOPIC = f"arn:aws:sns:us-east-1:{MEMBER}:handshake-acceptor-alarms"
QUEUE = f"https://sqs.us-east-1.amazonaws.com/{MEMBER}/handshake-acceptor-failures"


def parameters(mode="enforce", text=None):
    values = {"mode": mode, "policy/allowlist": document(allow()) if text is None else text}
    return {"Parameters": [{"Name": f"{PREFIX}{n}", "Type": "String", "Value": v} for n, v in values.items()]}


def configuration(**changes):
    return {
        "FunctionName": "handshake-acceptor",
        "FunctionArn": FUNCTION,
        "Role": f"arn:aws:iam::{MEMBER}:role/acceptor",
        "Runtime": "python3.13",
        "MemorySize": 256,
        "Timeout": 240,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Environment": {"Variables": {"POLICY_PATH": PREFIX}},
        **changes,
    }


def schedule(**changes):
    return {"State": "ENABLED", "ScheduleExpression": "rate(5 minutes)", "Target": {"Arn": FUNCTION}, **changes}


def log(*messages, minutes=1):
    """Messages that are some minutes old whenever they are asked for, however long the other tests take."""

    def answer(_):
        time = int((datetime.now(UTC) - timedelta(minutes=minutes)).timestamp() * 1000)
        return {"events": [{"timestamp": time, "message": message} for message in messages]}

    return answer


def ended(**changes):
    return json.dumps({"message": "run", "decisions": 0, "failures": [], **changes})


def answered(name, request, role=f"arn:aws:iam::{MEMBER}:role/acceptor", **changes):
    """One call in CloudTrail's event history, as LookupEvents gives it; nothing for another event name."""
    if request["LookupAttributes"] != [{"AttributeKey": "EventName", "AttributeValue": name}]:
        return {"Events": []}
    record = {
        "userIdentity": {"arn": "mary@example.com", "sessionContext": {"sessionIssuer": {"arn": role}}},
        "requestParameters": {"handshakeId": "h-examplehandshakeid111"},
        **changes,
    }
    return {"Events": [{"EventTime": datetime(2026, 11, 20, tzinfo=UTC), "CloudTrailEvent": json.dumps(record)}]}


def bus(*accounts):
    """The hint bus, with who may put on it."""
    statement = {"Effect": "Allow", "Principal": {"AWS": list(accounts)}, "Action": "events:PutEvents"}
    return {"Name": "handshake-acceptor", "Policy": json.dumps({"Statement": [statement]})}


def rule(name):
    """Every rule is there and enabled, but the one that there is only with the setting `decisionBus`."""
    if name == "handshake-acceptor-tell-alarms":
        raise refused("ResourceNotFoundException")
    return {"State": "ENABLED"}


def subscribed(*arns):
    return {"Subscriptions": [{"SubscriptionArn": arn, "TopicArn": TOPIC} for arn in arns]}


def role_policy(*accounts):
    """The deployed ceiling: invitations of one organization, from these management accounts."""
    arns = [f"arn:aws:organizations::{account}:handshake/{ORGANIZATION}/invite/*" for account in accounts]
    statement = {"Effect": "Allow", "Action": ["organizations:AcceptHandshake"], "Resource": arns}
    return {"PolicyDocument": {"Statement": [statement]}}


def waiting(minutes=1, state="OPEN", expires_at=None):
    """The account's own list, with one invitation that is some minutes old."""
    now = datetime.now(UTC)
    handshake = {
        "Id": "h-examplehandshakeid111",
        "Arn": f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/invite/h-examplehandshakeid111",
        "Parties": [{"Id": ORGANIZATION, "Type": "ORGANIZATION"}, {"Id": MEMBER, "Type": "ACCOUNT"}],
        "State": state,
        "RequestedTimestamp": now - timedelta(minutes=minutes),
        "ExpirationTimestamp": expires_at or now + timedelta(days=15),
        "Action": "INVITE",
        "Resources": [],
    }
    return {"Handshakes": [handshake]}


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "diego@example.com may not"}}, "Something")


def simulated(*denied):
    def answer(request):
        answered = "implicitDeny" if request["ActionNames"][0] in denied else "allowed"
        results = [{"EvalResourceName": name, "EvalDecision": answered} for name in request["ResourceArns"]]
        return {"EvaluationResults": results, "IsTruncated": False}

    return answer


HEALTHY = {
    "GetCallerIdentity": {"Arn": f"arn:aws:sts::{MEMBER}:assumed-role/Admin/session"},
    "DescribeStacks": {
        "Stacks": [
            {
                "StackName": STACK,
                "StackStatus": "UPDATE_COMPLETE",
                "Outputs": [
                    {"OutputKey": "FailureQueueUrl", "OutputValue": QUEUE},
                    {"OutputKey": "AlarmTopicArn", "OutputValue": TOPIC},
                ],
            }
        ]
    },
    "DescribeStackResources": refused("ValidationError"),
    "GetFunctionConfiguration": configuration(),
    "ListRuleNamesByTarget": {"RuleNames": ["hints"]},
    "DescribeRule": lambda request: rule(request["Name"]),
    "GetSchedule": schedule(),
    "GetParametersByPath": parameters(),
    "SimulatePrincipalPolicy": simulated(),
    "GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "0"}},
    "FilterLogEvents": log("START RequestId: 1", ended()),
    "LookupEvents": lambda request: answered("AcceptHandshake", request),
    "DescribeTrails": {"trailList": [{"TrailARN": "arn:aws:cloudtrail:us-east-1:222222222222:trail/all"}]},
    "GetTrailStatus": {"IsLogging": True},
    "GetEventSelectors": {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]},
    "DescribeEventBus": bus(MANAGEMENT, MEMBER),
    "GetRolePolicy": role_policy(MANAGEMENT),
    "DescribeAlarms": {"MetricAlarms": [{"AlarmName": "handshake-acceptor-runs-fail"}]},
    "ListSubscriptionsByTopic": subscribed(f"{TOPIC}:0a1b"),
    "ListHandshakesForAccount": {"Handshakes": []},
    "DescribeOrganization": refused("AWSOrganizationsNotInUseException"),
}
