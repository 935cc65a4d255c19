"""Both ends of the admin API: what arranges and inspects the handshake world of a running embedded AWS.

It is no AWS operation: `POST /_handshakes/<verb>` with a JSON object, on the emulator's own port and from this machine
only. The verbs are the public methods of `AdminApi`, and those of `HandshakeService` that put something into its world;
`AdminClient` calls them from another process. A world file is a list of the same requests:
`[{"verb": "add_organization", "organization_id": "o-exampleorgid", ...}]`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from local.service.handshake_service import HandshakeService
from local.service.observability import Observability
from local.service.values import Effect, Fault, Json, ShiftedClock, State

PREFIX = "/_handshakes/"
LOOPBACK = "127.0.0.1"
"""Where the embedded AWS listens, and the only place from which this API may be called."""


class UnknownVerb(LookupError):
    """No such verb."""


class AdminApi:
    """The verbs; times are ISO 8601 on the way out, durations are seconds on the way in."""

    def __init__(self, world: Sequence[Mapping[str, Any]] = ()) -> None:
        """Start with a world: requests that are made now and after every reset."""
        self._clock = ShiftedClock()
        self.observability = Observability()
        self.service = HandshakeService(self._clock)
        self._world = world
        self.reset()

    def call(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do what the verb says; `TypeError`, `ValueError` and `LookupError` are the caller's mistakes."""
        if verb not in VERBS:
            raise UnknownVerb(f"{verb!r} is none of {', '.join(VERBS)}")
        return getattr(self.service if verb in _OF_SERVICE else self, verb)(**arguments)

    def start_trail(self, account_id: str) -> None:
        """Have the account's calls recorded, and the records delivered: without a trail EventBridge is sent none."""
        self._trails.add(account_id)

    def forge(self, handshake_id: str, changes: Mapping[str, Any]) -> None:
        """Give a handshake other fields of `Handshake`, which may then contradict each other."""
        self.service.forge(handshake_id, **changes)

    def choose_ids(self, ids: Iterable[str]) -> None:
        """Name the next organizations and handshakes."""
        self.service.choose_ids(*ids)

    def configure(self, **settings: Any) -> None:
        """Change `Settings`; `accept_delay` is in seconds."""
        if "accept_delay" in settings:
            settings["accept_delay"] = timedelta(seconds=settings["accept_delay"])
        if "invite_state" in settings:
            settings["invite_state"] = State(settings["invite_state"])
        self.service.configure(**settings)

    def inject(self, faults: Iterable[Mapping[str, Any]]) -> None:
        """Append to the fault plan: objects with the fields of `Fault`."""
        self.service.inject(*(Fault(**{**fault, "effect": Effect(fault.get("effect", "before"))}) for fault in faults))

    def advance(self, seconds: float) -> None:
        """Let time pass for handshakes; the rest of the emulator keeps its own time."""
        self._clock.advance(timedelta(seconds=seconds))

    def journal(self, operation: str | None = None) -> list[Json]:
        """Every call that reached the service: what IAM refused did not."""
        return [{**asdict(call), "time": call.time.isoformat()} for call in self.service.journal(operation)]

    def snapshot(self) -> list[Json]:
        """Every handshake as it stands."""
        plain = ("id", "arn", "action", "state", "organization_id", "accept_effects")
        return [
            {name: getattr(found, name) for name in plain}
            | {"target": found.target.id}
            | {name: getattr(found, name).isoformat() for name in ("requested_at", "expires_at")}
            for found in self.service.handshakes()
        ]

    def links(self) -> list[Json]:
        """Every link of an account to a sink."""
        return list(self.observability.links.values())

    def organization_of(self, account_id: str) -> str | None:
        """The id of the organization that an account is in now."""
        organization = self.service.organization_of(account_id)
        return organization.id if organization else None

    def reset(self) -> None:
        """Back to the world that this started with, and to the present time."""
        self._clock.offset = timedelta(0)
        self._trails: set[str] = set()
        self.service.reset()
        for request in self._world:
            self.call(request["verb"], {key: value for key, value in request.items() if key != "verb"})

    def has_trail(self, account_id: str) -> bool:
        """Whether the account's calls are recorded."""
        return account_id in self._trails


_OF_SERVICE = ("register_account", "add_organization", "add_handshake")
VERBS = (*_OF_SERVICE, *(name for name in vars(AdminApi) if not name.startswith("_") and name != "call"))


class AdminClient:
    """Uses the admin API of a running emulator: `AdminClient(endpoint).add_organization(organization_id=..., ...)`."""

    def __init__(self, endpoint: str) -> None:
        """The endpoint is what AWS_ENDPOINT_URL says."""
        self._address = urlsplit(endpoint).netloc

    def __getattr__(self, verb: str) -> Any:
        """A verb of `AdminApi`, with keyword arguments only."""
        if verb not in VERBS:
            raise AttributeError(f"the admin API has no verb {verb!r}")
        return lambda **arguments: self._send(verb, arguments)

    def _send(self, verb: str, arguments: Json) -> Any:
        with closing(HTTPConnection(self._address, timeout=10)) as connection:
            connection.request("POST", PREFIX + verb, json.dumps(arguments), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{verb}: {answer['error']}")
        return answer["result"]
