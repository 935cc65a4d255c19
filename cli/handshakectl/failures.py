"""What goes wrong between here and AWS, in one line.

Error messages of AWS are not passed on: they name the caller, whose session is often an e-mail address.
"""

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError

from handshakectl.output import sanitize

T = TypeVar("T")

DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
"""The codes with which services say that the caller lacks a permission."""
_ADVICE = {
    **dict.fromkeys(DENIED, "the caller lacks the permission"),
    "ExpiredToken": "sign in again",
    "ExpiredTokenException": "sign in again",
    "InvalidClientTokenId": "the credentials are not valid here; sign in again",
    "UnrecognizedClientException": "the credentials are not valid here; sign in again",
    "SignatureDoesNotMatch": "the credentials are not valid; sign in again",
}


def explained(error: Exception) -> str:
    """What went wrong between here and AWS, in one line without anything personal."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return "no AWS credentials: sign in, or give --profile"
        case NoRegionError():
            return "no region: give --region or set AWS_REGION"
        case ClientError():
            code = error_code(error)
            advice = _ADVICE.get(code, "")
            return f"AWS refuses {error.operation_name}: {code}" + (f": {advice}" if advice else "")
    first, *_ = str(error).splitlines() or [type(error).__name__]
    return sanitize(first)


def error_code(error: ClientError) -> str:
    """The service's code for what went wrong."""
    return sanitize(str(error.response.get("Error", {}).get("Code", "an unknown error")))


def attempt(call: Callable[[], T], *absent: str) -> T | None:
    """The call's answer, or None where AWS answers with one of these codes, which mean: it is not there."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) in absent:
            return None
        raise
