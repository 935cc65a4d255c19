"""The handshake part of AWS Organizations, as one state machine.

`HandshakeService.call(operation, account_id, request)` answers as the service does or raises `ServiceError`.
Time and ids come in as arguments. `local.adapters.moto` and `local.adapters.ministack` put it behind boto3.

Sources: the API reference and the botocore model for states, rules and errors. Where they are silent, the
choice is stated at the line that makes it.
"""

import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botocore import xform_name

from local.service.shapes import access_denied, constraint, invalid, master_cannot_leave, resources, shown, target_of
from local.service.values import (
    PENDING,
    Account,
    Action,
    Call,
    Effect,
    Fault,
    FeatureSet,
    Handshake,
    Json,
    Organization,
    Party,
    PartyType,
    ServiceError,
    Settings,
    ShiftedClock,
    State,
)

__all__ = ["OPERATIONS", "Effect", "Fault", "HandshakeService", "ServiceError", "Settings", "ShiftedClock", "State"]

EXPIRES_AFTER = timedelta(days=15)
LISTED_AFTER_THE_END = timedelta(days=30)

OPERATIONS = (
    "CreateOrganization",
    "DescribeOrganization",
    "ListAccounts",
    "LeaveOrganization",
    "RemoveAccountFromOrganization",
    "InviteAccountToOrganization",
    "InviteOrganizationToTransferResponsibility",
    "EnableAllFeatures",
    "ListHandshakesForAccount",
    "ListHandshakesForOrganization",
    "DescribeHandshake",
    "AcceptHandshake",
    "DeclineHandshake",
    "CancelHandshake",
)


class HandshakeService:
    """All accounts, organizations and handshakes of one small world."""

    def __init__(self, clock: Callable[[], datetime], new_id: Callable[[str], str] | None = None) -> None:
        """`new_id("o")` and `new_id("h")` name what is created; ids from `choose_ids` are used up first."""
        self._clock = clock
        self._new_id = new_id or (lambda prefix: f"{prefix}-{uuid.uuid4().hex[: 10 if prefix == 'o' else 32]}")
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: an empty world, default settings, no faults, an empty journal."""
        self.settings = Settings()
        self._accounts: dict[str, Account] = {}
        self._organizations: dict[str, Organization] = {}
        self._handshakes: dict[str, Handshake] = {}
        self._chosen_ids: deque[str] = deque()
        self._faults: list[Fault] = []
        self._journal: list[Call] = []

    def call(self, operation: str, account_id: str, request: Mapping[str, Any]) -> Json:
        """Answer one operation for the calling account; timestamps in the answer are datetimes."""
        with self._lock:
            code = "OK"
            try:
                return self._answer(operation, account_id, request)
            except ServiceError as error:
                code = error.code
                raise
            finally:
                self._journal.append(
                    Call(account_id, operation, self._clock(), code, handshake_id=request.get("HandshakeId"))
                )

    def _answer(self, operation: str, account_id: str, request: Mapping[str, Any]) -> Json:
        if operation not in OPERATIONS:
            raise ServiceError("UnknownOperationException", f"{operation} is not modelled here.")
        self._settle()
        fault = next((fault for fault in self._faults if fault.operation == operation), None)
        if fault and fault.effect is Effect.BEFORE:
            raise self._consume(fault)
        answer: Json = getattr(self, xform_name(operation))(account_id, request)
        if fault:
            raise self._consume(fault)
        return answer

    def _consume(self, fault: Fault) -> ServiceError:
        """The fault's error; an operation that fails by itself does not use an `after` fault up."""
        at = self._faults.index(fault)
        self._faults[at : at + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        status = 500 if fault.code == "ServiceException" else 400
        return ServiceError(fault.code, fault.message, fault.reason, status, injected=True)

    # --- the world: what tests and the demo arrange, none of it an AWS operation

    def register_account(self, account_id: str, email: str | None = None, name: str = "Example account") -> None:
        """Make an account known by its e-mail address; unknown accounts get one under example.com."""
        email = email or f"account-{account_id}@example.com"
        owner = self._owner(email)
        if owner not in (None, account_id):
            raise ValueError(f"{email} is registered to account {owner}")
        self._accounts[account_id] = Account(account_id, email, name)

    def add_organization(
        self,
        organization_id: str,
        management_account_id: str,
        *,
        members: Iterable[str] = (),
        feature_set: str = FeatureSet.ALL,
    ) -> None:
        """Put an organization with a chosen id into the world."""
        now = self._clock()
        accounts = (management_account_id, *members)
        for account_id in accounts:
            if self.organization_of(account_id):
                raise ValueError(f"account {account_id} is in an organization already")
        if management_account_id not in self._accounts:
            # What the recorded samples show.
            email = "diego@example.com" if self._owner("diego@example.com") is None else None
            self.register_account(management_account_id, email, "Management account")
        self._organizations[organization_id] = Organization(
            organization_id, management_account_id, FeatureSet(feature_set), dict.fromkeys(accounts, now)
        )

    def add_handshake(self, action: str, organization_id: str, target: str) -> str:
        """Send a handshake of any action without asking whether AWS would; its id."""
        party = Party(PartyType.EMAIL if "@" in target else PartyType.ACCOUNT, target)
        return self._send(Action(action), self._organizations[organization_id], party).id

    def forge(self, handshake_id: str, **changes: Any) -> None:
        """Show and treat a handshake as AWS never would: its parts may contradict each other."""
        self._handshakes[handshake_id] = replace(self._handshakes[handshake_id], **changes)

    def choose_ids(self, *ids: str) -> None:
        """The next organizations and handshakes get these ids."""
        self._chosen_ids.extend(ids)

    def configure(self, **changes: Any) -> None:
        """Change some of the `Settings`."""
        self.settings = replace(self.settings, **changes)

    def inject(self, *faults: Fault) -> None:
        """Append to the fault plan; an operation's faults are consumed in order."""
        self._faults.extend(faults)

    def organization_of(self, account_id: str) -> Organization | None:
        """The organization that the account is in now."""
        return next((found for found in self._organizations.values() if account_id in found.members), None)

    def handshake(self, handshake_id: str) -> Handshake:
        """One handshake as it stands now, for assertions."""
        return next(found for found in self.handshakes() if found.id == handshake_id)

    def handshakes(self) -> list[Handshake]:
        """All handshakes as they stand now, those too old for lists included."""
        with self._lock:
            self._settle()
            return list(self._handshakes.values())

    def accept_effects(self, handshake_id: str) -> int:
        """How often an accept of this handshake had an effect."""
        return self.handshake(handshake_id).accept_effects

    def journal(self, operation: str | None = None) -> list[Call]:
        """Every call so far, or those of one operation."""
        return [call for call in self._journal if operation in (None, call.operation)]

    # --- organizations and their accounts

    def create_organization(self, caller: str, request: Mapping[str, Any]) -> Json:
        """The caller becomes the management account."""
        if self.organization_of(caller):
            raise ServiceError(
                "AlreadyInOrganizationException", "The AWS account is already a member of an organization."
            )
        organization_id = self._next_id("o")
        self.add_organization(organization_id, caller, feature_set=request.get("FeatureSet", FeatureSet.ALL))
        return self.describe_organization(caller, {})

    def describe_organization(self, caller: str, _request: Mapping[str, Any]) -> Json:
        """For any account in the organization; a standalone account is told that there is none."""
        organization = self._organization(caller)
        arn = f"arn:{self.settings.partition}:organizations::{organization.management_account_id}"
        management = self._account(organization.management_account_id)
        scp = {"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}
        return {
            "Organization": {
                "Id": organization.id,
                "Arn": f"{arn}:organization/{organization.id}",
                "FeatureSet": organization.feature_set.value,
                "MasterAccountArn": f"{arn}:account/{organization.id}/{management.id}",
                "MasterAccountId": management.id,
                "MasterAccountEmail": management.email,
                "AvailablePolicyTypes": [scp] if organization.feature_set is FeatureSet.ALL else [],
            }
        }

    def list_accounts(self, caller: str, request: Mapping[str, Any]) -> Json:
        """For the management account; delegated administrators are not modelled."""
        organization = self._managed(caller)
        arn = f"arn:{self.settings.partition}:organizations::{caller}:account/{organization.id}"
        accounts = [(self._account(account_id), joined) for account_id, joined in organization.members.items()]
        rows = [
            {
                "Id": account.id,
                "Arn": f"{arn}/{account.id}",
                "Email": account.email,
                "Name": account.name,
                "Status": "ACTIVE",
                "State": "ACTIVE",
                "JoinedMethod": "INVITED",
                "JoinedTimestamp": joined,
            }
            for account, joined in accounts
        ]
        return self._page("Accounts", rows, request)

    def leave_organization(self, caller: str, _request: Mapping[str, Any]) -> Json:
        """A member leaves by itself."""
        organization = self._organization(caller)
        if caller == organization.management_account_id:
            raise master_cannot_leave()
        self._depart(caller)
        return {}

    def remove_account_from_organization(self, caller: str, request: Mapping[str, Any]) -> Json:
        """The management account removes a member."""
        organization, account_id = self._managed(caller), request["AccountId"]
        if account_id == caller:
            raise master_cannot_leave()
        if account_id not in organization.members:
            raise ServiceError("AccountNotFoundException", "You specified an account that doesn't exist.")
        self._depart(account_id)
        return {}

    # --- sending

    def invite_account_to_organization(self, caller: str, request: Mapping[str, Any]) -> Json:
        """Only from the management account; the target may be in another organization (direct transfer)."""
        organization, party = self._managed(caller), target_of(request)
        if self._recipient(party) in organization.members:
            raise constraint("ALREADY_IN_AN_ORGANIZATION", "The account is already in this organization.")
        if any(found.action is Action.ENABLE_ALL_FEATURES for found in self._pending_of(organization)):
            raise constraint("INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES", "All features are being enabled.")
        self._refuse_duplicate(organization, Action.INVITE, party)
        return self._shown(self._send(Action.INVITE, organization, party, notes=request.get("Notes")))

    def invite_organization_to_transfer_responsibility(self, caller: str, request: Mapping[str, Any]) -> Json:
        """A billing transfer to the caller's organization; only the handshake is modelled, not the transfer."""
        organization, party = self._managed(caller), target_of(request)
        if self._recipient(party) == caller:
            raise constraint("SOURCE_AND_TARGET_CANNOT_MATCH", "An account can't invite itself.")
        self._refuse_duplicate(organization, Action.TRANSFER_RESPONSIBILITY, party)
        sent = self._send(Action.TRANSFER_RESPONSIBILITY, organization, party, notes=request.get("Notes"))
        return self._shown(sent)

    def enable_all_features(self, caller: str, _request: Mapping[str, Any]) -> Json:
        """A parent handshake of the organization, and one of the same action for every invited member.

        When all have accepted, the parent reads OPEN and the management account receives APPROVE_ALL_FEATURES,
        as `ActionType` and AcceptHandshake describe it. (EnableAllFeatures' own page still names the parent.)
        """
        organization = self._managed(caller)
        if organization.feature_set is FeatureSet.ALL:
            raise constraint("ORGANIZATION_ALREADY_HAS_ALL_FEATURES", "All features are enabled.")
        if any(found.action is Action.ENABLE_ALL_FEATURES for found in self._pending_of(organization)):
            raise constraint("ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION", "It was started already.")
        everybody = Party(PartyType.ORGANIZATION, organization.id)
        parent = self._send(Action.ENABLE_ALL_FEATURES, organization, everybody)
        for member in organization.members:
            if member != caller:
                party = Party(PartyType.ACCOUNT, member)
                self._send(Action.ENABLE_ALL_FEATURES, organization, party, parent_id=parent.id)
        self._ask_for_approval(parent.id)
        return self._shown(self._handshakes[parent.id])

    # --- reading

    def list_handshakes_for_account(self, caller: str, request: Mapping[str, Any]) -> Json:
        """What the caller received; works for a standalone account."""
        return self._list((found for found in self._handshakes.values() if self._is_recipient(caller, found)), request)

    def list_handshakes_for_organization(self, caller: str, request: Mapping[str, Any]) -> Json:
        """What the caller's organization sent."""
        organization = self._managed(caller)
        return self._list(
            (found for found in self._handshakes.values() if found.organization_id == organization.id), request
        )

    def describe_handshake(self, caller: str, request: Mapping[str, Any]) -> Json:
        """For the recipient and for every account of the sending organization."""
        found, organization = self._find(request), self.organization_of(caller)
        if organization is None and self.settings.describe_refused_to_standalone:
            raise access_denied()
        if not (self._is_recipient(caller, found) or (organization and organization.id == found.organization_id)):
            raise access_denied()
        return self._shown(found)

    # --- answering

    def accept_handshake(self, caller: str, request: Mapping[str, Any]) -> Json:
        """The effect comes once, after `Settings.accept_delay`; the answer does not wait for it."""
        found = self._received(caller, request, towards=State.ACCEPTED)
        self._check_role(caller, found)
        landing_at = self._clock() + self.settings.accept_delay
        self._handshakes[found.id] = replace(found, landing_at=landing_at, accept_effects=found.accept_effects + 1)
        self._settle()
        return self._shown(self._handshakes[found.id])

    def decline_handshake(self, caller: str, request: Mapping[str, Any]) -> Json:
        """Only the account that received it."""
        found = self._received(caller, request, towards=State.DECLINED)
        return self._shown(self._finish(found, State.DECLINED))

    def cancel_handshake(self, caller: str, request: Mapping[str, Any]) -> Json:
        """Only the account that sent it; a parent takes its children along."""
        found = self._find(request)
        if caller != found.sender:
            raise access_denied()
        self._check_transition(found, State.CANCELED)
        for child in self._children(found.id):
            if child.state in PENDING:
                self._finish(child, State.CANCELED)
        return self._shown(self._finish(found, State.CANCELED))

    def _check_role(self, caller: str, found: Handshake) -> None:
        """Who may accept what, as AcceptHandshake documents it."""
        organization = self.organization_of(caller)
        is_management = organization is not None and organization.management_account_id == caller
        match found.action:
            case Action.INVITE:
                if is_management:
                    raise master_cannot_leave()
                if organization and (organization.id == found.organization_id or not self.settings.direct_transfer):
                    raise constraint("ALREADY_IN_AN_ORGANIZATION", "The account is already in an organization.")
                if caller in self.settings.without_payment:
                    raise constraint("PAYMENT_INSTRUMENT_REQUIRED", "The account has no valid payment method.")
            case Action.ENABLE_ALL_FEATURES | Action.ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE:
                organization = self._organization(caller)
                if is_management or organization.id != found.organization_id:
                    raise access_denied()
            case Action.APPROVE_ALL_FEATURES | Action.TRANSFER_RESPONSIBILITY:
                organization = self._organization(caller)
                if not is_management:
                    raise access_denied()
                if found.action is Action.TRANSFER_RESPONSIBILITY and organization.id == found.organization_id:
                    raise constraint("SOURCE_AND_TARGET_CANNOT_MATCH", "Sender and recipient are the same.")

    def _received(self, caller: str, request: Mapping[str, Any], *, towards: State) -> Handshake:
        found = self._find(request)
        if not self._is_recipient(caller, found):
            raise access_denied()
        self._check_transition(found, towards)
        return found

    def _check_transition(self, found: Handshake, towards: State) -> None:
        if found.state is towards:
            raise ServiceError("HandshakeAlreadyInStateException", f"The handshake is already {towards}.")
        if found.state not in PENDING:
            raise ServiceError("InvalidHandshakeTransitionException", f"The handshake is {found.state}.")
        if found.landing_at is not None:
            # No text says what a second answer gets while the first still lands; this one says "try again later".
            raise ServiceError("ConcurrentModificationException", "The handshake is being modified.")

    # --- what time and answers do to the world

    def _settle(self) -> None:
        """Bring every handshake to where it stands now."""
        now = self._clock()
        pending = [found for found in self._handshakes.values() if found.state in PENDING]
        for found in sorted(pending, key=lambda one: one.landing_at or one.expires_at):
            if found.landing_at is not None and found.landing_at <= now:
                self._land(found, found.landing_at)
            elif found.landing_at is None and found.expires_at <= now:
                self._finish(found, State.EXPIRED, found.expires_at)

    def _land(self, found: Handshake, at: datetime) -> None:
        self._finish(found, State.ACCEPTED, at)
        organization = self._organizations[found.organization_id]
        match found.action:
            case Action.INVITE:
                account_id = self._recipient(found.target) or ""
                self._depart(account_id)
                self._organizations[organization.id] = replace(
                    organization, members={**organization.members, account_id: at}
                )
            case Action.ENABLE_ALL_FEATURES if found.parent_id:
                self._ask_for_approval(found.parent_id)
            case Action.APPROVE_ALL_FEATURES:
                self._organizations[organization.id] = replace(organization, feature_set=FeatureSet.ALL)
                if found.parent_id:
                    self._finish(self._handshakes[found.parent_id], State.ACCEPTED, at)

    def _ask_for_approval(self, parent_id: str) -> None:
        """Once "all recipients have responded": a member that left is not asked any more."""
        parent, answered = self._handshakes[parent_id], (State.ACCEPTED, State.CANCELED)
        if parent.state is not State.REQUESTED or any(c.state not in answered for c in self._children(parent_id)):
            return
        self._handshakes[parent_id] = replace(parent, state=State.OPEN)
        management = Party(PartyType.ACCOUNT, parent.sender)
        organization = self._organizations[parent.organization_id]
        self._send(Action.APPROVE_ALL_FEATURES, organization, management, parent_id=parent_id)

    def _depart(self, account_id: str) -> None:
        organization = self.organization_of(account_id)
        if organization is None:
            return
        left = {member: joined for member, joined in organization.members.items() if member != account_id}
        self._organizations[organization.id] = replace(organization, members=left)
        for found in self._pending_of(organization):
            if found.action is Action.ENABLE_ALL_FEATURES and self._is_recipient(account_id, found):
                self._finish(found, State.CANCELED)
                self._ask_for_approval(found.parent_id or found.id)

    def _finish(self, found: Handshake, state: State, at: datetime | None = None) -> Handshake:
        finished = replace(found, state=state, finished_at=at or self._clock())
        self._handshakes[found.id] = finished
        return finished

    def _send(
        self,
        action: Action,
        organization: Organization,
        target: Party,
        *,
        notes: str | None = None,
        parent_id: str | None = None,
    ) -> Handshake:
        now, handshake_id, sender = self._clock(), self._next_id("h"), organization.management_account_id
        origin = f"arn:{self.settings.partition}:organizations::{sender}:handshake/{organization.id}"
        sent = Handshake(
            id=handshake_id,
            arn=f"{origin}/{action.lower()}/{handshake_id}",
            action=action,
            organization_id=organization.id,
            sender=sender,
            target=target,
            state=self.settings.invite_state if action is Action.INVITE else State.REQUESTED,
            requested_at=now,
            expires_at=now + EXPIRES_AFTER,
            resources=resources(action, organization, self._account(sender), target, notes),
            parent_id=parent_id,
        )
        self._handshakes[sent.id] = sent
        return sent

    # --- finding

    def _shown(self, found: Handshake) -> Json:
        return {"Handshake": shown(found, self.settings)}

    def _list(self, candidates: Iterable[Handshake], request: Mapping[str, Any]) -> Json:
        wanted: Mapping[str, Any] = request.get("Filter") or {}
        action, parent_id = wanted.get("ActionType"), wanted.get("ParentHandshakeId")
        if action and parent_id:
            raise invalid("MAX_LIMIT_EXCEEDED_FILTER", "Filter by ActionType or by ParentHandshakeId, not by both.")
        rows = [
            shown(found, self.settings)
            for found in candidates
            if self._is_listed(found) and action in (None, found.action) and parent_id in (None, found.parent_id)
        ]
        return self._page("Handshakes", rows, request)

    def _page(self, key: str, rows: Sequence[Json], request: Mapping[str, Any]) -> Json:
        """A page, with `Settings.empty_pages` empty ones before it that carry a NextToken all the same."""
        token = re.fullmatch(r"page-(\d{1,9})-(\d{1,9})", request.get("NextToken") or "page-0-0", re.ASCII)
        if token is None:
            raise invalid("INVALID_NEXT_TOKEN", "The NextToken is not one of ours.")
        start, empty = int(token[1]), int(token[2])
        if empty < self.settings.empty_pages:
            return {key: [], "NextToken": f"page-{start}-{empty + 1}"}
        end = start + min(request.get("MaxResults") or self.settings.page_size, self.settings.page_size)
        page: Json = {key: list(rows[start:end])}
        if end < len(rows):
            page["NextToken"] = f"page-{end}-0"
        return page

    def _find(self, request: Mapping[str, Any]) -> Handshake:
        handshake_id = request["HandshakeId"]
        if not re.fullmatch(r"h-[0-9a-z]{8,32}", handshake_id):
            raise invalid("INVALID_PATTERN", "HandshakeId must match ^h-[0-9a-z]{8,32}$.")
        found = self._handshakes.get(handshake_id)
        if found is None or not self._is_listed(found):
            raise ServiceError("HandshakeNotFoundException", "A handshake with the specified id does not exist.")
        return found

    def _is_listed(self, found: Handshake) -> bool:
        return found.finished_at is None or self._clock() < found.finished_at + LISTED_AFTER_THE_END

    def _is_recipient(self, account_id: str, found: Handshake) -> bool:
        return self._recipient(found.target) == account_id

    def _recipient(self, target: Party) -> str | None:
        """The account behind a party, once somebody has registered the e-mail address."""
        match target.type:
            case PartyType.ACCOUNT:
                return target.id
            case PartyType.EMAIL:
                return self._owner(target.id)
            case PartyType.ORGANIZATION:
                return None

    def _owner(self, email: str) -> str | None:
        return next((a.id for a in self._accounts.values() if a.email.casefold() == email.casefold()), None)

    def _account(self, account_id: str) -> Account:
        if account_id not in self._accounts:
            self.register_account(account_id)
        return self._accounts[account_id]

    def _organization(self, caller: str) -> Organization:
        organization = self.organization_of(caller)
        if organization is None:
            raise ServiceError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
        return organization

    def _managed(self, caller: str) -> Organization:
        """The organization that the caller manages."""
        organization = self._organization(caller)
        if organization.management_account_id != caller:
            raise access_denied()
        return organization

    def _pending_of(self, organization: Organization) -> list[Handshake]:
        mine = (found for found in self._handshakes.values() if found.organization_id == organization.id)
        return [found for found in mine if found.state in PENDING]

    def _children(self, parent_id: str) -> list[Handshake]:
        return [found for found in self._handshakes.values() if found.parent_id == parent_id]

    def _refuse_duplicate(self, organization: Organization, action: Action, target: Party) -> None:
        """By account where it is known, so that an id and its e-mail address are one target."""

        def key(party: Party) -> str:
            return self._recipient(party) or party.id.casefold()

        for found in self._pending_of(organization):
            if found.action is action and key(found.target) == key(target):
                raise ServiceError(
                    "DuplicateHandshakeException", "A handshake with the same action and target already exists."
                )

    def _next_id(self, prefix: str) -> str:
        chosen = next((found for found in self._chosen_ids if found.startswith(f"{prefix}-")), None)
        if chosen is None:
            return self._new_id(prefix)
        self._chosen_ids.remove(chosen)
        return chosen
