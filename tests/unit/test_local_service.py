"""The local model of the handshake service: states, roles and errors as AWS documents them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.service import aws_json
from local.service.contract import ModelMismatch, check_answer, check_error, check_request
from local.service.handshake_service import (
    OPERATIONS,
    Effect,
    Fault,
    HandshakeService,
    ServiceError,
    ShiftedClock,
    State,
)

START = datetime(2026, 11, 20, 21, 41, 16, tzinfo=UTC)
MANAGEMENT, MEMBER, OTHER = "111111111111", "222222222222", "333333333333"
ORGANIZATION, SECOND = "o-exampleorgid", "o-sandbox0001"
HANDSHAKE = "h-examplehandshakeid111"


class World:
    """One organization, a clock, and calls that are held against the model."""

    def __init__(self, ids=(HANDSHAKE,), **organization):
        self.clock = ShiftedClock(base=lambda: START)
        self.service = HandshakeService(self.clock)
        self.service.add_organization(ORGANIZATION, MANAGEMENT, **organization)
        self.service.choose_ids(*ids)

    def call(self, operation, account_id=MEMBER, **request):
        check_request(operation, request)
        try:
            answer = self.service.call(operation, account_id, request)
        except ServiceError as error:
            if not error.injected:
                check_error(operation, error.code, error.reason)
            raise
        check_answer(operation, answer)
        return answer

    def refused(self, operation, account_id=MEMBER, **request):
        with pytest.raises(ServiceError) as caught:
            self.call(operation, account_id, **request)
        return caught.value.code.removesuffix("Exception") + (f":{caught.value.reason}" if caught.value.reason else "")

    def invite(self, target=MEMBER, sender=MANAGEMENT, **more):
        party = {"Type": "EMAIL" if "@" in target else "ACCOUNT", "Id": target}
        return self.call("InviteAccountToOrganization", sender, Target=party, **more)["Handshake"]

    def accept(self, handshake_id=HANDSHAKE, account_id=MEMBER):
        return self.call("AcceptHandshake", account_id, HandshakeId=handshake_id)["Handshake"]

    def listed(self, account_id=MEMBER, **request):
        return self.call("ListHandshakesForAccount", account_id, **request)["Handshakes"]

    def organization_of(self, account_id):
        found = self.service.organization_of(account_id)
        return found and found.id


@pytest.fixture
def world():
    return World()


def recorded(action, state, party, *more_resources, origin=ORGANIZATION):
    """What AWS was recorded to answer."""
    about = [("MASTER_EMAIL", "diego@example.com"), ("MASTER_NAME", "Management account")]
    nested = [{"Type": kind, "Value": value} for kind, value in [*about, ("ORGANIZATION_FEATURE_SET", "ALL")]]
    return {
        "Id": HANDSHAKE,
        "Arn": f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/{action.lower()}/{HANDSHAKE}",
        "Parties": [{"Id": origin, "Type": "ORGANIZATION"}, {"Id": party[1], "Type": party[0]}],
        "State": state,
        "RequestedTimestamp": START,
        "ExpirationTimestamp": START + timedelta(days=15),
        "Action": action,
        "Resources": [
            {"Type": "ORGANIZATION", "Value": ORGANIZATION, "Resources": nested},
            *({"Type": kind, "Value": value} for kind, value in more_resources),
        ],
    }


class TestAnswersLookAsRecorded:
    def test_invitation_by_account(self, world):
        party = ("ACCOUNT", MEMBER)
        assert world.invite(Notes="Join us.") == recorded("INVITE", "OPEN", party, party, ("NOTES", "Join us."))

    def test_invitation_by_email(self, world):
        party = ("EMAIL", "mary@example.com")
        assert world.invite("mary@example.com") == recorded("INVITE", "OPEN", party, party)

    def test_organization_party_without_prefix(self, world):
        world.service.configure(organization_party_prefix=False)
        party = ("ACCOUNT", MEMBER)
        assert world.invite() == recorded("INVITE", "OPEN", party, party, origin=ORGANIZATION[2:])

    @pytest.mark.parametrize("party", [("ACCOUNT", MEMBER), ("EMAIL", "mary@example.com")])
    def test_inviter_among_the_parties_of_an_invitation(self, world, party):
        world.service.configure(inviter_is_a_party=True)
        expected = recorded("INVITE", "OPEN", party, party)
        expected["Parties"].insert(1, {"Id": MANAGEMENT, "Type": "ACCOUNT"})
        assert world.invite(party[1]) == expected

    def test_inviter_among_the_parties_of_nothing_else(self):
        world = World(["h-theparent", HANDSHAKE], members=[MEMBER], feature_set="CONSOLIDATED_BILLING")
        world.service.configure(inviter_is_a_party=True)
        world.call("EnableAllFeatures", MANAGEMENT)
        assert world.listed() == [recorded("ENABLE_ALL_FEATURES", "REQUESTED", ("ACCOUNT", MEMBER))]

    def test_enable_all_features(self):
        world = World(["h-theparent", HANDSHAKE], members=[MEMBER], feature_set="CONSOLIDATED_BILLING")
        world.call("EnableAllFeatures", MANAGEMENT)
        assert world.listed() == [recorded("ENABLE_ALL_FEATURES", "REQUESTED", ("ACCOUNT", MEMBER))]

    @pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
    def test_every_partition_and_the_longest_action_pass_the_check(self, world, partition):
        world.service.configure(partition=partition)
        world.service.add_handshake("ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE", ORGANIZATION, MEMBER)
        assert world.listed()[0]["Arn"].startswith(f"arn:{partition}:organizations::")


class TestInviting:
    def test_only_the_management_account_invites(self):
        world = World(members=[MEMBER])
        target = {"Type": "ACCOUNT", "Id": OTHER}
        assert world.refused("InviteAccountToOrganization", MEMBER, Target=target) == "AccessDenied"
        assert world.refused("InviteAccountToOrganization", OTHER, Target=target) == "AWSOrganizationsNotInUse"

    @pytest.mark.parametrize(
        ("kind", "target", "reason"),
        [
            ("ACCOUNT", "22222222222", "INVALID_PATTERN_TARGET_ID"),
            ("ACCOUNT", "٢٢٢٢٢٢٢٢٢٢٢٢", "INVALID_PATTERN_TARGET_ID"),
            ("EMAIL", "mary", "INVALID_EMAIL_ADDRESS_TARGET"),
            ("ORGANIZATION", SECOND, "INVALID_PARTY_TYPE_TARGET"),
        ],
    )
    def test_a_target_is_an_account_or_an_email_address(self, world, kind, target, reason):
        party = {"Type": kind, "Id": target}
        assert world.refused("InviteAccountToOrganization", MANAGEMENT, Target=party) == f"InvalidInput:{reason}"

    def test_a_second_invitation_to_the_same_account_is_a_duplicate_until_the_first_ended(self, world):
        world.service.register_account(MEMBER, "mary@example.com")
        world.invite()
        for party in ({"Type": "ACCOUNT", "Id": MEMBER}, {"Type": "EMAIL", "Id": "Mary@example.com"}):
            assert world.refused("InviteAccountToOrganization", MANAGEMENT, Target=party) == "DuplicateHandshake"
        world.call("DeclineHandshake", HandshakeId=HANDSHAKE)
        assert world.invite("mary@example.com")["State"] == "OPEN"

    def test_a_member_is_not_invited_again(self):
        world = World(members=[MEMBER])
        refusal = world.refused("InviteAccountToOrganization", MANAGEMENT, Target={"Type": "ACCOUNT", "Id": MEMBER})
        assert refusal == "HandshakeConstraintViolation:ALREADY_IN_AN_ORGANIZATION"

    def test_an_account_invited_by_email_finds_it_once_the_address_is_its_own(self, world):
        world.invite("mary@example.com")
        assert world.listed() == []
        world.service.register_account(MEMBER, "mary@example.com")
        assert world.listed()[0]["Parties"][1] == {"Type": "EMAIL", "Id": "mary@example.com"}
        assert world.accept()["State"] == "ACCEPTED"
        assert world.organization_of(MEMBER) == ORGANIZATION


class TestAnswering:
    def test_accepting_joins_the_organization_once(self, world):
        assert world.refused("DescribeOrganization") == "AWSOrganizationsNotInUse"
        world.invite()
        assert world.accept()["State"] == "ACCEPTED"
        assert world.refused("AcceptHandshake", HandshakeId=HANDSHAKE) == "HandshakeAlreadyInState"
        assert world.call("DescribeOrganization")["Organization"]["MasterAccountId"] == MANAGEMENT
        assert [account["Id"] for account in world.call("ListAccounts", MANAGEMENT)["Accounts"]] == [MANAGEMENT, MEMBER]
        assert world.service.accept_effects(HANDSHAKE) == 1

    @pytest.mark.parametrize(
        ("ended_by", "then", "refusal"),
        [
            ("CancelHandshake", "AcceptHandshake", "InvalidHandshakeTransition"),
            ("CancelHandshake", "CancelHandshake", "HandshakeAlreadyInState"),
            ("DeclineHandshake", "AcceptHandshake", "InvalidHandshakeTransition"),
            ("DeclineHandshake", "DeclineHandshake", "HandshakeAlreadyInState"),
            ("AcceptHandshake", "DeclineHandshake", "InvalidHandshakeTransition"),
            ("AcceptHandshake", "CancelHandshake", "InvalidHandshakeTransition"),
            ("time", "AcceptHandshake", "InvalidHandshakeTransition"),
        ],
    )
    def test_a_handshake_ends_once(self, world, ended_by, then, refusal):
        caller = {"CancelHandshake": MANAGEMENT}
        world.invite()
        if ended_by == "time":
            world.clock.advance(timedelta(days=15))
        else:
            world.call(ended_by, caller.get(ended_by, MEMBER), HandshakeId=HANDSHAKE)
        assert world.refused(then, caller.get(then, MEMBER), HandshakeId=HANDSHAKE) == refusal

    @pytest.mark.parametrize(
        ("operation", "caller"),
        [
            ("AcceptHandshake", MANAGEMENT),
            ("AcceptHandshake", OTHER),
            ("DeclineHandshake", MANAGEMENT),
            ("DeclineHandshake", OTHER),
            ("CancelHandshake", MEMBER),
            ("DescribeHandshake", OTHER),
        ],
    )
    def test_only_the_right_party_may(self, world, operation, caller):
        world.invite()
        assert world.refused(operation, caller, HandshakeId=HANDSHAKE) == "AccessDenied"

    @pytest.mark.parametrize(
        "operation", ["AcceptHandshake", "DeclineHandshake", "CancelHandshake", "DescribeHandshake"]
    )
    def test_an_id_that_nobody_sent_is_not_found(self, world, operation):
        assert world.refused(operation, HandshakeId="h-nosuchhandshake") == "HandshakeNotFound"

    def test_a_malformed_id_is_invalid(self, world):
        with pytest.raises(ServiceError, match="INVALID_PATTERN"):
            world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": "H-1"})

    def test_a_member_moves_directly_and_a_management_account_never(self, world):
        world.service.add_organization(SECOND, OTHER, members=[MEMBER])
        world.invite()
        world.accept()
        assert world.organization_of(MEMBER) == ORGANIZATION
        management_invited = world.invite(OTHER)["Id"]
        assert (
            world.refused("AcceptHandshake", OTHER, HandshakeId=management_invited) == "MasterCannotLeaveOrganization"
        )

    def test_without_direct_transfer_a_member_must_leave_first(self, world):
        world.service.configure(direct_transfer=False)
        world.service.add_organization(SECOND, OTHER, members=[MEMBER])
        world.invite()
        refusal = "HandshakeConstraintViolation:ALREADY_IN_AN_ORGANIZATION"
        assert world.refused("AcceptHandshake", HandshakeId=HANDSHAKE) == refusal
        world.call("LeaveOrganization")
        assert world.accept()["State"] == "ACCEPTED"

    def test_the_answer_can_come_before_the_effect(self, world):
        world.service.configure(accept_delay=timedelta(minutes=2))
        world.invite()
        assert world.accept()["State"] == "OPEN"
        assert world.listed()[0]["State"] == "OPEN"
        assert world.organization_of(MEMBER) is None
        assert world.refused("AcceptHandshake", HandshakeId=HANDSHAKE) == "ConcurrentModification"
        world.clock.advance(timedelta(minutes=2))
        assert world.listed()[0]["State"] == "ACCEPTED"
        assert world.organization_of(MEMBER) == ORGANIZATION
        assert world.service.accept_effects(HANDSHAKE) == 1

    def test_an_account_without_a_payment_method_joins_when_it_has_one(self, world):
        world.service.configure(without_payment=[MEMBER])
        world.invite()
        refused = "HandshakeConstraintViolation:PAYMENT_INSTRUMENT_REQUIRED"
        assert world.refused("AcceptHandshake", HandshakeId=HANDSHAKE) == refused
        assert world.listed()[0]["State"] == "OPEN"
        world.service.configure(without_payment=[])
        assert world.accept()["State"] == "ACCEPTED"

    def test_a_billing_transfer_is_for_another_management_account(self, world):
        world.service.add_organization(SECOND, OTHER, members=[MEMBER])
        for target in (MEMBER, OTHER):
            world.call(
                "InviteOrganizationToTransferResponsibility",
                MANAGEMENT,
                Type="BILLING",
                Target={"Type": "ACCOUNT", "Id": target},
                StartTimestamp=START,
                SourceName="transfer",
            )
        assert world.refused("AcceptHandshake", HandshakeId=HANDSHAKE) == "AccessDenied"
        assert world.accept(world.listed(OTHER)[0]["Id"], OTHER)["State"] == "ACCEPTED"


class TestEnablingAllFeatures:
    @pytest.fixture
    def world(self):
        world = World(members=[MEMBER, OTHER], feature_set="CONSOLIDATED_BILLING")
        world.call("EnableAllFeatures", MANAGEMENT)
        return world

    def test_the_management_account_approves_when_every_member_accepted(self, world):
        for member in (MEMBER, OTHER):
            assert world.listed(MANAGEMENT) == []
            world.accept(world.listed(member)[0]["Id"], member)
        (approval,) = world.listed(MANAGEMENT)
        assert approval["Action"] == "APPROVE_ALL_FEATURES"
        assert world.call("DescribeHandshake", MANAGEMENT, HandshakeId=HANDSHAKE)["Handshake"]["State"] == "OPEN"
        world.accept(approval["Id"], MANAGEMENT)
        assert world.call("DescribeOrganization")["Organization"]["FeatureSet"] == "ALL"
        sent = world.call("ListHandshakesForOrganization", MANAGEMENT)["Handshakes"]
        assert {handshake["State"] for handshake in sent} == {"ACCEPTED"}

    def test_a_member_that_leaves_is_not_waited_for(self, world):
        world.accept(world.listed(MEMBER)[0]["Id"], MEMBER)
        world.call("RemoveAccountFromOrganization", MANAGEMENT, AccountId=OTHER)
        assert world.listed(OTHER)[0]["State"] == "CANCELED"
        assert world.listed(MANAGEMENT)[0]["Action"] == "APPROVE_ALL_FEATURES"

    def test_nothing_else_starts_meanwhile(self, world):
        pending = "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION"
        assert world.refused("EnableAllFeatures", MANAGEMENT).endswith(pending)
        refusal = world.refused(
            "InviteAccountToOrganization", MANAGEMENT, Target={"Type": "ACCOUNT", "Id": "444444444444"}
        )
        assert refusal.endswith("INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES")

    def test_cancelling_the_parent_cancels_its_children(self, world):
        world.call("CancelHandshake", MANAGEMENT, HandshakeId=HANDSHAKE)
        assert world.listed()[0]["State"] == "CANCELED"

    def test_an_organization_that_has_them_is_told_so(self):
        refusal = World().refused("EnableAllFeatures", MANAGEMENT)
        assert refusal == "HandshakeConstraintViolation:ORGANIZATION_ALREADY_HAS_ALL_FEATURES"


class TestReading:
    def test_finished_handshakes_stay_for_thirty_days(self, world):
        world.invite()
        world.clock.advance(timedelta(days=15))
        assert world.listed()[0]["State"] == "EXPIRED"
        world.clock.advance(timedelta(days=30))
        assert world.listed() == []
        assert world.refused("DescribeHandshake", HandshakeId=HANDSHAKE) == "HandshakeNotFound"

    def test_empty_pages_carry_a_token(self, world):
        world.service.configure(page_size=1, empty_pages=2)
        world.service.add_organization(SECOND, OTHER)
        world.invite()
        world.invite(sender=OTHER)
        sizes, token = [], None
        while token != "end":
            page = world.call("ListHandshakesForAccount", **({"NextToken": token} if token else {}))
            sizes.append(len(page["Handshakes"]))
            token = page.get("NextToken", "end")
        assert sizes == [0, 0, 1, 0, 0, 1]

    def test_max_results_makes_pages_smaller_and_a_foreign_token_is_refused(self, world):
        world.service.add_organization(SECOND, OTHER)
        world.invite()
        world.invite(sender=OTHER)
        assert len(world.listed(MaxResults=1)) == 1
        assert world.refused("ListHandshakesForAccount", NextToken="x") == "InvalidInput:INVALID_NEXT_TOKEN"

    def test_lists_filter_by_action_or_by_parent(self):
        world = World(members=[MEMBER], feature_set="CONSOLIDATED_BILLING")
        world.call("EnableAllFeatures", MANAGEMENT)
        assert world.listed(Filter={"ActionType": "INVITE"}) == []
        assert len(world.listed(Filter={"ActionType": "ENABLE_ALL_FEATURES"})) == 1
        children = world.call("ListHandshakesForOrganization", MANAGEMENT, Filter={"ParentHandshakeId": HANDSHAKE})
        assert [child["Parties"][1]["Id"] for child in children["Handshakes"]] == [MEMBER]
        both = {"ActionType": "INVITE", "ParentHandshakeId": HANDSHAKE}
        assert world.refused("ListHandshakesForAccount", Filter=both).startswith("InvalidInput")

    def test_describe_may_be_refused_to_a_standalone_account(self, world):
        world.invite()
        assert world.call("DescribeHandshake", HandshakeId=HANDSHAKE)["Handshake"]["State"] == "OPEN"
        world.service.configure(describe_refused_to_standalone=True)
        assert world.refused("DescribeHandshake", HandshakeId=HANDSHAKE) == "AccessDenied"
        assert len(world.listed()) == 1


class TestOrganizations:
    def test_create_once(self, world):
        world.service.choose_ids(SECOND)
        created = world.call("CreateOrganization", OTHER, FeatureSet="CONSOLIDATED_BILLING")["Organization"]
        assert (created["Id"], created["FeatureSet"]) == (SECOND, "CONSOLIDATED_BILLING")
        assert world.refused("CreateOrganization", OTHER) == "AlreadyInOrganization"

    def test_the_management_account_stays(self, world):
        assert world.refused("LeaveOrganization", MANAGEMENT) == "MasterCannotLeaveOrganization"
        refusal = world.refused("RemoveAccountFromOrganization", MANAGEMENT, AccountId=MANAGEMENT)
        assert refusal == "MasterCannotLeaveOrganization"
        assert world.refused("RemoveAccountFromOrganization", MANAGEMENT, AccountId=OTHER) == "AccountNotFound"


class TestFaultPlan:
    def test_before_fails_without_effect_and_is_used_up(self, world):
        world.invite()
        world.service.inject(Fault(operation="AcceptHandshake", code="ConcurrentModificationException", times=2))
        for _ in range(2):
            assert world.refused("AcceptHandshake", HandshakeId=HANDSHAKE) == "ConcurrentModification"
            assert world.service.accept_effects(HANDSHAKE) == 0
        assert world.accept()["State"] == "ACCEPTED"

    def test_after_has_its_effect_and_loses_the_answer(self, world):
        world.invite()
        world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))
        with pytest.raises(ServiceError) as caught:
            world.accept()
        assert caught.value.status == 500
        assert world.service.handshake(HANDSHAKE).state is State.ACCEPTED
        assert [call.code for call in world.service.journal("AcceptHandshake")] == ["ServiceException"]
        assert world.service.accept_effects(HANDSHAKE) == 1

    def test_faults_come_in_order_with_any_reason(self, world):
        world.invite()
        for reason in ("PAST_DUE_INVOICE", "A_REASON_OF_NEXT_YEAR"):
            world.service.inject(
                Fault(operation="AcceptHandshake", code="HandshakeConstraintViolationException", reason=reason)
            )
        refusals = [world.refused("AcceptHandshake", HandshakeId=HANDSHAKE) for _ in range(2)]
        assert [refusal.partition(":")[2] for refusal in refusals] == ["PAST_DUE_INVOICE", "A_REASON_OF_NEXT_YEAR"]


class TestModelCheck:
    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"State": "DONE"}, "/Handshake/State"),
            ({"Arn": "arn:aws:organizations::1:handshake/x"}, "/Handshake/Arn"),
            ({"Parties": [{"Id": "x"}]}, "/Handshake/Parties/0/Type: missing"),
            ({"Colour": "red"}, "/Handshake/Colour: unknown"),
            ({"Resources": "x"}, "/Handshake/Resources: str instead of list"),
        ],
    )
    def test_an_answer_that_aws_could_not_give_is_named(self, world, change, where):
        with pytest.raises(ModelMismatch, match=where):
            check_answer("DescribeHandshake", {"Handshake": {**world.invite(), **change}})

    def test_requests_and_errors_too(self):
        with pytest.raises(ModelMismatch, match="/Target: missing"):
            check_request("InviteAccountToOrganization", {})
        with pytest.raises(ModelMismatch, match="does not document"):
            check_error("ListHandshakesForAccount", "HandshakeNotFoundException", None)


ACCOUNTS = st.sampled_from([MANAGEMENT, MEMBER, OTHER, "444444444444"])


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), ACCOUNTS, ACCOUNTS, st.integers(0, 9)), max_size=40))
def test_whatever_is_called_every_answer_is_one_that_aws_could_give(calls):
    """aws_json.answer raises for an answer or an error that the model does not know."""
    world = World(members=[MEMBER], feature_set="CONSOLIDATED_BILLING")
    world.service.configure(accept_delay=timedelta(days=1))
    for operation, caller, target, index in calls:
        sent = world.service.handshakes()
        handshake_id = sent[index % len(sent)].id if sent else HANDSHAKE
        request = {
            "HandshakeId": handshake_id,
            "AccountId": target,
            "Target": {"Type": "ACCOUNT", "Id": target},
            "Type": "BILLING",
            "StartTimestamp": 0,
            "SourceName": "x",
        }
        wanted = {
            "InviteAccountToOrganization": ["Target"],
            "InviteOrganizationToTransferResponsibility": ["Target", "Type", "StartTimestamp", "SourceName"],
            "RemoveAccountFromOrganization": ["AccountId"],
        }.get(operation, ["HandshakeId"] if operation.endswith("Handshake") else [])
        status, _, _ = aws_json.answer(world.service, operation, caller, {name: request[name] for name in wanted})
        assert status in (200, 400)
        world.clock.advance(timedelta(days=index))
        organizations = [found.id for found in world.service._organizations.values() if caller in found.members]
        assert len(organizations) <= 1
    assert all(found.accept_effects <= 1 for found in world.service.handshakes())
