"""Holds requests and answers against botocore's model of AWS Organizations.

The model states shapes, required members, types, lengths, enums and patterns. Three of its patterns are wrong
and replaced here: ARNs exist in other partitions than `aws`, and the last part but one of a handshake's ARN is
an action of up to 37 characters (`add_organizations_service_linked_role`), where the model allows 32.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

_ARN = r"^arn:aws[a-z-]*:organizations::\d{12}:"
_PATTERNS = {
    "HandshakeArn": _ARN + r"handshake/o-[a-z0-9]{10,32}/[a-z_]+/h-[0-9a-z]{8,32}$",
    "OrganizationArn": _ARN + r"organization/o-[a-z0-9]{10,32}$",
    "AccountArn": _ARN + r"account/o-[a-z0-9]{10,32}/\d{12}$",
}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "timestamp": (datetime, int, float),
    "list": list,
    "structure": Mapping,
}


class ModelMismatch(Exception):
    """What was said is not what the model says."""


def check_request(operation: str, request: Mapping[str, Any]) -> None:
    """Raise `ModelMismatch` for a request that AWS would not understand."""
    _raise(operation, "request", list(_problems(_operation(operation).input_shape, request, "")))


def check_answer(operation: str, answer: Mapping[str, Any]) -> None:
    """Raise `ModelMismatch` for an answer that AWS could not give."""
    _raise(operation, "answer", list(_problems(_operation(operation).output_shape, answer, "")))


def check_error(operation: str, code: str, reason: str | None) -> None:
    """Raise `ModelMismatch` for an error that the operation does not document."""
    shape = next((found for found in _operation(operation).error_shapes if found.name == code), None)
    if shape is None:
        raise ModelMismatch(f"{operation} does not document {code}")
    if reason is not None:
        _raise(operation, code, list(_problems(shape, {"Reason": reason}, "")))


@cache
def _operation(name: str) -> OperationModel:
    model = Loader().load_service_model("organizations", "service-2")
    return ServiceModel(model, "organizations").operation_model(name)


def _raise(operation: str, what: str, problems: list[str]) -> None:
    if problems:
        raise ModelMismatch(f"{operation} {what}: {'; '.join(problems)}")


def _problems(shape: Shape | None, value: Any, at: str) -> Iterator[str]:
    """Every way in which the value is not of the shape; `at` is the place, as a JSON pointer."""
    if shape is None:
        if value:
            yield f"{at or '/'}: nothing is expected here"
    elif not _is_typed(shape, value):
        yield f"{at or '/'}: {type(value).__name__} instead of {shape.type_name}"
    elif shape.type_name == "structure":
        yield from (f"{at}/{name}: missing" for name in shape.required_members if name not in value)
        yield from (f"{at}/{name}: unknown" for name in value if name not in shape.members)
        for name, member in shape.members.items():
            if name in value:
                yield from _problems(member, value[name], f"{at}/{name}")
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            yield from _problems(shape.member, item, f"{at}/{index}")
    elif shape.type_name == "string":
        yield from _string_problems(shape, value, at)
    elif shape.type_name == "integer":
        low, high = shape.metadata.get("min", value), shape.metadata.get("max", value)
        if not low <= value <= high:
            yield f"{at}: {value} is not between {low} and {high}"


def _is_typed(shape: Shape, value: Any) -> bool:
    return isinstance(value, _TYPES[shape.type_name])


def _string_problems(shape: Shape, value: str, at: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{at}: {value!r} is none of {', '.join(shape.enum)}"
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
    if not low <= len(value) <= high:
        yield f"{at}: {len(value)} characters, not between {low} and {high}"
    pattern = _PATTERNS.get(shape.name, shape.metadata.get("pattern", ""))
    if not re.search(pattern, value):
        yield f"{at}: {value!r} does not match {pattern}"
