"""A function's code may be in another account's bucket, if that bucket's policy admits the caller."""

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
