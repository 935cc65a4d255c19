"""The judge of what is sent: what a call that changes something may rest on, by the world's own history.

It shares nothing with the code under test. It knows every policy that stood and every organization that the account was
in, each from when to when; it sees the readings as they pass through the clients; and it asks the naive policy.

Two things no reading of several pages can see. A document that was made after its page was read, and deleted before
that page was read again: Parameter Store keeps no trace of it. Two equal readings then prove that what they show stood,
not that nothing stood beside it. So people in worlds of several pages make a name once, and take back by writing.
And a document that was made between two readings, where a `NextToken` is a place in the list: whoever deletes another
one between two pages of the second reading moves it to a page that was read already. So two equal readings prove what
stood when the first of them began, which may be no more than 20 s before the second did.
"""

from __future__ import annotations

import json
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from local.world import MEMBER, PREFIX, Parameters
from tests.unit import naive_policy

Json = dict[str, Any]

AGE = timedelta(seconds=20)
"""How old a reading may be, counted from when the policy's was begun, and from when the others had arrived."""
PAUSE = timedelta(seconds=2)
"""How long after the last reading of the policy something may be sent."""


class Parameter(NamedTuple):
    """One parameter as it stood."""

    text: str
    version: int
    date: datetime


class Standing(UserDict[str, str]):
    """Parameters by name, each with its version and date: versions start at 1 again after a delete."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.parameters: dict[str, Parameter] = {}
        self.noted = lambda: None
        self._now = now
        super().__init__()

    def __setitem__(self, name: str, text: str) -> None:
        before = self.parameters.get(name)
        now = self._now()
        date = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.parameters = self.parameters | {name: Parameter(text, before.version + 1 if before else 1, date)}
        super().__setitem__(name, text)
        self.noted()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.parameters = {each: parameter for each, parameter in self.parameters.items() if each != name}
        self.noted()


class PagedParameters(Parameters):
    """Parameter Store as GetParametersByPath shows it: ten a page, with versions and dates.

    No text says what a `NextToken` is. Either it is a place in the list, so that a delete before it hides a parameter
    that stood all the time, or it is the name that the last page ended with.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.values: Standing = Standing(now)  # type: ignore[assignment]
        self.tokens_are_places = False
        self.page_size = 10

    def get_parameters_by_path(self, **request: Any) -> Json:
        self.reads += 1
        if self.faults:
            raise self.faults.pop(0)
        names = sorted(name for name in self.values if name.startswith(request["Path"] + "/"))
        token = request.get("NextToken", "")
        rest = names[int(token or 0) :] if self.tokens_are_places else [name for name in names if name > token]
        page = rest[: min(request["MaxResults"], self.page_size)]
        more = {}
        if len(rest) > len(page):
            more = {"NextToken": str(len(names) - len(rest) + len(page)) if self.tokens_are_places else page[-1]}
        return {"Parameters": [self._shown(name) for name in page]} | more

    def _shown(self, name: str) -> Json:
        text, version, date = self.values.parameters[name]
        arn = f"arn:aws:ssm:us-east-1:{MEMBER}:parameter{name}"
        shown = {"Name": name, "Type": "String", "Value": text, "Version": version, "LastModifiedDate": date}
        return shown | {"ARN": arn, "DataType": "text"}


class Account(NamedTuple):
    """Where the account is."""

    organization: str
    management: str

    @property
    def role(self) -> str:
        if self.organization == "NONE":
            return "STANDALONE"
        return "MANAGEMENT" if self.management == MEMBER else "MEMBER"


NOWHERE = Account("NONE", "")


class State(NamedTuple):
    """What stood from a moment on."""

    since: datetime
    parameters: Mapping[str, Parameter]
    account: Account


class Moment(NamedTuple):
    """An instant; those of the same time differ by their number."""

    at: datetime
    number: int
    state: int
    """The index of what stood then."""


@dataclass
class History:
    """Everything that stood, in order."""

    states: list[State] = field(default_factory=list)
    _numbers: int = 0

    def note(self, state: State) -> None:
        """This stands from now on."""
        if not self.states or self.states[-1][1:] != state[1:]:
            self.states.append(state)

    def moment(self, at: datetime) -> Moment:
        """Now."""
        self._numbers += 1
        return Moment(at, self._numbers, len(self.states) - 1)

    def between(self, first: Moment, last: Moment) -> Iterator[tuple[State, datetime, datetime]]:
        """Everything that stood at some instant between two moments, each with its time in there."""
        for index in range(first.state, last.state + 1):
            state = self.states[index]
            until = self.states[index + 1].since if index < last.state else last.at
            yield state, max(state.since, first.at), until


@dataclass(frozen=True)
class Reading:
    """A whole reading: all pages of a list, from the first to the last."""

    began: Moment
    ended: Moment
    pages: tuple[tuple[str, Json], ...]

    @property
    def content(self) -> dict[str, tuple[Any, ...]]:
        """Names, versions, dates and texts."""
        found = [raw for _, page in self.pages for raw in page["Parameters"]]
        return {raw["Name"]: (raw["Value"], raw.get("Version"), raw.get("LastModifiedDate")) for raw in found}

    @property
    def is_of_one_moment(self) -> bool:
        """Whether one page gave all of it."""
        return sum(bool(page["Parameters"]) for _, page in self.pages) <= 1


@dataclass
class Readings:
    """The readings of one list in one run, as they pass through the client. Two may go on side by side."""

    _whole: dict[int, Reading] = field(default_factory=dict)
    """By the number of their beginning."""
    _open: dict[object, Reading] = field(default_factory=dict)
    """By who reads."""

    def answered(self, reader: object, token: str, page: Json, began: Moment, ended: Moment) -> None:
        """A page that can be read. The first begins a reading; one that is asked for again replaces the one before."""
        reading = self._open.get(reader) if token else Reading(began, ended, ())
        if reading is None:
            return
        tokens = [each for each, _ in reading.pages]
        kept = reading.pages[: tokens.index(token)] if token in tokens else reading.pages
        self._open[reader] = reading = replace(reading, ended=ended, pages=(*kept, (token, page)))
        self._whole.pop(reading.began.number, None)
        if not page.get("NextToken"):
            self._whole[reading.began.number] = reading

    def open(self, reader: object) -> Reading | None:
        """The one that somebody began last, whole or not."""
        return self._open.get(reader)

    def ended(self, before: Moment | None = None) -> list[Reading]:
        """All, or those that had ended before a moment; the one that began last, first."""
        found = [each for each in self._whole.values() if before is None or each.ended.number < before.number]
        return sorted(found, key=lambda each: -each.began.number)

    def last(self, before: Moment | None = None) -> Reading | None:
        """The one that began last, of all or of those that had ended before a moment; None if there is none."""
        return next(iter(self.ended(before)), None)


@dataclass
class Evidence:
    """What one run has read and sent, as the judge saw it."""

    policy: Readings = field(default_factory=Readings)
    handshakes: Readings = field(default_factory=Readings)
    account: Readings = field(default_factory=Readings)
    last_effect: Moment | None = None
    """When the last call that may have changed something was over."""

    def complaint(
        self, operation: str, handshake: Json, pends: Callable[[Moment], bool], now: Moment, history: History
    ) -> str:
        """Why this call must not be sent now; empty if it may.

        `handshake` is as AWS shows it; `pends` says whether it still was to be answered at a moment or later.
        """
        policy = self.policy.last()
        if policy is None:
            return "the policy was never read"
        if now.at - policy.began.at > AGE:
            return f"the last reading of the policy began {now.at - policy.began.at} ago"
        if now.at - policy.ended.at > PAUSE:
            return f"the last reading of the policy ended {now.at - policy.ended.at} ago"
        stood = policy.began
        if not policy.is_of_one_moment:
            earlier = self.policy.last(before=policy.began)
            if earlier is None or earlier.content != policy.content:
                return "a policy of several pages was not read twice in a row with the same content"
            if policy.began.at - earlier.began.at > AGE:
                return f"the two readings of a policy of several pages began {policy.began.at - earlier.began.at} apart"
            stood = earlier.began
        complaints = []
        # A run may list for another purpose after the list that it rests on: any that is young enough will do.
        for listed in self.rests_on(self.handshakes, policy.began):
            for account in self.rests_on(self.account, policy.began):
                about = self._complaint_on(operation, handshake, pends, now, history, policy, stood, listed, account)
                if not about:
                    return ""
                complaints.append(about)
        return complaints[0] if complaints else "the policy was not read after list and account had arrived"

    def rests_on(self, readings: Readings, began: Moment) -> list[Reading]:
        """Readings of list or account that a reading of the policy, begun then, may complete.

        The last one first. It is there however old it is, so that the judge can say what is wrong with it.
        """
        found = readings.ended(before=began)
        return found[:1] + [each for each in found[1:] if not self._too_old(each, began, "")]

    def _too_old(self, reading: Reading, began: Moment, name: str) -> str:
        if began.at - reading.ended.at > AGE:
            return f"the {name} had arrived {began.at - reading.ended.at} before the policy was read"
        if self.last_effect and reading.began.number < self.last_effect.number:
            return f"the {name} was not read again after something had changed"
        return ""

    def _complaint_on(
        self,
        operation: str,
        handshake: Json,
        pends: Callable[[Moment], bool],
        now: Moment,
        history: History,
        policy: Reading,
        stood: Moment,
        listed: Reading,
        account: Reading,
    ) -> str:
        for reading, name in ((listed, "list"), (account, "account")):
            if complaint := self._too_old(reading, policy.began, name):
                return complaint
        requested_at = handshake["RequestedTimestamp"]
        if requested_at > listed.ended.at or not pends(listed.began):
            return "it was not pending when the list was read"
        looked = min(listed.began, account.began, key=lambda moment: moment.number)
        wanted = "ACCEPT" if operation == "AcceptHandshake" else "DECLINE"
        accounts = dict.fromkeys(state.account for state, _, _ in history.between(looked, account.ended))
        said = []
        for state, since, until in history.between(stood, now):
            for where in accounts:
                for at in _instants(state.parameters, handshake, since, until):
                    said.append(verdict(state.parameters, handshake, where, at))
                    if said[-1] == wanted:
                        return ""
        return f"at every instant since the policy was read it says {', '.join(dict.fromkeys(said))}"


def _instants(
    parameters: Mapping[str, Parameter], handshake: Json, since: datetime, until: datetime
) -> Iterator[datetime]:
    """Instants that stand for all of a stretch of time: what a policy says changes only at the times that it names."""
    yield since
    if until > since:
        yield until
        for text in {parameter.text for parameter in parameters.values()}:
            for named in _times(text):
                for at in (named - timedelta(microseconds=1), named, named + timedelta(microseconds=1)):
                    if since < at < until:
                        yield at


def verdict(parameters: Mapping[str, Parameter], handshake: Json, account: Account, at: datetime) -> str:
    """What standing parameters say of a handshake that is pending, in enforce or not."""
    documents = []
    for name, parameter in parameters.items():
        if name.startswith(f"{PREFIX}policy/"):
            document = _document(parameter.text)
            if document is None:
                return "POLICY_INVALID"
            documents.append(document)
        elif name != f"{PREFIX}mode":
            return "POLICY_INVALID"
    mode = parameters.get(f"{PREFIX}mode")
    if mode is None or mode.text != "enforce":
        return "OBSERVED" if mode is None or mode.text == "observe" else "POLICY_INVALID"
    sids = [statement["Sid"] for document in documents for statement in document["Statement"]]
    if len(sids) > len(set(sids)):
        return "POLICY_INVALID"
    raw = handshake | {"State": "OPEN", "ExpirationTimestamp": handshake["ExpirationTimestamp"].isoformat()}
    who = {"id": MEMBER, "partition": "aws", "role": account.role, "organization": account.organization}
    return naive_policy.decision(documents, raw, who, listed=True, now=at)


@lru_cache(maxsize=4096)
def _document(text: str) -> Json | None:
    try:
        document: Json = json.loads(text)
    except ValueError:
        return None
    return document


@lru_cache(maxsize=4096)
def _times(text: str) -> tuple[datetime, ...]:
    document = _document(text)
    statements = document["Statement"] if isinstance(document, dict) else []
    conditions = [statement.get("Condition", {}) for statement in statements]
    return tuple(
        datetime.fromisoformat(condition[name])
        for condition in conditions
        for name in ("NotBefore", "NotAfter")
        if name in condition
    )
