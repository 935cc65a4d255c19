"""The handler as Lambda calls it: real botocore, moto's Parameter Store, the handshake service."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError

from handshake_acceptor.sweeps.memory import minute_of
from handshake_core import retry
from handshake_core.retry import Clock
from local.adapters.moto import handshakes_in_moto
from local.service.handshake_service import Fault, HandshakeService
from local.world import MANAGEMENT, MEMBER, ORGANIZATION, PREFIX, allow, document
from tests.support.services import read_services_once


@dataclass
class Context:
    function_name: str = "handshake-acceptor"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = f"arn:aws:lambda:us-east-1:{MEMBER}:function:handshake-acceptor"
    aws_request_id: str = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 240_000


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[HandshakeService]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "handshake-acceptor")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "HandshakeAcceptor")
    read_services_once(monkeypatch)
    service = HandshakeService(lambda: datetime.now(UTC))
    service.add_organization(ORGANIZATION, MANAGEMENT)
    with handshakes_in_moto(service, account_id=MEMBER):
        yield service


@pytest.fixture
def logged() -> StringIO:
    """What the logger writes. (Powertools keeps one logger a process, with the standard output of the first test.)"""
    return StringIO()


@pytest.fixture
def handler(service: HandshakeService, logged: StringIO) -> ModuleType:
    module = importlib.reload(importlib.import_module("handshake_acceptor.handler"))
    module.logger.registered_handler.stream = logged
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name=f"{PREFIX}mode", Value="enforce", Type="String")
    ssm.put_parameter(Name=f"{PREFIX}policy/allowlist", Value=document(allow()), Type="String")
    return module


@pytest.fixture
def telling(service: HandshakeService, logged: StringIO, monkeypatch: pytest.MonkeyPatch, request: Any) -> ModuleType:
    """The handler where the setting `decisionBus` names a bus."""
    monkeypatch.setenv("DECISION_BUS", "default")
    module: ModuleType = request.getfixturevalue("handler")
    return module


def invite(service: HandshakeService) -> str:
    request = {"Target": {"Type": "ACCOUNT", "Id": MEMBER}, "Notes": "for rosalind@example.com"}
    return str(service.call("InviteAccountToOrganization", MANAGEMENT, request)["Handshake"]["Id"])


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_accepts_records_and_answers(
    handler: ModuleType, service: HandshakeService, logged: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = invite(service)
    answer = handler.handler({"source": "aws.scheduler"}, Context())
    assert [(d["handshake_id"], d["outcome"]) for d in answer["decisions"]] == [(wanted, "ACCEPTED")]
    decisions = [line for line in lines(logged.getvalue()) if line["message"] == "decision"]
    assert [d["outcome"] for d in decisions] == ["ACCEPTED"]
    metrics = lines(capsys.readouterr().out)
    assert [m["Accepted"] for m in metrics] == [[1.0]]
    assert metrics[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_an_idle_run_emits_no_metric(handler: ModuleType, logged: StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    assert handler.handler({}, Context())["decisions"] == []
    assert [line["message"] for line in lines(logged.getvalue())] == ["run"]
    assert capsys.readouterr().out == ""


def test_no_personal_data_is_written(
    handler: ModuleType, service: HandshakeService, logged: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    service.register_account(MEMBER, "rosalind@example.com", "Rosalind")
    invite(service)
    handler.handler({"detail": {"requestParameters": {"notes": "rosalind@example.com"}}}, Context())
    captured = capsys.readouterr()
    written = logged.getvalue() + captured.out + captured.err
    assert "decision" in written
    assert "@" not in written
    assert "rosalind" not in written.lower()


def test_what_a_minute_may_cure_fails_the_invocation(handler: ModuleType, service: HandshakeService) -> None:
    service.inject(Fault(operation="ListHandshakesForAccount", code="AccessDeniedException"))
    with pytest.raises(handler.RunFailed, match="LIST_UNREADABLE AccessDeniedException"):
        handler.handler({}, Context())


def test_an_invalid_policy_is_said_even_when_nothing_is_pending(
    handler: ModuleType, logged: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("ssm").put_parameter(Name=f"{PREFIX}policy/allowlist", Value="{", Type="String", Overwrite=True)
    handler.handler({}, Context())
    errors = [line["errors"] for line in lines(logged.getvalue()) if line["message"] == "policy invalid"]
    assert len(errors) == 1
    assert errors[0][0].startswith(f"{PREFIX}policy/allowlist: not JSON, at line 1, column 2")
    assert [line["PolicyInvalid"] for line in lines(capsys.readouterr().out)] == [[1.0]]


def test_a_policy_of_nothing_but_mistakes_is_logged_and_recorded_in_a_few_lines(
    handler: ModuleType, service: HandshakeService, logged: StringIO
) -> None:
    invite(service)
    text = '{"Version": "2026-01-01", "Statement": [' + ",".join(["{}"] * 2700) + "]}"
    boto3.client("ssm").put_parameter(
        Name=f"{PREFIX}policy/allowlist", Value=text, Type="String", Tier="Advanced", Overwrite=True
    )
    answer = handler.handler({}, Context())
    (errors,) = [line["errors"] for line in lines(logged.getvalue()) if line["message"] == "policy invalid"]
    assert (len(errors), errors[-1]) == (11, "and 5,390 more mistakes")
    (decision,) = answer["decisions"]
    assert [reason["message"] for reason in decision["reasons"]] == errors
    assert len(logged.getvalue()) < 10_000


def test_botocore_itself_never_retries(handler: ModuleType, service: HandshakeService) -> None:
    for client in (handler._ORGANIZATIONS, handler._SSM):
        assert client.meta.config.retries["total_max_attempts"] == 1
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (3, 15)


def test_its_calls_carry_its_name(handler: ModuleType) -> None:
    sent: list[bytes] = []
    for client in (handler._ORGANIZATIONS, handler._SSM):
        client.meta.events.register("before-send", lambda request, **_: sent.append(request.headers["User-Agent"]))
    handler.handler({}, Context())
    assert [agent.split()[0] for agent in sent] == [b"handshake-acceptor"] * 2  # Powertools adds itself


# Decision events


def puts(module: ModuleType) -> list[dict[str, Any]]:
    """What the client sends from now on."""
    sent: list[dict[str, Any]] = []
    client = module._TOLD._client()
    client.meta.events.register("provide-client-params.events.PutEvents", lambda params, **_: sent.append(params))
    return sent


def test_without_a_bus_nothing_is_told(handler: ModuleType, service: HandshakeService) -> None:
    invite(service)
    assert handler._TOLD is None
    assert [each["outcome"] for each in handler.handler({}, Context())["decisions"]] == ["ACCEPTED"]


def test_an_idle_run_does_not_even_make_the_client(telling: ModuleType) -> None:
    telling.handler({}, Context())
    assert telling._TOLD._client.cache_info().currsize == 0


def test_the_real_client_puts_what_is_told(telling: ModuleType, service: HandshakeService, logged: StringIO) -> None:
    invite(service)
    sent = puts(telling)
    answer = telling.handler({}, Context())
    (entry,) = sent[0]["Entries"]
    assert json.loads(entry["Detail"]) == {"version": "1"} | answer["decisions"][0]
    assert (entry["EventBusName"], entry["DetailType"]) == ("default", "Handshake Decision")
    assert [line["message"] for line in lines(logged.getvalue())] == ["decision", "run"]
    client = telling._TOLD._client()
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (3, 15)


def test_what_could_not_be_told_fails_the_run_at_its_end_and_is_told_first_in_the_next(
    telling: ModuleType, service: HandshakeService, logged: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    class Client:
        """A bus that takes nothing, and then everything."""

        def put_events(self, **request: Any) -> dict[str, Any]:
            calls.append("PutEvents")
            if "next run" not in calls:
                raise ConnectTimeoutError(endpoint_url="https://events.us-east-1.amazonaws.com")
            return {"Entries": [{"EventId": "x"}]}

    class Short(Context):
        """There is no time for a second try."""

        def get_remaining_time_in_millis(self) -> int:
            return 19_000 if calls[-1:] == ["PutEvents"] else 240_000

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    telling._ORGANIZATIONS.meta.events.register("provide-client-params.organizations", note)
    monkeypatch.setattr(telling._TOLD, "_client", Client)
    wanted = invite(service)
    with pytest.raises(telling.RunFailed, match=r"^DECISION_UNSENT$"):
        telling.handler({}, Short())
    assert service.handshake(wanted).state.value == "ACCEPTED"
    assert (calls[-1], calls.count("AcceptHandshake")) == ("PutEvents", 1)
    (run,) = [line for line in lines(logged.getvalue()) if line["message"] == "run"]
    assert run["failures"] == ["DECISION_UNSENT"]
    calls[:] = ["next run"]
    telling.handler({}, Context())
    assert calls == ["next run", "PutEvents", "ListHandshakesForAccount"]


def test_a_refused_event_is_a_line_in_the_log_and_no_failure(
    telling: ModuleType, service: HandshakeService, logged: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Client:
        def put_events(self, **request: Any) -> dict[str, Any]:
            return {"Entries": [{"ErrorCode": "AccessDeniedException", "ErrorMessage": "for mary@example.com"}]}

    monkeypatch.setattr(telling._TOLD, "_client", Client)
    wanted = invite(service)
    telling.handler({}, Context())
    (line,) = [line for line in lines(logged.getvalue()) if line["message"] == "event refused"]
    said = {key: line[key] for key in ("level", "detail_type", "handshake_id", "code")}
    assert said == {
        "level": "WARNING",
        "detail_type": "Handshake Decision",
        "handshake_id": wanted,
        "code": "AccessDeniedException",
    }
    assert "@" not in logged.getvalue()


def test_time_to_tell_is_kept_back_where_there_is_a_bus(telling: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def run(self: Any, trigger: Any) -> Any:
        seen.append(self._clock.remaining())
        raise KeyError

    monkeypatch.setattr(telling.Reconcile, "run", run)
    for told in (telling._TOLD, None):
        monkeypatch.setattr(telling, "_TOLD", told)
        with pytest.raises(KeyError):
            telling.handler({}, Context())
    assert seen == [240 - retry.CALL, 240]


@dataclass
class Hours:
    """Time that passes only when somebody sleeps, or when it is set."""

    now: datetime

    def clock(self, _remaining: object) -> Clock:
        deadline = self.now + timedelta(seconds=240)
        return Clock(
            now=lambda: self.now,
            remaining=lambda: (deadline - self.now).total_seconds(),
            sleep=self.sleep,
            random=lambda: 0.5,
        )

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def hours(handler: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Hours:
    """Just after the account's own minute of the hour."""
    hours = Hours(datetime(2026, 11, 26, 4, minute_of(MEMBER), 30, tzinfo=UTC))
    monkeypatch.setattr(handler.retry, "real_clock", hours.clock)
    return hours


def throttle(service: HandshakeService, times: int = 100) -> None:
    service.inject(Fault(operation="ListHandshakesForAccount", code="TooManyRequestsException", times=times))


def test_a_sweep_that_is_throttled_steps_back_and_the_next_ones_say_that_they_skip(
    handler: ModuleType, service: HandshakeService, logged: StringIO, hours: Hours
) -> None:
    sweep = {"source": "aws.scheduler"}
    handler.handler(sweep, Context())
    looked_at = hours.now
    hours.now += timedelta(minutes=5)
    throttle(service)
    assert handler.handler(sweep, Context()) == {"mode": "enforce", "decisions": []}
    assert hours.now - looked_at < timedelta(minutes=5, seconds=10)
    hours.now += timedelta(minutes=5)
    assert handler.handler(sweep, Context()) == {"mode": "enforce", "decisions": []}

    runs = [line for line in lines(logged.getvalue()) if line["message"] == "run"]
    assert [line.get("skipped") for line in runs] == [None, False, True]
    assert [line["failures"] for line in runs] == [[], [], []]
    assert [line["postponed"] for line in runs] == [[], ["LIST_UNREADABLE TooManyRequestsException"], []]
    assert [line.get("last_look") for line in runs] == [None, looked_at.isoformat(), looked_at.isoformat()]
    assert "last_look" not in runs[0], "an idle run says no more than it did"
    assert len({line["policy_version"] for line in runs}) == 1


def test_a_process_that_has_not_looked_for_two_hours_fails_the_invocation(
    handler: ModuleType, service: HandshakeService, hours: Hours
) -> None:
    throttle(service)
    handler.handler({"source": "aws.scheduler"}, Context())
    hours.now += timedelta(hours=2)
    with pytest.raises(handler.RunFailed, match="NO_LOOK"):
        handler.handler({"source": "aws.scheduler"}, Context())


@pytest.mark.parametrize(("minutes", "fails"), [("5", False), ("9", False), ("10", True), ("1440", True)])
def test_where_no_process_survives_from_sweep_to_sweep_one_that_is_throttled_fails(
    handler: ModuleType, service: HandshakeService, monkeypatch: pytest.MonkeyPatch, minutes: str, fails: bool
) -> None:
    """Each would step back as if it were the first, and nobody would ever hear of it."""
    monkeypatch.setenv("SWEEP_MINUTES", minutes)
    module = importlib.reload(handler)
    monkeypatch.setattr(module.retry, "real_clock", Hours(datetime(2026, 11, 26, tzinfo=UTC)).clock)
    throttle(service)
    with pytest.raises(module.RunFailed) if fails else nullcontext():
        module.handler({"source": "aws.scheduler"}, Context())
