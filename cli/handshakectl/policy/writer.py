"""The whole conversation with Parameter Store of the verbs that write: push, remove and brake.

Parameter Store has no conditional write. So nothing is overwritten unnoticed: each write has a mark of its own in its
description, and the parameter's history shows afterwards what stood between the version that was seen and ours. What
was lost so is told, and the mode is `observe` then. Only a delete leaves no history: what somebody writes between our
last look at a document and its delete is lost with it.

While some of several documents are written and others not, the policy is one that nobody wrote. So the mode is
`observe` meanwhile. A run that was interrupted leaves it so, and the same push again, which has the same plan, ends it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handshake_acceptor.policy.documents import Mode
from handshake_core import retry
from handshakectl.clock import clock
from handshakectl.errors import BadInput
from handshakectl.failures import error_code, explained
from handshakectl.output import name_in, sanitize
from handshakectl.policy.ceiling import Ceiling
from handshakectl.policy.parameters import Parameters, read

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import PutParameterRequestTypeDef

ACTIONS = {
    "sts:AssumeRole": "to enter an account with `--role`",
    "sts:GetCallerIdentity": "who calls, and which account this is",
    "ssm:GetParametersByPath": "mode and documents",
    "ssm:GetParameterHistory": "who set the mode; what stood between the version that was shown and ours",
    "ssm:PutParameter": "to write",
    "ssm:DeleteParameter": "`remove` alone",
    "iam:GetRolePolicy": "`push` and `remove`, to warn of what the ceiling does not reach; without it they do not",
}
"""Everything that the verbs which write ask of AWS, and what for."""

EMPTY = json.dumps({"Version": "2026-01-01", "Statement": []})
"""What `remove` writes before it deletes."""

_SETTLE_WITHIN = 10.0  # seconds, for a write to show in what is read
_MOST_LOOKS = 3
_BRAKE_ON = "handshakectl brake on"
_PLAN = re.compile(r"handshakectl (?:push|remove), brake on, plan ([0-9a-f]{16})\b")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a parameter."""

    number: int
    text: str
    description: str | None = None
    """None where only the parameter was read, not its history."""
    who: str = ""
    """Who wrote it, never as an e-mail address."""
    when: str = ""
    inherited: bool = False
    """Whether the description is the one of the version before: a write that gives none keeps it, mark and all."""

    def same(self, other: Version) -> bool:
        """Whether both are the same version, as far as is known of them."""
        known = self.description is not None and other.description is not None
        return (
            self.number == other.number
            and self.text == other.text
            and (not known or self.description == other.description)
        )

    @property
    def is_brake(self) -> bool:
        """Whether `handshakectl brake` set this mode."""
        return self.text == Mode.OBSERVE and not self.inherited and (self.description or "").startswith(_BRAKE_ON)

    @property
    def plan(self) -> str | None:
        """The plan of the push or remove that set this mode and did not end it; None if no such set it."""
        braked = self.text == Mode.OBSERVE and not self.inherited
        match = _PLAN.match(self.description or "") if braked else None
        return match[1] if match else None

    def told(self) -> str:
        """Who set it, when, and what they said, for a person."""
        by = f" by {self.who}" if self.who else ""
        said = self.description and not self.inherited
        return f"set{by} at {self.when}" + (f" ({self.description})" if said else "")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person was shown of an account before the answer."""

    parameters: Parameters
    mode: Version | None
    """None if there is no such parameter."""
    ceiling: Ceiling | None = None
    """What the deployed role may accept at most; None where that is not known."""

    def changed(self, now: Shown) -> list[str]:
        """The parameters that are not any more as they were shown."""
        before, after = self.parameters.content().raw, now.parameters.content().raw
        mode = f"{self.parameters.prefix}mode"
        names = {name for name in before.keys() | after.keys() if name != mode and before.get(name) != after.get(name)}
        same = self.mode.same(now.mode) if self.mode and now.mode else self.mode is now.mode
        return sorted(names if same else {*names, mode})


@dataclass(frozen=True, slots=True)
class Lost:
    """What somebody else wrote in the last instant, and was overwritten."""

    name: str
    version: int | None
    """None where it cannot be told what it was: the parameter was deleted meanwhile."""
    text: str
    told: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order to write."""

    written: tuple[str, ...]
    why: str
    """Why it is not all done; empty if it is."""
    lost: tuple[Lost, ...]
    mode: str | None
    """The mode's text, as it was read last; None if there is none, or if it cannot be read."""
    mode_is: str
    """The same as a sentence: what the mode is in the end."""
    interrupted: bool = False
    touched: bool = True
    """Whether anything may have been written."""


class _Meanwhile(Exception):
    """Somebody else changed something; nothing of it was overwritten."""


class _Unclear(Exception):
    """What was written does not show, so that something may have been overwritten."""


class _Overwritten(_Unclear):
    """Something of somebody else's was overwritten."""


_FAILURES = (*retry.READ_FAILURES, _Meanwhile, _Unclear, KeyboardInterrupt)


def look(ssm: SSMClient, prefix: str) -> Shown:
    """All parameters and the mode's last version, as they are now.

    Raises `retry.READ_FAILURES`; `BadInput` if the mode changes as often as it is read.
    """
    mode = f"{prefix}mode"
    for _ in range(_MOST_LOOKS):
        parameters = read(ssm, clock(), prefix)
        here = _version_in(parameters, mode)
        last = history(ssm, mode)[-1:] if here else []
        if here is None:
            return Shown(parameters, None)
        if last and last[0].same(here):
            return Shown(parameters, last[0])
    raise BadInput(f"{mode}: changes as often as it is read; try again")


def history(ssm: SSMClient, name: str) -> list[Version]:
    """The versions of a parameter that are kept, oldest first; none without it. Raises `retry.READ_FAILURES`."""
    try:
        pages = list(retry.pages(clock(), ssm.get_parameter_history, lambda page: page["Parameters"], Name=name))
        return retry.normalize_errors(lambda: _versions(raw for page in pages for raw in page.content["Parameters"]))
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return []
        raise


def plan_of(planned: Parameters) -> str:
    """What names a plan in a brake's description: a hash over names and texts of the documents as they will be."""
    texts = sorted((name, raw["Value"]) for name, raw in planned.documents().items())
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def left_unfinished(shown: Shown, wanted: Mapping[str, str | None]) -> bool:
    """Whether the mode is observe since an earlier run, which was to come to the same documents as this one."""
    plan = shown.mode.plan if shown.mode else None
    return plan is not None and plan == plan_of(shown.parameters.with_documents(wanted))


def mode_sentence(mode: str | None) -> str:
    """What a mode is, for the last line."""
    if mode is None:
        return "there is no mode, which is observe: nothing is accepted"
    return f"the mode is {mode}" if mode in set(Mode) else "the mode is invalid: nothing is accepted"


@dataclass
class Writer:
    """Writes to one account for one verb, each version with a description that says who, when and why."""

    ssm: SSMClient
    prefix: str
    verb: str
    by: str
    """Who calls; empty where that may not be shown."""
    reason: str
    written: list[str] = field(default_factory=list)
    """The documents that were written or removed so far."""
    _lost: list[Lost] = field(default_factory=list)
    _touched: bool = False
    _token: str = field(default_factory=partial(secrets.token_hex, 4))
    """Of each writer another; with the count of its writes, no two versions have the same description."""
    _count: int = 0

    def documents(self, shown: Shown, wanted: Mapping[str, str | None], *, finish: bool) -> Outcome:
        """Writes documents; None for a text removes one.

        `finish` releases the brake that an earlier run with the same plan left behind.
        Raises `retry.READ_FAILURES` and `BadInput` where nothing was written.
        """

        def steps(now: Shown) -> None:
            planned, brake = now.parameters.with_documents(wanted), None
            enforced = now.mode is not None and now.mode.text == Mode.ENFORCE
            if finish or (enforced and len(wanted) > 1):
                what = f"{self.verb}, brake on, plan {plan_of(planned)}"
                brake = self._put(self._mode, Mode.OBSERVE.value, now.mode, what)
            for name, text in wanted.items():
                before = _version_in(now.parameters, name)
                if text is None:
                    self._remove(name, before)
                else:
                    self._put(name, text, before, self.verb)
                self.written.append(name)
            self._read_back(planned, brake)
            if brake:
                self._release(brake)

        return self._carried_out(shown, steps, list(wanted))

    def brake(self, shown: Shown) -> Outcome:
        """Sets the mode to observe with our mark. Raises as `documents`."""
        return self._carried_out(shown, self._brake_on, [])

    def release(self, shown: Shown) -> Outcome:
        """Sets the mode to enforce, if it is still the one that was shown. Raises as `documents`."""

        def steps(now: Shown) -> None:
            if now.mode is not None:
                self._release(now.mode)

        return self._carried_out(shown, steps, [])

    @property
    def _mode(self) -> str:
        return f"{self.prefix}mode"

    def _brake_on(self, now: Shown) -> None:
        self._put(self._mode, Mode.OBSERVE.value, now.mode, _BRAKE_ON.removeprefix("handshakectl "))

    def _carried_out(self, shown: Shown, steps: Callable[[Shown], None], names: Iterable[str]) -> Outcome:
        now = look(self.ssm, self.prefix)
        why, interrupted = "", False
        if changed := shown.changed(now):
            why = f"{', '.join(changed)}: changed since it was shown; nothing was written: look at it and try again"
        else:
            try:
                steps(now)
            except _FAILURES as error:
                interrupted = isinstance(error, KeyboardInterrupt)
                why = self._why(error, names)
                if isinstance(error, _Unclear):
                    why += self._hold()
        mode, mode_is = self._mode_now()
        return Outcome(tuple(self.written), why, tuple(self._lost), mode, mode_is, interrupted, self._touched)

    def _why(self, error: Exception | KeyboardInterrupt, names: Iterable[str]) -> str:
        why = "interrupted" if isinstance(error, KeyboardInterrupt) else explained(error)
        missing = [name for name in names if name not in self.written]
        if not missing and not self.written:
            return why
        return f"{why}; written: {', '.join(self.written) or 'nothing'}; not written: {', '.join(missing) or 'nothing'}"

    def _put(self, name: str, text: str, before: Version | None, what: str) -> Version:
        """Writes a version over the one that was seen.

        Raises `retry.CALL_FAILURES` where nothing was written, else `_Meanwhile` and `_Unclear`.
        """
        mark = self._description(what)
        request: PutParameterRequestTypeDef = {
            "Name": name,
            "Value": text,
            "Type": "String",
            "Tier": "Intelligent-Tiering",
            "Overwrite": before is not None,
            "Description": mark,
        }
        failure, number = None, None
        try:
            number = retry.normalize_errors(lambda: int(self.ssm.put_parameter(**request)["Version"]))
            self._touched = True
        except retry.CALL_FAILURES as error:
            failure = error  # an answer can be lost after the write, and the write be tried again by botocore
        versions = self._history(name, mark, failure)
        # Our own second attempt has our mark, too; a later version of somebody else's may have kept it.
        own = [
            each
            for each in versions
            if each.description == mark and (each.number <= number if number is not None else not each.inherited)
        ]
        if own:
            self._touched = True
            self._tell_lost(name, before, [each for each in versions if each.number < own[-1].number], own)
            if versions[-1] is not own[-1]:
                raise _Meanwhile(f"{name}: somebody else wrote there right after us")
            return own[-1]
        if failure is None:
            raise _Unclear(f"{name}: was written, and does not show: somebody else deleted it")
        if isinstance(failure, ClientError) and error_code(failure) == "ParameterAlreadyExists":
            raise _Meanwhile(f"{name}: somebody else made it meanwhile")
        raise failure

    def _history(self, name: str, mark: str, failure: Exception | None) -> list[Version]:
        """The parameter's versions, once ours is among them."""

        def missing(versions: list[Version]) -> bool:
            return not any(each.description == mark for each in versions)

        try:
            patience = 0.0 if failure else _SETTLE_WITHIN
            return retry.poll(clock(patience), lambda: history(self.ssm, name), missing)
        except retry.READ_FAILURES as error:
            if isinstance(failure, ClientError):
                raise failure from error
            if failure is not None:
                raise _Unclear(f"{explained(failure)}: whether {name} was written cannot be told") from error
            raise _Unclear(f"{explained(error)}: what was written over at {name} cannot be told") from error

    def _tell_lost(self, name: str, before: Version | None, earlier: list[Version], own: list[Version]) -> None:
        """Raises `_Overwritten` if our version was not written over the one that was seen."""
        others = [each for each in earlier if each not in own]
        known = before is not None and any(each.same(before) for each in others)
        lost = [each for each in others if not known or (before is not None and each.number > before.number)]
        self._lost += [Lost(name, each.number, each.text, each.told()) for each in lost]
        if before is not None and not known and not lost:
            self._lost.append(Lost(name, None, "", "somebody deleted it meanwhile"))
            raise _Overwritten(f"{name}: somebody else deleted it in the last instant, and it was written again")
        if lost:
            raise _Overwritten(f"{name}: what somebody else wrote there in the last instant was overwritten")

    def _remove(self, name: str, before: Version | None) -> None:
        self._put(name, EMPTY, before, self.verb)
        try:
            retry.normalize_errors(lambda: self.ssm.delete_parameter(Name=name))
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise

    def _read_back(self, planned: Parameters, brake: Version | None) -> None:
        """Raises `_Meanwhile` unless all documents are as planned, and our brake, if there is one, is still on."""
        wanted = planned.content().documents()

        def differing(seen: Parameters) -> list[str]:
            found = seen.content().documents()
            names = {name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)}
            mode = _version_in(seen, self._mode)
            if brake is not None and (mode is None or not mode.same(brake)):
                names.add(self._mode)
            return sorted(names)

        def reading() -> Parameters:
            return read(self.ssm, clock(), self.prefix)

        if names := differing(retry.poll(clock(_SETTLE_WITHIN), reading, lambda seen: bool(differing(seen)))):
            raise _Meanwhile(f"{', '.join(names)}: not as planned any more: somebody else changed it meanwhile")

    def _release(self, brake: Version) -> None:
        """Ends a brake. Whatever is not certain ends with the mode at observe."""
        try:
            self._put(self._mode, Mode.ENFORCE.value, brake, f"{self.verb}, brake off")
        except KeyboardInterrupt as error:
            # The same mark as before, so that the same command again finishes it.
            what = (brake.description or "").removeprefix("handshakectl ").partition(" by ")[0].partition(" at ")[0]
            if held := self._hold(what if brake.plan or brake.is_brake else None):
                raise _Meanwhile(f"interrupted{held}") from error
            raise

    def _hold(self, what: str | None = None) -> str:
        """Sees that the mode is observe; a brake of somebody else's is left. Answers with what went wrong in that."""
        try:
            last = (history(self.ssm, self._mode) or [None])[-1]  # type: ignore[list-item]
            if last is None or (last.text == Mode.OBSERVE and not self._is_ours(last)):
                return ""
            self._put(self._mode, Mode.OBSERVE.value, last, what or f"{self.verb}, held")
        except _Overwritten:
            return ""  # what was lost is told with the rest, and the mode is observe
        except (*retry.READ_FAILURES, _Meanwhile, _Unclear) as error:
            return f"; and the mode could not be set to observe: {explained(error)}"
        return ""

    def _is_ours(self, version: Version) -> bool:
        return not version.inherited and self._token in (version.description or "")

    def _mode_now(self) -> tuple[str | None, str]:
        try:
            mode = read(self.ssm, clock(), self.prefix).mode
        except retry.READ_FAILURES as error:
            return None, f"what the mode is cannot be told: {explained(error)}; `handshakectl pull` shows it"
        return mode, mode_sentence(mode)

    def _description(self, what: str) -> str:
        self._count += 1
        by = f" by {self.by}" if self.by else ""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        why = f": {sanitize(self.reason)}" if self.reason else ""
        return f"handshakectl {what}{by} at {time} [{self._token}-{self._count}]{why}"


def _versions(raws: Iterable[Mapping[str, Any]]) -> list[Version]:
    versions = sorted(map(_version, raws), key=lambda each: each.number)
    return [
        replace(each, inherited=bool(each.description) and each.description == before.description) if before else each
        for before, each in zip([None, *versions], versions, strict=False)
    ]


def _version(raw: Mapping[str, Any]) -> Version:
    when = raw.get("LastModifiedDate")
    return Version(
        int(raw["Version"]),
        str(raw["Value"]),
        str(raw.get("Description") or ""),
        name_in(str(raw.get("LastModifiedUser") or "")),
        when.isoformat(timespec="seconds") if isinstance(when, datetime) else "an unknown time",
    )


def _version_in(parameters: Parameters, name: str) -> Version | None:
    raw = parameters.raw.get(name)
    return Version(int(raw.get("Version", 0)), raw["Value"]) if raw else None
