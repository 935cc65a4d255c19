"""An account of an embedded AWS, as its owner sees it, and stacks that come by plain CloudFormation calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from local.aws import FUNCTION, SETTINGS, EmbeddedAws, run
from tests.support.origins import ALLOWED, DENIED, PREFIX, Origin

STACK = "HandshakeAcceptor"
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
_AT_ONCE = {"Delay": 1, "MaxAttempts": 60}


@dataclass(frozen=True, slots=True)
class Account:
    aws: EmbeddedAws
    id: str

    def client(self, service: str) -> Any:
        return self.aws.client(service, self.id)

    def register(self) -> None:
        self.aws.admin.register_account(account_id=self.id, email=f"owner-{self.id}@example.com")

    # Its parameters

    def read(self, name: str) -> dict[str, Any] | None:
        """Value and version of a parameter, if there is one."""
        with suppress(self.client("ssm").exceptions.ParameterNotFound):
            found = self.client("ssm").get_parameter(Name=f"{PREFIX}{name}")["Parameter"]
            return {key: found[key] for key in ("Value", "Version")}
        return None

    def text(self, name: str) -> str | None:
        found = self.read(name)
        return str(found["Value"]) if found else None

    def put(self, name: str, value: str) -> None:
        self.client("ssm").put_parameter(Name=f"{PREFIX}{name}", Value=value, Type="String", Overwrite=True)

    # Its stack

    def create(self, template: str, **parameters: str) -> None:
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK, TemplateBody=template, Parameters=_parameters(parameters), Capabilities=CAPABILITIES
        )
        self.wait("stack_create_complete")

    def update(self, template: str, **changed: str) -> None:
        """As `aws cloudformation deploy` does it: what is not named keeps its value."""
        cloudformation = self.client("cloudformation")
        known = json.loads(template)["Parameters"]
        kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in known if name not in changed]
        cloudformation.update_stack(
            StackName=STACK,
            TemplateBody=template,
            Parameters=_parameters(changed) + kept,
            Capabilities=CAPABILITIES,
        )
        self.wait("stack_update_complete")

    def delete(self) -> None:
        self.client("cloudformation").delete_stack(StackName=STACK)
        self.wait("stack_delete_complete")

    def wait(self, what: str, **more: str) -> None:
        """Until CloudFormation says so of the stack, or of one of its change sets."""
        waiter = self.client("cloudformation").get_waiter(what)
        waiter.wait(StackName=STACK, WaiterConfig=_AT_ONCE, **more)

    def has(self, *names: str) -> bool:
        """Whether these are resources of the stack, by their physical names."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        found = {each["PhysicalResourceId"] for page in pages for each in page["StackResourceSummaries"]}
        return set(names) <= found

    def why_not_created(self, template: str, **parameters: str) -> str:
        """What CloudFormation says of a stack that cannot be created."""
        try:
            self.create(template, **parameters)
        except ClientError as refused:
            return str(refused)
        except WaiterError:
            events = self.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
            return " ".join(event.get("ResourceStatusReason", "") for event in events)
        raise AssertionError("it was created")

    # Its invitations

    def invite(self, origin: Origin = ALLOWED) -> str:
        organizations = self.aws.client("organizations", origin.management_account_id)
        answer = organizations.invite_account_to_organization(Target={"Type": "ACCOUNT", "Id": self.id})
        handshake_id: str = answer["Handshake"]["Id"]
        return handshake_id

    def run(self) -> dict[str, Any]:
        """What the function answers."""
        answer = self.client("lambda").invoke(FunctionName=FUNCTION, Payload=b"{}")
        answered: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, answered
        return answered

    def decisions(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """(handshake id, outcome, Sids) of a run."""
        return [(each["handshake_id"], each["outcome"], tuple(each["sids"])) for each in self.run()["decisions"]]

    def state(self, handshake_id: str) -> str:
        return next(str(each["state"]) for each in self.aws.admin.snapshot() if each["id"] == handshake_id)


def add_organizations(aws: EmbeddedAws) -> None:
    for origin in (ALLOWED, DENIED):
        aws.admin.add_organization(
            organization_id=origin.organization_id, management_account_id=origin.management_account_id
        )


def document(sid: str, origin: Origin = ALLOWED) -> str:
    """A policy document with one Allow."""
    names = {"OrganizationId": origin.organization_id, "ManagementAccountId": origin.management_account_id}
    statement = {"Sid": sid, "Effect": "Allow", "Action": "INVITE", "Origin": names}
    return json.dumps({"Version": "2026-01-01", "Statement": [statement]})


@dataclass(frozen=True, slots=True)
class Published:
    """A template whose asset is in a bucket, for some accounts to read."""

    template: str
    asset: dict[str, str]
    """The parameters that say where."""

    def create(self, account: Account, **parameters: str) -> None:
        account.create(self.template, **self.asset, **parameters)

    def why_not_created(self, account: Account, **parameters: str) -> str:
        """What CloudFormation says of a stack that cannot be created."""
        return account.why_not_created(self.template, **self.asset, **parameters)


def publish(operator: Account, readers: Sequence[str], settings: Path = SETTINGS) -> Published:
    """Builds the template as people do, and puts its asset into a bucket of the operator's."""
    bucket, folder = "example-assets", "releases/"
    operator.client("s3").create_bucket(Bucket=bucket)
    environment = operator.aws.environment(operator.id) | {"MAKEFLAGS": ""}  # not those of a make that runs the tests
    with TemporaryDirectory(prefix="template-") as scratch:  # of its own: other tests build other templates meanwhile
        built = run(["make", "--silent", "template", f"SETTINGS={settings}", f"FOLDER={scratch}"], environment)
        template = Path(built.splitlines()[-1])
        text = template.read_text()
        (function,) = (
            each for each in json.loads(text)["Resources"].values() if each["Type"] == "AWS::Lambda::Function"
        )
        asset = function["Properties"]["Code"]["S3Key"]["Fn::Join"][1][1]
        upload(operator, bucket, f"{folder}{asset}", template.with_name(asset))
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": list(readers)},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/{folder}*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    operator.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    return Published(text, {"AssetBucket": bucket, "AssetFolder": folder})


def upload(account: Account, bucket: str, key: str, asset: bytes | Path) -> None:
    body = asset if isinstance(asset, bytes) else asset.read_bytes()
    account.client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def _parameters(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
