"""Labels on versions of parameters: as strict as documented, told as an event, and taken off again."""

from __future__ import annotations

import json
import re
from typing import Any

from local.adapters.ministack.buses import tell_parameter_change

_LABEL = re.compile(r"(?!aws|ssm|[0-9])[a-z0-9._-]{1,100}", re.ASCII | re.IGNORECASE)
_MOST = 10


def label_versions(ssm: Any, eventbridge: Any) -> None:
    """`LabelParameterVersion` refuses an eleventh label and is an event; `UnlabelParameterVersion` is there.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_LabelParameterVersion.html. That taking a label
    off is an event is not documented, so it is none.
    """
    label, handle, lookup = ssm._label_parameter_version, ssm.handle_request, ssm._lookup_parameter

    def version_of(request: dict[str, Any]) -> Any:
        history = ssm._parameter_history.get(request.get("Name"), ())
        return next((each for each in history if each["Version"] == request.get("ParameterVersion")), None)

    def label_parameter_version(request: dict[str, Any]) -> Any:
        wanted = request.get("Labels", [])
        bad = [each for each in wanted if not _LABEL.fullmatch(each)]
        good = [each for each in wanted if each not in bad]
        version = version_of(request)
        if version and len({*version.get("Labels", ()), *good}) > _MOST:
            message = f"A parameter version can have maximum {_MOST} labels."
            return ssm.error_response_json("ParameterVersionLabelLimitExceeded", message, 400)
        answer = label(request | {"Labels": good})
        if answer[0] != 200:
            return answer
        if good:
            tell_parameter_change(eventbridge, "LabelParameterVersion", lookup(request["Name"])[1])
        return ssm.json_response({**json.loads(answer[2]), "InvalidLabels": bad})

    def unlabel_parameter_version(request: dict[str, Any]) -> Any:
        version = version_of(request)
        if version is None:
            return ssm.error_response_json("ParameterVersionNotFound", "The parameter has no such version.", 400)
        labels, wanted = version.setdefault("Labels", []), request.get("Labels", [])
        removed = [each for each in wanted if each in labels]
        for each in removed:
            labels.remove(each)
        missing = [each for each in wanted if each not in removed]
        return ssm.json_response({"RemovedLabels": removed, "InvalidLabels": missing})

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".UnlabelParameterVersion"):
            return unlabel_parameter_version(json.loads(body or b"{}"))
        return await handle(method, path, headers, body, query)

    ssm._label_parameter_version, ssm.handle_request = label_parameter_version, handle_request
