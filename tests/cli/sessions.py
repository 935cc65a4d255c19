"""What the tests of the verbs that call AWS share."""

from functools import cache

from boto3 import Session


@cache
def session(**names):
    """One session and one client a service for all tests: making them is what a test with boto3 spends its time on."""
    made = Session(**names)
    made.client = cache(made.client)
    return made
