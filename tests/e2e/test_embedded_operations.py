"""What `handshakectl verify` asks with, as strict in the embedded AWS as AWS documents it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from local.aws import embedded_aws

MEMBER = "222222222222"


@pytest.fixture(scope="module")
def aws():
    """A client of any service."""
    with embedded_aws() as running:
        yield lambda service: running.client(service, MEMBER)


def code_of(call, **request):
    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"


def test_a_version_takes_ten_labels_and_gives_them_back(aws):
    ssm, name = aws("ssm"), "/labelled"
    ssm.put_parameter(Name=name, Value="1", Type="String")
    version = {"Name": name, "ParameterVersion": 1}
    ten = [f"label-{number}" for number in range(10)]
    refused = ["aws-label", "SSM", "1st", "with space"]
    assert ssm.label_parameter_version(**version, Labels=[*ten[:9], *refused])["InvalidLabels"] == refused
    assert code_of(ssm.label_parameter_version, **version, Labels=ten) == "OK"
    eleven = code_of(ssm.label_parameter_version, **version, Labels=["eleventh"])
    assert eleven == "ParameterVersionLabelLimitExceeded"
    gone = ssm.unlabel_parameter_version(**version, Labels=[*ten, "never-there"])
    assert (gone["RemovedLabels"], gone["InvalidLabels"]) == (ten, ["never-there"])
    assert ssm.get_parameter_history(Name=name)["Parameters"][0]["Labels"] == []
    assert (
        code_of(ssm.unlabel_parameter_version, Name=name, ParameterVersion=2, Labels=ten) == "ParameterVersionNotFound"
    )


def test_an_event_keeps_the_time_that_it_was_put_with_and_a_label_is_an_event(aws):
    events, sqs = aws("events"), aws("sqs")
    queue = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["example", "aws.ssm"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
    long_ago = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    events.put_events(Entries=[{"Source": "example", "DetailType": "x", "Detail": "{}", "Time": long_ago}])
    aws("ssm").put_parameter(Name="/told", Value="1", Type="String")
    aws("ssm").label_parameter_version(Name="/told", ParameterVersion=1, Labels=["seen"])
    seen = [json.loads(each["Body"]) for _ in range(3) for each in sqs.receive_message(QueueUrl=queue)["Messages"]]
    assert [event["time"] for event in seen if event["source"] == "example"] == ["2026-01-02T03:04:05Z"]
    assert [event["detail"]["operation"] for event in seen if event["source"] == "aws.ssm"] == [
        "Create",
        "LabelParameterVersion",
    ]


def test_a_pattern_is_tested_on_whole_events_only(aws):
    whole = {
        "id": "1",
        "account": MEMBER,
        "source": "example",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "x",
    }

    def tested(event):
        pattern = json.dumps({"source": ["example"]})
        return code_of(aws("events").test_event_pattern, EventPattern=pattern, Event=json.dumps(event))

    assert tested(whole) == "OK"
    for name in whole:
        assert tested({key: value for key, value in whole.items() if key != name}) == "ValidationException"


def test_every_resource_is_simulated(aws):
    iam = aws("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="one", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
    mine, other = (f"arn:aws:ssm:us-east-1:{MEMBER}:parameter/{name}" for name in ("mine", "other"))
    statement = {"Effect": "Allow", "Action": "ssm:PutParameter", "Resource": mine}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="one", PolicyName="one", PolicyDocument=document)
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["ssm:PutParameter"], ResourceArns=[mine, other]
    )
    told = {each["EvalResourceName"]: each["EvalDecision"] for each in answer["EvaluationResults"]}
    assert told == {mine: "allowed", other: "implicitDeny"}


def test_a_query_of_the_log_is_understood_or_refused(aws):
    logs, now = aws("logs"), datetime.now(UTC)
    logs.create_log_group(logGroupName="said")
    logs.create_log_stream(logGroupName="said", logStreamName="one")
    messages = [json.dumps({"message": "decision", "outcome": outcome}) for outcome in ("ACCEPTED", "DECLINED")]
    stamped = [
        {"timestamp": int(now.timestamp() * 1000), "message": each} for each in (*messages, messages[0], "plain")
    ]
    logs.put_log_events(logGroupName="said", logStreamName="one", logEvents=stamped)

    def ask(text):
        return logs.start_query(
            logGroupNames=["said"],
            queryString=text,
            startTime=int((now - timedelta(hours=1)).timestamp()),
            endTime=int((now + timedelta(minutes=1)).timestamp()),
        )

    text = 'filter message = "decision" | stats count(*) as decisions by outcome | sort decisions desc'
    rows = logs.get_query_results(queryId=ask(text)["queryId"])["results"]
    assert [{each["field"]: each["value"] for each in row} for row in rows] == [
        {"decisions": "2", "outcome": "ACCEPTED"},
        {"decisions": "1", "outcome": "DECLINED"},
    ]
    assert code_of(lambda: ask("stats counts(*) by outcome")) == "MalformedQueryException"


def test_an_alarm_takes_its_dimensions_and_missing_data_as_it_says_and_tells_its_topic(aws):
    cloudwatch = aws("cloudwatch")
    topic = aws("sns").create_topic(Name="told")["TopicArn"]
    common = {
        "Namespace": "Example",
        "MetricName": "Runs",
        "Dimensions": [{"Name": "Of", "Value": "ours"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "AlarmActions": [topic],
    }
    fewer, more = "LessThanThreshold", "GreaterThanOrEqualToThreshold"
    cloudwatch.put_metric_alarm(AlarmName="silent", **common, TreatMissingData="breaching", ComparisonOperator=fewer)
    cloudwatch.put_metric_alarm(AlarmName="busy", **common, TreatMissingData="notBreaching", ComparisonOperator=more)
    # Another's, which is not looked at.
    theirs = {"MetricName": "Runs", "Dimensions": [{"Name": "Of", "Value": "theirs"}], "Value": 5}
    cloudwatch.put_metric_data(Namespace="Example", MetricData=[theirs])
    states = {each["AlarmName"]: each["StateValue"] for each in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert states == {"silent": "ALARM", "busy": "OK"}
    items = cloudwatch.describe_alarm_history(AlarmName="silent")["AlarmHistoryItems"]
    assert {(each["HistoryItemType"], each["HistorySummary"]) for each in items} >= {
        ("Action", f"Successfully executed action {topic}"),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
    }


def test_a_question_of_metrics_insights_is_answered_or_refused(aws):
    cloudwatch, now = aws("cloudwatch"), datetime.now(UTC)
    datum = {"MetricName": "Accepted", "Dimensions": [{"Name": "service", "Value": "ours"}], "Value": 3}
    cloudwatch.put_metric_data(Namespace="Example", MetricData=[datum])

    def ask(expression):
        query = {"Id": "q", "Expression": expression, "Period": 3600}
        end = now + timedelta(hours=1)
        return cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=now - timedelta(hours=1), EndTime=end)

    text = "SELECT SUM(Accepted) FROM SCHEMA(Example, service) WHERE service = 'ours'"
    for each in (text.partition(" WHERE")[0], text, f"{text} GROUP BY AWS.AccountId ORDER BY SUM() DESC LIMIT 20"):
        [result] = ask(each)["MetricDataResults"]
        assert (result["StatusCode"], sum(result["Values"])) == ("Complete", 3)
    assert code_of(lambda: ask(f"{text} ORDER BY")) == "ValidationError"
