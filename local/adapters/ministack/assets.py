"""A function's code: from whose bucket it comes, of which code a version is, and where it lies unpacked."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def fetch_code_from_others(lambda_svc: Any, s3: Any, responses: Any) -> None:
    """Ministack looks only among the account's own buckets, and deploys a function without code if it is not there."""
    fetch = lambda_svc._fetch_code_from_s3

    def fetch_code_from_s3(bucket: str, key: str, version_id: str | None = None) -> bytes:
        owner, caller = s3._bucket_owner_account(bucket), responses.get_account_id()
        if owner is not None and (owner == caller or s3._foreign_bucket_allows(owner, bucket, key, "GET", {}, caller)):
            with responses.request_scope(owner, responses.get_region()):
                found: bytes | None = fetch(bucket, key, version_id=version_id)
            if found is not None:
                return found
        raise ValueError(
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject"
            f" for {bucket}/{key}"
        )

    lambda_svc._fetch_code_from_s3 = fetch_code_from_s3


def publish_only_the_stated_code(handlers: dict[str, Any], lambda_svc: Any) -> None:
    """CloudFormation's property `CodeSha256` of a version, which ministack does not read.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html: "Only
    publish a version if the hash value matches".
    """

    def checking(operation: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
        def check(*arguments: Any, **named: Any) -> Any:
            stated = arguments[properties_at].get("CodeSha256")
            function = lambda_svc._functions[arguments[properties_at]["FunctionName"]]
            if stated and stated != (found := function["config"]["CodeSha256"]):
                raise ValueError(f"CodeSHA256 ({stated}) is different from current CodeSHA256 in $LATEST ({found})")
            return operation(*arguments, **named)

        return check

    handlers |= {"create": checking(handlers["create"], 1), "update": checking(handlers["update"], 2)}


def unpack_once(lambda_runtime: Any, lambda_svc: Any) -> None:
    """One tree for all processes of the same code, as on AWS, where each has it mounted.

    Ministack unpacks it for each process, which then also compiles all of it.
    """

    class Unpacked(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
            code = Path(str(self.filename)).read_bytes()
            Path(path).rmdir()
            Path(path).symlink_to(lambda_svc._docker_extracted_dir(code, "code"))

    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": Unpacked})
