"""An account in which everything that the project assumes of AWS is so, and the parts to plant lies with."""

import json
from datetime import UTC, datetime, timedelta

from moto.events.models import EventPattern

from local.world import MANAGEMENT, MEMBER, ORGANIZATION, PREFIX
from tests.cli.healthy import FUNCTION, HEALTHY, TOPIC, configuration, refused

NAME = "handshake-acceptor"
STRANGER = "999999999999"
BUS = f"arn:aws:events:us-east-1:{MEMBER}:event-bus/{NAME}"
GROUP = f"/aws/lambda/{NAME}"
RECORD = {
    "source": ["aws.organizations"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventSource": ["organizations.amazonaws.com"],
        "eventName": ["EnableAllFeatures", "InviteAccountToOrganization", "InviteOrganizationToTransferResponsibility"],
        "errorCode": [{"exists": False}],
        "responseElements": {"handshake": {"id": [{"prefix": "h-"}]}},
    },
}
HINT = {
    "source": ["handshake-acceptor.relay"],
    "detail-type": ["Handshake Hint"],
    "detail": {"handshake_id": [{"prefix": "h-"}]},
}
CHANGE = {
    "source": ["aws.ssm"],
    "detail-type": ["Parameter Store Change"],
    "detail": {"name": [{"prefix": PREFIX}]},
}
SOMEBODY_ELSE = RECORD | {
    "detail": {
        "eventSource": ["organizations.amazonaws.com"],
        "eventName": ["AcceptHandshake", "DeclineHandshake"],
        "errorCode": [{"exists": False}],
        "userIdentity": {"arn": [{"anything-but": {"prefix": f"arn:aws:sts::{MEMBER}:assumed-role/{NAME}/"}}]},
    }
}
RULES = {
    "default": {"Record": RECORD, "PolicyChange": CHANGE, f"{NAME}-somebody-else": SOMEBODY_ELSE},
    NAME: {"Hint": HINT, "ForwardedRecord": RECORD},
}
QUERY = 'fields @timestamp, decision | filter message = "decision" | sort @timestamp desc | limit 20'


def admit(sid, source, kind, accounts=(MANAGEMENT,)):
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in accounts]},
        "Action": "events:PutEvents",
        "Resource": BUS,
        "Condition": {
            "ForAllValues:StringEquals": {"events:source": source},
            "Null": {"events:source": "false"},
            "StringEquals": {"events:detail-type": kind},
        },
    }


HINTS = admit("Hint", "handshake-acceptor.relay", "Handshake Hint")
RECORDS = admit("ForwardedRecord", "aws.organizations", "AWS API Call via CloudTrail")


def bus(*statements):
    return {"Name": NAME, "Policy": json.dumps({"Version": "2012-10-17", "Statement": list(statements)})}


def role_policy(*more, patterns=(f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/invite/*",)):
    accept = {"Effect": "Allow", "Action": "organizations:AcceptHandshake", "Resource": list(patterns)}
    return {"PolicyDocument": {"Statement": [accept, *more]}}


def alarm(name="runs-fail", **changes):
    now = datetime.now(UTC)
    return {
        "AlarmName": f"{NAME}-{name}",
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "Period": 300,
        "EvaluationPeriods": 3,
        "TreatMissingData": "notBreaching",
        "StateValue": "OK",
        "StateUpdatedTimestamp": now - timedelta(days=1),
        "AlarmConfigurationUpdatedTimestamp": now - timedelta(days=1),
        **changes,
    }


def history(*items):
    """What an alarm did: (hours ago, type, summary)."""
    now = datetime.now(UTC)
    return {
        "AlarmHistoryItems": [
            {"Timestamp": now - timedelta(hours=hours), "HistoryItemType": kind, "HistorySummary": summary}
            for hours, kind, summary in items
        ]
    }


def dashboard(*widgets):
    return {"DashboardName": NAME, "DashboardBody": json.dumps({"widgets": list(widgets)})}


LOG_WIDGET = {"type": "log", "properties": {"title": "Last", "query": f"SOURCE '{GROUP}' | {QUERY}"}}
GRAPH = {
    "type": "metric",
    "properties": {
        "title": "Alive",
        "metrics": [["AWS/Lambda", "Errors", "FunctionName", NAME, {"stat": "Sum", "period": 300}]],
    },
}


def answered(status="Complete"):
    def answer(request):
        results = [{"Id": each["Id"], "StatusCode": status} for each in request["MetricDataQueries"]]
        return {"MetricDataResults": results}

    return answer


class Account:
    """AWS as it should be, where what is put is found in the log; `changes` are what it answers otherwise."""

    def __init__(self, **changes):
        self.began = datetime.now(UTC)
        self.slept, self.asked = timedelta(0), []
        self.said, self.labels, self.seen = [], set(), set()
        self.silent = set()
        self.record = {}
        self.queries = 0
        self.answers = HEALTHY | self.as_it_should_be() | changes

    def now(self):
        return self.began + self.slept

    def sleep(self, seconds):
        self.slept += timedelta(seconds=seconds)
        if "sweep" not in self.silent:
            self.say(message="run", trigger="sweep")

    def say(self, **record):
        self.said.append((self.now(), json.dumps(record)))

    def call(self, client, operation, request):
        self.asked.append(operation)
        answer = self.answers[operation]
        if isinstance(answer, BaseException):
            answer.operation_name = operation
            raise answer
        return answer(request) if callable(answer) else answer

    def as_it_should_be(self):
        mode = {"Name": f"{PREFIX}mode", "Type": "String", "Value": "enforce", "Version": 3}
        return {
            "DescribeEventBus": bus(HINTS, RECORDS),
            "GetFunctionConfiguration": configuration(Role=f"arn:aws:iam::{MEMBER}:role/{NAME}"),
            "ListRuleNamesByTarget": lambda asked: {
                "RuleNames": [name for name in RULES[asked["EventBusName"]] if not name.startswith(NAME)]
            },
            "DescribeRule": lambda asked: {
                "EventPattern": json.dumps(RULES[asked.get("EventBusName", "default")][asked["Name"]])
            },
            "TestEventPattern": lambda asked: {
                "Result": bool(EventPattern.load(asked["EventPattern"]).matches_event(json.loads(asked["Event"])))
            },
            "PutEvents": self.put_events,
            "FilterLogEvents": lambda asked: {
                "events": [
                    {"timestamp": int(at.timestamp() * 1000), "message": text}
                    for at, text in self.said
                    if at.timestamp() * 1000 >= asked["startTime"] - 1
                ]
            },
            "GetParametersByPath": {"Parameters": [mode | {"LastModifiedDate": self.began - timedelta(seconds=30)}]},
            "LabelParameterVersion": self.label,
            "UnlabelParameterVersion": self.unlabel,
            "GetRolePolicy": role_policy(),
            "SimulatePrincipalPolicy": simulated(),
            "DescribeQueryDefinitions": {
                "queryDefinitions": [{"name": f"{NAME}/last", "queryString": QUERY, "logGroupNames": [GROUP]}]
            },
            "StartQuery": {"queryId": "1"},
            "GetQueryResults": self.query_results,
            "ListDashboards": {"DashboardEntries": [{"DashboardName": NAME}]},
            "GetDashboard": dashboard({"type": "text", "properties": {}}, LOG_WIDGET, GRAPH),
            "GetMetricData": answered(),
            "DescribeAlarms": {"MetricAlarms": [alarm()]},
            "DescribeAlarmHistory": history(
                (3, "Action", f"Successfully executed action {TOPIC}"),
                (3, "StateUpdate", "Alarm updated from OK to ALARM"),
            ),
        }

    def put_events(self, asked):
        [entry] = asked["Entries"]
        if entry["EventBusName"] == BUS:
            message = "no resource-based policy allows the events:PutEvents action"
            return {"Entries": [{"ErrorCode": "AccessDeniedException", "ErrorMessage": message}]}
        return self.take(entry)

    def take(self, entry):
        """What EventBridge does with an event that it takes: the function is woken, and says so."""
        old = self.now() - entry["Time"] > timedelta(minutes=3)
        decision = {
            "message": "decision",
            "handshake_id": json.loads(entry["Detail"])["handshake_id"],
            "trigger": "hint",
            "decision": "INELIGIBLE",
            "outcome": "LEFT_PENDING" if old else "RETRY_LATER",
            "reasons": [{"code": "NOT_SEEN", "seen": "HandshakeNotFoundException"}],
        }
        if "hint" not in self.silent:
            self.say(**decision | self.record)
        return {"Entries": [{"EventId": "1"}]}

    def label(self, asked):
        assert asked["ParameterVersion"] == 3
        self.labels |= set(asked["Labels"])
        self.seen |= self.labels
        if "policy change" not in self.silent:
            self.say(message="run", trigger="policy-changed")
        return {"InvalidLabels": []}

    def unlabel(self, asked):
        self.labels -= set(asked["Labels"])
        return {"RemovedLabels": asked["Labels"]}

    def query_results(self, _):
        self.queries += 1
        return {"status": "Running" if self.queries == 1 else "Complete"}


def simulated(*, refuses=(), allows=(), by_organization=False):
    """What IAM says: a role that may accept one origin's invitations, but for these (action, part of a resource)."""
    inside = f"{MANAGEMENT}:handshake/{ORGANIZATION}/invite/"

    def told(action, arn):
        is_among = [any(action == each and part in arn for each, part in pairs) for pairs in (refuses, allows)]
        usual = action == "organizations:AcceptHandshake" and inside in arn
        return "allowed" if (usual and not is_among[0]) or is_among[1] else "implicitDeny"

    def answer(asked):
        [action] = asked["ActionNames"]
        results = [
            {
                "EvalResourceName": arn,
                "EvalDecision": told(action, arn),
                "OrganizationsDecisionDetail": {"AllowedByOrganizations": not by_organization},
            }
            for arn in asked["ResourceArns"]
        ]
        return {"EvaluationResults": results, "IsTruncated": False}

    return answer


__all__ = ["FUNCTION", "Account", "refused"]
