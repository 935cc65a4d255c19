"""Settings that are wrong stop the synthesis, all of them at once and each in a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Aws

from handshake_acceptor_cdk.settings import relay as relay_settings
from handshake_acceptor_cdk.settings.acceptor import MOST_GRANTS, Origin, Settings, load, parse
from handshake_acceptor_cdk.settings.reading import WrongSettings
from handshake_core.handshake import Action
from tests.support.synthesis import LOCAL, ROOT

ORIGIN = {"organizationId": "o-exampleorgid", "managementAccountId": "111111111111", "actions": ["INVITE"]}
ORGANIZATION = "an organization id: o- and 10 to 32 lower-case letters or digits"
ACCOUNT = "an account id: 12 digits, in quotes"
PATH = "a path such as /handshake-acceptor/: it begins and ends with a slash, and neither aws nor ssm comes first"
PERIOD = "a whole number of minutes from 5 to 1440; a run takes up to 4"
ACTIONS = (
    '"INVITE" or "ENABLE_ALL_FEATURES" or "APPROVE_ALL_FEATURES" or "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE" '
    'or "TRANSFER_RESPONSIBILITY"'
)
KEYS = (
    "known are origins, allowAnyOrigin, declinable, managementAccounts, policy, prefix, sweepMinutes, "
    "logRetentionDays, tracing, alarmEmail, alarms, keep, dashboard, observabilitySink, decisionBus, runbook, "
    "expiryHours, failedTries, silentSweeps, clearSweeps"
)
ARABIC_ONES = "\u0661" * 12
"""Digits to str.isdigit and to \\d, but no account id."""


def problems(raw: Any, region: str = "us-east-1") -> tuple[str, ...]:
    with pytest.raises(WrongSettings) as wrong:
        parse(raw, region)
    return wrong.value.problems


def origin(**changed: object) -> dict[str, object]:
    return {"origins": [ORIGIN | changed]}


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ([], "setting /: must be an object, is a list"),
        ("{}", "setting /: must be an object, is a text"),
        ({"orgins": []}, f'setting /orgins: unknown key (did you mean "origins"?); {KEYS}'),
        (
            {"allow_any_origin": True},
            f'setting /allow_any_origin: unknown key (did you mean "allowAnyOrigin"?); {KEYS}',
        ),
        ({"zzz": 1}, f"setting /zzz: unknown key; {KEYS}"),
        ({"origins": ORIGIN}, "setting /origins: must be a list, is an object"),
        ({"origins": ["o-exampleorgid"]}, "setting /origins/0: must be an object, is a text"),
        (
            {"origins": [{"organizationId": "o-exampleorgid", "actions": ["INVITE"]}]},
            "setting /origins/0: managementAccountId is missing",
        ),
        (
            origin(organisationId="o-exampleorgid"),
            'setting /origins/0/organisationId: unknown key (did you mean "organizationId"?); '
            "known are organizationId, managementAccountId, actions",
        ),
        (origin(organizationId="o-short"), f'setting /origins/0/organizationId: "o-short" is not {ORGANIZATION}'),
        (
            origin(organizationId="o-exampleorgid\n"),
            f'setting /origins/0/organizationId: "o-exampleorgid\\n" is not {ORGANIZATION}',
        ),
        (
            origin(organizationId="o-exampleorg\u0131d"),
            f'setting /origins/0/organizationId: "o-exampleorg\\u0131d" is not {ORGANIZATION}',
        ),
        (origin(organizationId="*"), f'setting /origins/0/organizationId: "*" is not {ORGANIZATION}'),
        (origin(managementAccountId="*"), f'setting /origins/0/managementAccountId: "*" is not {ACCOUNT}'),
        (
            origin(managementAccountId=ARABIC_ONES),
            f"setting /origins/0/managementAccountId: {json.dumps(ARABIC_ONES)} is not {ACCOUNT}",
        ),
        (
            origin(managementAccountId=111111111111),
            "setting /origins/0/managementAccountId: 111111111111 is not an account id: 12 digits, in quotes",
        ),
        (
            origin(actions=["INVIT"]),
            f'setting /origins/0/actions/0: "INVIT" is not known (did you mean "INVITE"?); use {ACTIONS}',
        ),
        (
            origin(actions=["invite"]),
            f'setting /origins/0/actions/0: "invite" is not known (did you mean "INVITE"?); use {ACTIONS}',
        ),
        (origin(actions="INVITE"), "setting /origins/0/actions: must be a list, is a text"),
        (origin(actions=[]), "setting /origins/0/actions: an empty list matches nothing; name at least one"),
        ({"allowAnyOrigin": "true"}, "setting /allowAnyOrigin: must be true or false, is a text"),
        (
            origin() | {"allowAnyOrigin": True},
            "setting /allowAnyOrigin: true would overrule origins, which names some; keep one of the two",
        ),
        (
            {"declinable": [ORIGIN | {"actions": []}]},
            "setting /declinable/0/actions: an empty list matches nothing; name at least one",
        ),
        ({"managementAccounts": ["1111"]}, f'setting /managementAccounts/0: "1111" is not {ACCOUNT}'),
        (
            {"managementAccounts": ["111111111111\n"]},
            f'setting /managementAccounts/0: "111111111111\\n" is not {ACCOUNT}',
        ),
        ({"managementAccounts": ["*"]}, f'setting /managementAccounts/0: "*" is not {ACCOUNT}'),
        ({"policy": ["x.json"]}, "setting /policy: must be a text, is a list"),
        ({"policy": ""}, 'setting /policy: "" is not the path of a file'),
        ({"prefix": "handshake-acceptor/"}, f'setting /prefix: "handshake-acceptor/" is not {PATH}'),
        ({"prefix": "/handshake-acceptor"}, f'setting /prefix: "/handshake-acceptor" is not {PATH}'),
        ({"prefix": "/"}, f'setting /prefix: "/" is not {PATH}'),
        ({"prefix": "/AWS/x/"}, f'setting /prefix: "/AWS/x/" is not {PATH}'),
        ({"prefix": "/x/*/"}, f'setting /prefix: "/x/*/" is not {PATH}'),
        ({"prefix": "/x/\n"}, f'setting /prefix: "/x/\\n" is not {PATH}'),
        ({"sweepMinutes": 4}, f"setting /sweepMinutes: 4 is not {PERIOD}"),
        ({"sweepMinutes": 1441}, f"setting /sweepMinutes: 1441 is not {PERIOD}"),
        ({"sweepMinutes": 7.5}, f"setting /sweepMinutes: 7.5 is not {PERIOD}"),
        ({"sweepMinutes": True}, f"setting /sweepMinutes: true is not {PERIOD}"),
        ({"alarms": "some"}, 'setting /alarms: "some" is not known; use "all" or "essential" or "none"'),
        ({"decisionBus": "mine"}, 'setting /decisionBus: "mine" is not default, or the ARN of an event bus'),
        ({"decisionBus": ""}, 'setting /decisionBus: "" is not default, or the ARN of an event bus'),
        (
            {"decisionBus": "arn:aws:events:us-east-1:555555555555:rule/x"},
            'setting /decisionBus: "arn:aws:events:us-east-1:555555555555:rule/x" is not default, or the ARN of an'
            " event bus",
        ),
        ({"keep": "no"}, "setting /keep: must be true or false, is a text"),
        ({"tracing": 1}, "setting /tracing: must be true or false, is a number"),
        ({"origins": None}, "setting /origins: must be a list, is null"),
        (None, "context handshakeAcceptor: missing; cdk.json must have it, or name a file: -c settings=FILE"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_wrong(raw: Any, sentence: str) -> None:
    assert problems(raw) == (sentence,)


def test_only_retentions_that_cloudwatch_knows_are_taken() -> None:
    (sentence,) = problems({"logRetentionDays": 366})
    assert sentence.startswith("setting /logRetentionDays: 366 is not known; use 1 or 3 or 5 or 7")


def test_more_grants_than_a_role_can_hold_are_refused_here_rather_than_by_the_deploy() -> None:
    many = [ORIGIN | {"organizationId": f"o-exampleorg{number:03}"} for number in range(MOST_GRANTS)]
    assert parse({"origins": many}, "us-east-1")
    assert problems({"origins": many, "declinable": [ORIGIN]}) == (
        "setting /origins: 61 actions with those of declinable; the function's role has room for 60",
    )


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("17-settings-sink-other-region", "eu-west-1 (partition aws)"),
        ("17c-settings-sink-other-partition", "us-gov-west-1 (partition aws-us-gov)"),
    ],
)
@pytest.mark.parametrize("stack", ["acceptor", "relay"])
def test_a_sink_elsewhere_is_refused_here_rather_than_by_the_deploy(name: str, place: str, stack: str) -> None:
    raw = json.loads((ROOT / "tests" / "field" / f"{name}.json").read_text())
    if stack == "relay":
        raw = {"observabilitySink": raw["observabilitySink"]}
    with pytest.raises(WrongSettings) as wrong:
        (parse if stack == "acceptor" else relay_settings.parse)(raw, "us-east-1")
    assert wrong.value.problems == (
        f"setting /observabilitySink: is in {place}; an account can be linked only to one in its own region, "
        "us-east-1 (partition aws)",
    )


@pytest.mark.parametrize(
    ("partition", "region"), [("aws", "us-east-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-northwest-1")]
)
def test_a_sink_is_taken_where_it_is(partition: str, region: str) -> None:
    sink = f"arn:{partition}:oam:{region}:111111111111:sink/00000000-0000-0000-0000-000000000001"
    assert parse({"observabilitySink": sink}, region).observability_sink == sink
    # A template is for every home region, so that a sink in any of them may be named.
    assert parse({"observabilitySink": sink}, Aws.REGION).observability_sink == sink


@pytest.mark.parametrize(
    ("arn", "place"),
    [
        ("arn:aws:events:eu-west-1:555555555555:event-bus/x", "eu-west-1 (partition aws)"),
        ("arn:aws-us-gov:events:us-gov-west-1:555555555555:event-bus/x", "us-gov-west-1 (partition aws-us-gov)"),
        ("arn:aws-cn:events:us-east-1:555555555555:event-bus/x", "us-east-1 (partition aws-cn)"),
    ],
)
def test_a_bus_elsewhere_is_refused_here_rather_than_by_every_run(arn: str, place: str) -> None:
    assert problems({"decisionBus": arn}) == (
        f"setting /decisionBus: is in {place}; an account can put events only on a bus in its own region, "
        "us-east-1 (partition aws)",
    )
    with pytest.raises(WrongSettings, match=r"^setting /decisionBus: is in "):
        Settings(region="us-east-1", decision_bus=arn)


@pytest.mark.parametrize("bus", ["default", "arn:aws:events:us-east-1:555555555555:event-bus/handshake-acceptor-hub"])
def test_a_bus_is_taken_by_name_or_where_it_is(bus: str) -> None:
    assert parse({"decisionBus": bus}, "us-east-1").decision_bus == bus
    assert parse({"decisionBus": bus}, Aws.REGION).decision_bus == bus


def test_a_template_takes_no_sink_in_a_region_that_it_cannot_be_deployed_to() -> None:
    sink = "arn:aws:oam:eu-west-1:111111111111:sink/00000000-0000-0000-0000-000000000001"
    (sentence,) = problems({"observabilitySink": sink}, Aws.REGION)
    assert sentence.startswith("setting /observabilitySink: is in eu-west-1 (partition aws);")


@pytest.mark.parametrize("region", ["us-west-2", "us-gov-east-1", "cn-north-1", "eu-central-1", ""])
def test_only_a_home_region_sees_organizations_events(region: str) -> None:
    assert problems({}, region) == (
        f"region {region}: Organizations sends its events only to its partition's home region; "
        "deploy to us-east-1 or us-gov-west-1 or cn-northwest-1",
    )


def test_all_mistakes_are_said_at_once() -> None:
    wrong = {"orgins": [], "sweepMinutes": 1, "managementAccounts": ["1", "2"], "prefix": "x"}
    assert len(problems(wrong, "eu-west-1")) == 6


def test_at_most_ten_mistakes_are_said_and_the_rest_counted() -> None:
    said = problems({f"orgin{number}": [] for number in range(1000)})
    assert len(said) == 11
    assert said[-1] == "and 990 more mistakes"


def test_keys_that_are_written_twice_by_the_thousand_are_ten_mistakes_and_a_count(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{" + ",".join(f'"{number // 2}": 0' for number in range(4000)) + "}")
    with pytest.raises(WrongSettings) as wrong:
        load(App(context={"settings": str(file)}).node, "us-east-1")
    assert (len(wrong.value.problems), wrong.value.problems[-1]) == (11, "and 1,990 more mistakes")


def test_settings_are_parsed_whole() -> None:
    assert parse(LOCAL | {"sweepMinutes": 60, "logRetentionDays": 30, "tracing": True}, "us-east-1") == Settings(
        region="us-east-1",
        origins=(
            Origin("o-exampleorgid", "111111111111", (Action.INVITE, Action.ENABLE_ALL_FEATURES)),
            Origin("o-sandbox0001", "333333333333", (Action.INVITE,)),
        ),
        management_accounts=("111111111111", "333333333333"),
        sweep_minutes=60,
        log_retention_days=30,
        tracing=True,
    )


def test_cdk_json_states_the_defaults_which_allow_nothing() -> None:
    stated = json.loads((ROOT / "cdk.json").read_text())["context"]["handshakeAcceptor"]
    assert parse(stated, "us-east-1") == parse({}, "us-east-1") == Settings(region="us-east-1")
    assert not stated["origins"]
    assert not stated["managementAccounts"]


def test_a_file_stands_in_for_cdk_json(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"sweepMinutes": 10}')
    app = App(context={"handshakeAcceptor": {"sweepMinutes": 60, "tracing": True}, "settings": str(file)})
    assert load(app.node, "us-east-1") == Settings(region="us-east-1", sweep_minutes=10)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "origins",
            "settings file {file}: not JSON, at line 1, column 1: a value must stand here: a text in double quotes, "
            "a number, true, false, null, [ or {",
        ),
        (
            '{"tracing": true, "tracing": false}',
            "setting /tracing: this key is written more than once; JSON would keep only the last",
        ),
        (
            '{"x": 1, "origins": [{"a": 1, "a": 2}]}',
            "setting /origins/0/a: this key is written more than once; JSON would keep only the last",
        ),
        (None, "settings file {file}: cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, sentence: str) -> None:
    file = tmp_path / ("a-long-folder-name-" * 5) / "s.json"
    file.parent.mkdir()
    if text is not None:
        file.write_text(text)
    with pytest.raises(WrongSettings) as wrong:
        load(App(context={"settings": str(file)}).node, "us-east-1")
    assert [problem.replace(json.dumps(str(file)), "{file}") for problem in wrong.value.problems] == [sentence]


@pytest.mark.parametrize(("key", "meant"), [("setting", "settings"), ("handshakeacceptor", "handshakeAcceptor")])
def test_a_misspelt_context_does_not_deploy_other_settings(key: str, meant: str) -> None:
    app = App(context={key: "production.json", "handshakeAcceptor": {}})
    with pytest.raises(WrongSettings, match=f"context {key}: unknown; did you mean {meant}"):
        load(app.node, "us-east-1")


def test_the_app_says_one_line_a_mistake_and_exits_1() -> None:
    context = {"handshakeAcceptor": {"sweepMinutes": 4, "tracing": "on"}}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JSII_")}
    environment |= {"CDK_CONTEXT_JSON": json.dumps(context), "CDK_DEFAULT_REGION": "eu-west-1"}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert [line.split(":")[:2] for line in done.stderr.splitlines()] == [
        ["handshake-acceptor", " setting /sweepMinutes"],
        ["handshake-acceptor", " setting /tracing"],
        ["handshake-acceptor", " region eu-west-1"],
    ]
