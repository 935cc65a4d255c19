"""Serves the admin API on the emulator's own port."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from local.service.admin_api import LOOPBACK, PREFIX, AdminApi

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def with_admin_api(app: Asgi, admin: AdminApi) -> Asgi:
    """The server, which answers calls of the admin API itself."""

    async def with_admin_api(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
            return
        status, answer = respond(admin, scope, await _body(receive))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return with_admin_api


def respond(admin: AdminApi, scope: Scope, body: bytes) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to a call."""
    headers = dict(scope["headers"])
    # A page in a browser cannot send this content type to another origin without asking first.
    if (scope.get("client") or ("",))[0] != LOOPBACK or headers.get(b"content-type") != b"application/json":
        return 403, {"error": "the admin API takes JSON from this machine only"}
    if scope["method"] != "POST":
        return 405, {"error": "the admin API takes POST"}
    try:
        return 200, {"result": admin.call(scope["path"].removeprefix(PREFIX), json.loads(body or b"{}"))}
    except (LookupError, TypeError, ValueError) as mistake:
        return 400, {"error": str(mistake)}


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body
