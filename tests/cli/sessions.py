"""What the tests of the verbs that call AWS share."""

from functools import cache

from boto3 import Session


@cache
def session(**names):
    """One session and one client a service for all tests: making them is what a test with boto3 spends its time on.

    It has credentials of its own, whichever test comes first: what it finds then stays for all others.
    """
    has_own = names.get("profile_name") or names.get("botocore_session")
    own = {} if has_own else {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    made = Session(**names, **own)
    made.client = cache(made.client)
    return made
