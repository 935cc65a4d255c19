"""The schedule that finds what no event told of: the backstop for everything."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor_cdk.names import NAME


class Sweep(Construct):
    """Wakes the function every few minutes, with a role that can do nothing else."""

    def __init__(
        self, scope: Construct, construct_id: str, *, function: lambda_.IFunction, failures: sqs.IQueue, minutes: int
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        # CDK would keep the group, and the next deploy would find its name taken.
        group = scheduler.ScheduleGroup(self, "Group", schedule_group_name=NAME, removal_policy=RemovalPolicy.DESTROY)
        # The group, never the schedule:
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        of_this_group = {
            "aws:SourceAccount": stack.account,
            "aws:SourceArn": stack.format_arn(service="scheduler", resource="schedule-group", resource_name=NAME),
        }
        statements = [
            iam.PolicyStatement(sid="Invoke", actions=["lambda:InvokeFunction"], resources=[function.function_arn]),
            iam.PolicyStatement(sid="ReportFailure", actions=["sqs:SendMessage"], resources=[failures.queue_arn]),
        ]
        role = iam.Role(
            self,
            "Role",
            role_name=f"{NAME}-sweep",
            description="handshake-acceptor: lets the schedule wake the function",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions={"StringEquals": of_this_group}),
            inline_policies={NAME: iam.PolicyDocument(statements=statements)},
        )
        event = {
            "source": "aws.scheduler",
            "event_name": "Scheduled Event",
            "time": scheduler.ContextAttribute.scheduled_time,
        }
        schedule = scheduler.Schedule(
            self,
            "Schedule",
            schedule_name=f"{NAME}-sweep",
            schedule_group=group,
            description="Reconciles the account's handshakes with the policy, whether or not an event told of one",
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(minutes)),
            time_window=scheduler.TimeWindow.off(),
            target=targets.LambdaInvoke(
                function,
                # CDK would add leave to invoke every version and alias.
                role=role.without_policy_updates(),
                input=scheduler.ScheduleTargetInput.from_object(event),
                dead_letter_queue=failures,
                # Given up before the next one is due.
                max_event_age=Duration.minutes(2),
                retry_attempts=2,
            ),
        )
        # CDK names the group in the schedule without referring to it, so CloudFormation sees no order.
        schedule.node.add_dependency(group)
