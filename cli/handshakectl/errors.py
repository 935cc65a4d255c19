"""How a verb ends: its exit status, and what is raised for input that cannot be used."""

EXIT_YES, EXIT_NO, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130


class BadInput(Exception):
    """What the person gave cannot be used; the message says where and why, in one line."""


class EntryRefused(BadInput):
    """The role of an account cannot be assumed.

    STS answers the same to a role that does not trust the caller, to one that is missing, and for an account that is.
    [AWS STS API Reference, AssumeRole; IAM User Guide, "Troubleshooting IAM roles"]
    """
