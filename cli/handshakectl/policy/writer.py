"""Writes policy documents to Parameter Store: one is one atomic write, several go under the brake.

While some of several documents are written and others not, the policy is one that nobody wrote. So the mode is
`observe` meanwhile, and stays so unless everything reads back as it should.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handshake_acceptor.policy.decide import InvalidPolicy
from handshake_acceptor.policy.documents import Mode
from handshake_core import retry
from handshakectl.clock import clock
from handshakectl.errors import BadInput
from handshakectl.failures import explained
from handshakectl.output import sanitize
from handshakectl.policy.parameters import Parameters

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterStringFilterTypeDef, PutParameterRequestTypeDef

MAX_REASON = 800
"""Characters; a parameter's description holds 1024."""

_READ_BACK_WITHIN = 10.0  # seconds
_BRAKE_ON = "push, brake on"


class Stopped(Exception):
    """Writing ended midway: why; the message says, too, what is there now and what to do."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class _Changed(Exception):
    """What reads back is not what was planned."""


_FAILURES = (*retry.READ_FAILURES, _Changed, KeyboardInterrupt)


def left_in_observe(ssm: SSMClient, now: Parameters) -> bool:
    """Whether the mode is observe since a push that stopped midway, as the parameter's own description says.

    Costs a call only where the mode is observe. Raises what botocore raises.
    """
    if now.mode != Mode.OBSERVE:
        return False
    wanted: list[ParameterStringFilterTypeDef] = [{"Key": "Name", "Option": "Equals", "Values": [f"{now.prefix}mode"]}]
    pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=wanted)
    found = (raw.get("Description", "") for page in pages for raw in page["Parameters"])
    return any(text.startswith(f"handshakectl {_BRAKE_ON}") for text in found)


def release(prefix: str) -> str:
    """The command that ends the brake."""
    return f"aws ssm put-parameter --name {prefix}mode --value {Mode.ENFORCE.value} --overwrite"


@dataclass
class Writer:
    """Writes parameters, each version with a description that says who, when and why."""

    ssm: SSMClient
    by: str
    """Who writes; empty where that may not be shown."""
    reason: str
    read: Callable[[], Parameters]
    """All parameters as they are now."""
    written: list[str] = field(default_factory=list)
    """The documents that were written so far."""

    def write(self, current: Parameters, changed: Mapping[str, str]) -> None:
        """Writes the documents that changed. Raises `Stopped` where that ended midway, else what botocore raises."""
        if len(changed) > 1:
            self._write_under_brake(current, changed)
        else:
            for name, text in changed.items():
                self._put(name, text, "push")

    def _write_under_brake(self, current: Parameters, changed: Mapping[str, str]) -> None:
        mode = f"{current.prefix}mode"
        planned = current.with_documents(changed)
        enforced = current.mode == Mode.ENFORCE
        version: int | None = current.raw[mode].get("Version") if mode in current.raw else None
        if enforced:
            version = self._brake(mode)
        try:
            for name, text in changed.items():
                self._put(name, text, "push")
            self._read_back(planned, version)
            if enforced:
                self._put(mode, Mode.ENFORCE.value, "push, brake off")
        except _FAILURES as error:
            raise self._stopped(error, current.prefix, changed, enforced) from error

    def _brake(self, mode: str) -> int:
        try:
            return self._put(mode, Mode.OBSERVE.value, _BRAKE_ON)
        except retry.CALL_FAILURES as error:
            text = f"{explained(error)}: the mode could not be set to observe, so no document was written"
            raise BadInput(f"push: {text}; `handshakectl pull` shows the mode") from error

    def _put(self, name: str, text: str, what: str) -> int:
        by = f" by {self.by}" if self.by else ""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        why = f": {sanitize(self.reason)}" if self.reason else ""
        request: PutParameterRequestTypeDef = {
            "Name": name,
            "Value": text,
            "Type": "String",
            "Tier": "Intelligent-Tiering",
            "Overwrite": True,
            "Description": f"handshakectl {what}{by} at {time}{why}",
        }
        version = retry.once(lambda: int(self.ssm.put_parameter(**request)["Version"]))
        if "/policy/" in name:
            self.written.append(name)
        return version

    def _read_back(self, planned: Parameters, mode_version: int | None) -> None:
        """Raises `_Changed` unless everything reads as planned, and nobody else has touched the mode."""
        wanted = planned.snapshot().policy
        mode = f"{planned.prefix}mode"

        def differs(seen: Parameters) -> bool:
            policy = seen.snapshot().policy
            if isinstance(policy, InvalidPolicy) or isinstance(wanted, InvalidPolicy):
                return True
            return policy.version != wanted.version or seen.raw.get(mode, {}).get("Version") != mode_version

        if differs(retry.until(clock(_READ_BACK_WITHIN), self.read, differs)):
            raise _Changed

    def _stopped(self, error: BaseException, prefix: str, changed: Mapping[str, str], enforced: bool) -> Stopped:
        match error:
            case _Changed():
                why = "what reads back is not what was written, or somebody else changed the mode or a document"
            case KeyboardInterrupt():
                why = "interrupted"
            case _:
                why = explained(error) if isinstance(error, Exception) else type(error).__name__
        missing = [name for name in changed if name not in self.written]
        written = f"written: {', '.join(self.written) or 'nothing'}; not written: {', '.join(missing) or 'nothing'}"
        then = f", then: {release(prefix)}" if enforced else ""
        text = f"stopped midway: {why}; {written}; the mode stays observe, so nothing is accepted: push again{then}"
        return Stopped(why, text)
