"""The stack as one template for many accounts, which need no CDK, no bootstrap and no settings of their own.

`python -m handshake_acceptor_cdk.stacks.template [SETTINGS] [--folder FOLDER]` builds it in build/template, or in the
folder that is named, beside the function's asset as a zip file, and prints its path. What the settings say are the
defaults of the template's parameters, or stands in it as in any other deploy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from aws_cdk import (
    App,
    Aws,
    BootstraplessSynthesizer,
    CfnCondition,
    CfnParameter,
    CfnRule,
    CfnRuleAssertion,
    Fn,
    Token,
)
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from handshake_acceptor_cdk.asset.build import BuildFailed, build_asset, digest
from handshake_acceptor_cdk.functions import acceptor_role
from handshake_acceptor_cdk.names import NAME
from handshake_acceptor_cdk.partitions import COMMERCIAL, HOME_REGIONS, OTHERS, TRACED, Partition
from handshake_acceptor_cdk.settings.acceptor import Settings, load
from handshake_acceptor_cdk.settings.reading import CONTEXT, FILE, WrongSettings, read_file
from handshake_acceptor_cdk.stacks.acceptor import AcceptorStack
from handshake_acceptor_cdk.stacks.parts import Inputs, revision
from handshake_acceptor_cdk.stacks.policy_parameters import CodeOwnedDocument
from handshake_core.handshake import Action

MOST_BYTES: Final = 51_200
"""The longest template that CloudFormation takes in a call; a longer one must be in a bucket.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

MOST_PARAMETER_BYTES: Final = 4096

FOLDER: Final = Path("build", "template")

_STACK: Final = "HandshakeAcceptor"
_ACCOUNT: Final = "[0-9]{12}"
_ORIGIN: Final = f"^{_ACCOUNT}:handshake/o-[a-z0-9]{{10,32}}/({'|'.join(action.lower() for action in Action)})$"


class TemplateStack(AcceptorStack):
    """The acceptor's stack for any account and partition: what differs between fleets are parameters."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, asset: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            settings=replace(settings, region=Aws.REGION),
            asset=asset,
            synthesizer=BootstraplessSynthesizer(),
        )
        self._only_in("HomeRegion", HOME_REGIONS, "Organizations sends its events only to its partition's home region")
        if settings.tracing:
            self._only_in("Traced", TRACED, "The setting tracing needs X-Ray for functions, which AWS has here only")
        if settings.observability_sink:
            linked = [settings.observability_sink.split(":")[3]]
            self._only_in("Linked", linked, "An account can be linked only in the region of the observabilitySink")

    def _only_in(self, name: str, regions: Sequence[str], why: str) -> None:
        here = CfnRuleAssertion(
            assert_=Fn.condition_contains(list(regions), Aws.REGION),
            assert_description=f"{why}: {', '.join(regions)}",
        )
        CfnRule(self, name, assertions=[here])

    def inputs(self, settings: Settings, asset: Path | None) -> Inputs:
        """As the template's parameters say."""
        asset = asset or build_asset()
        code = self._code(asset)
        ceiling = self._ceiling(settings)
        accounts = self._list(
            "ManagementAccounts",
            "Accounts that may put hints on this account's bus. None: only the sweep finds invitations",
            allowed_pattern=f"^(|{_ACCOUNT})$",
            constraint_description="must be account ids of 12 digits, or nothing",
            default=",".join(settings.management_accounts),
        )
        return Inputs(
            code=code,
            code_sha256=b64encode(hashlib.sha256(packed(asset)).digest()).decode(),
            ceiling=[ceiling],
            management_accounts=accounts,
            has_management_accounts=self._given("HasManagementAccounts", Fn.join("", accounts)),
            policy=self._policy(settings),
        )

    def _code(self, asset: Path) -> lambda_.Code:
        bucket = self._text(
            "AssetBucket",
            "The bucket with the function's asset, in the region of the stack. Who deploys must be able to read it",
            allowed_pattern="^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        )
        folder = self._text(
            "AssetFolder",
            "Where the asset is in that bucket: empty, or a path that ends with a slash",
            allowed_pattern="^(|.*/)$",
            default="",
        )
        # The name follows from the content, and is no parameter: a stack keeps the values of its parameters, and would
        # keep the last release's function.
        key = f"{folder}{asset_name(asset)}"
        return lambda_.Code.from_bucket_v2(s3.Bucket.from_bucket_name(self, "AssetBucketName", bucket), key)

    def _ceiling(self, settings: Settings) -> str:
        """Declares the parameter `Origins`, and gives the token that CloudFormation expands to the ceiling's ARNs."""
        if settings.allow_any_origin:
            (anything,) = acceptor_role.ceiling(settings)
            return anything
        origins = self._list(
            "Origins",
            "The ceiling: the handshakes that may be accepted at all, whatever the policy says. Up to 60, and 4,096"
            " bytes together, each as management account, organization and action stand in a handshake's ARN",
            allowed_pattern=_ORIGIN,
            constraint_description="must be such as 111111111111:handshake/o-exampleorgid/invite, several with commas"
            " between them",
            default=",".join(sorted(acceptor_role.arn_suffixes(settings.origins))) or None,
        )

        def arns(partition: Partition) -> Any:
            # A separator must be a plain text: there is one expression a partition, not one with the partition in it.
            start, end = f"arn:{partition.name}:organizations::", "/*"
            return Fn.split("|", f"{start}{Fn.join(f'{end}|{start}', origins)}{end}")

        found = arns(COMMERCIAL)
        for partition in OTHERS:
            name = "In" + partition.name.title().replace("-", "")
            condition = CfnCondition(self, name, expression=Fn.condition_equals(Aws.PARTITION, partition.name))
            found = Fn.condition_if(condition.logical_id, arns(partition), found)
        return Token.as_string(found)

    def _policy(self, settings: Settings) -> CodeOwnedDocument:
        otherwise = "the one that the template has" if settings.policy else "there is none"
        text = self._text(
            "DeployedPolicy",
            f"A policy document that this stack keeps as the parameter policy/deployed. Empty: {otherwise}",
            default="",
        )
        again = self._text(
            "DeployedPolicyRevision",
            "Any text; another one makes CloudFormation write policy/deployed again, edited there or not",
            default="1",
            allowed_pattern="^[ -~]{1,100}$",
        )
        given = self._given("HasDeployedPolicy", text)
        if settings.policy is None:
            return CodeOwnedDocument(text, f"Revision {again}.", given)
        # A document of the template's own has no limit of 4,096 bytes, and reaches the stacks that there are.
        either = Fn.condition_if(given.logical_id, text, settings.policy.text)
        return CodeOwnedDocument(Token.as_string(either), f"{revision(settings.policy)} Revision {again}.")

    def _given(self, name: str, text: str) -> CfnCondition:
        return CfnCondition(self, name, expression=Fn.condition_not(Fn.condition_equals(text, "")))

    def _text(self, name: str, description: str, **more: Any) -> str:
        return CfnParameter(self, name, description=description, **more).value_as_string

    def _list(self, name: str, description: str, **more: Any) -> list[str]:
        return CfnParameter(self, name, type="CommaDelimitedList", description=description, **more).value_as_list


def asset_name(asset: Path) -> str:
    """What the asset's zip file is called: the same for the same content."""
    return f"{NAME}-{digest(asset)[:16]}.zip"


def packed(asset: Path) -> bytes:
    """An asset's zip file: the same bytes for the same content."""
    with ZipFile(file := BytesIO(), "w", ZIP_DEFLATED) as archive:
        for path in sorted(asset.rglob("*")):
            if path.is_file():
                status = path.stat()
                entry = ZipInfo(str(path.relative_to(asset)), time.gmtime(status.st_mtime)[:6])
                entry.external_attr = status.st_mode << 16
                archive.writestr(entry, path.read_bytes(), ZIP_DEFLATED)
    return file.getvalue()


def build(settings: Settings, context: dict[str, Any], folder: Path = FOLDER) -> tuple[Path, list[str]]:
    """Builds template and asset in `folder`; gives the template's path and what synthesis warns of."""
    asset = build_asset()
    with TemporaryDirectory() as scratch:
        app = App(context=context, outdir=scratch)
        stack = TemplateStack(app, _STACK, settings=settings, asset=asset)
        synthesized = app.synth().get_stack_by_name(stack.stack_name)
        text = json.dumps(synthesized.template, separators=(",", ":"))
        _refuse_long_defaults(synthesized.template)
        warnings = [str(each.entry.data) for each in synthesized.messages if str(each.level) == "warning"]
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{NAME}.template.json"
    with TemporaryDirectory(dir=folder) as scratch:
        # Two renames: whoever reads here while it is built again never finds half a file.
        zipped = Path(scratch, "asset")
        zipped.write_bytes(packed(asset))
        zipped.replace(folder / asset_name(asset))
        written = Path(scratch, "template")
        written.write_text(text, "utf-8")
        written.replace(file)
    if len(text.encode()) > MOST_BYTES:
        warnings.append(f"the template is longer than {MOST_BYTES} bytes: CloudFormation takes it from a bucket only")
    return file, warnings


def _refuse_long_defaults(template: dict[str, Any]) -> None:
    for name, parameter in template["Parameters"].items():
        if (size := len(parameter.get("Default", ""))) > MOST_PARAMETER_BYTES:
            raise WrongSettings(
                [f"parameter {name}: {size} bytes in the settings; a template's parameter takes {MOST_PARAMETER_BYTES}"]
            )


def main(arguments: list[str]) -> int:
    """Builds both from cdk.json, or from the settings file that is named instead."""
    parser = argparse.ArgumentParser(
        prog="handshake_acceptor_cdk.stacks.template", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("settings", nargs="?", metavar="SETTINGS")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    try:
        context = read_file("cdk.json")["context"]
        given = {CONTEXT: context[CONTEXT]} | ({FILE: asked.settings} if asked.settings else {})
        # One template is for every partition's home region.
        settings = load(App(context=context | given).node, Aws.REGION)
        file, warnings = build(settings, context, asked.folder)
    except WrongSettings as wrong:
        problems = wrong.problems
    except BuildFailed as failed:
        problems = (str(failed),)
    else:
        for warning in warnings:
            print(f"handshake-acceptor: warning: {warning}", file=sys.stderr)
        print(file)
        return 0
    for problem in problems:
        print(f"handshake-acceptor: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
