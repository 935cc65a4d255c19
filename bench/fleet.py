"""10,000 accounts invited within an hour, in virtual time: how long they wait, with the relay and with the sweep alone.

Every run that an invitation causes is the function's own code (`simulation.fleet`); what AWS allows and how long it
takes is in `simulation.limits`, each figure with its source. The claims to check: with the sweep alone nobody waits
longer than one sweep period and one run; nothing foreign is accepted, and nothing is lost. Then what bounds it: harsher
assumptions, accepts that are limited to fewer than the invitations, and the sweeps of members (`simulation.members`),
whose lists share one bucket an organization. Less than three minutes of one core; the same figures on every run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from bench.shared.figure import figure
from bench.simulation.fleet import CONFLICTS, HOUR, IDLE_METRICS, SWEEPS, Fleet
from bench.simulation.limits import HARSH, LIKELY, PER_ORGANIZATION, SWEEP, TIMEOUT, Assumed
from bench.simulation.members import Members

ACCOUNTS = 10_000
FEWER = 1_000
"""Under harsh assumptions runs overlap and retry, which costs time here, too; the pace is the same."""
HOURS = 730
"""A month, as AWS reckons it."""
GB = 1e9
MEMORY = 0.25
"""GB of the function, and of the relay."""
MOST = {2_500: 0.25, 10_000: 1.0}
"""USD an hour that the sweeps of so many members of one organization may cost."""
OF_MEMBERS = ("ListHandshakesForAccount", "GetParametersByPath", "DescribeOrganization", "AcceptHandshake")


PRICES = json.loads(Path(__file__).with_name("prices.json").read_text())
ASSUMED = {name: each["value"] for name, each in PRICES["assumed"].items()}


@dataclass(frozen=True)
class Usage:
    """What AWS bills of some time. What stands all the same, such as alarms, is in `bench cost`."""

    runs: int
    seconds: float
    deciding_runs: int = 0
    """Of the runs, those that log a decision."""
    scheduled: int = 0
    metric_hours: int = 0
    events: int = 0

    @property
    def usd(self) -> dict[str, float]:
        """By item, at list prices."""
        log = self.runs * (ASSUMED["platform_bytes"] + ASSUMED["idle_bytes"])
        log += self.deciding_runs * (ASSUMED["deciding_bytes"] - ASSUMED["idle_bytes"])
        amounts = {
            "function request": self.runs,
            "function GB-second": self.seconds * MEMORY,
            "log ingestion": log / GB,
            "schedule": self.scheduled,
            "custom metric": self.metric_hours / HOURS,
            "custom event": self.events,
        }
        return {item: amount * PRICES["prices"][item]["usd"] for item, amount in amounts.items()}


def members_usage(fleet: Fleet) -> Usage:
    """The invited accounts' hour, and what of their runs comes after it."""
    counted = sum(SWEEPS - account.swept for account in fleet.accounts)
    return Usage(
        runs=fleet.runs + counted,
        seconds=fleet.seconds + counted * ASSUMED["seconds"],
        deciding_runs=fleet.runs + sum(SWEEPS - account.swept for account in fleet.accounts if account.foreign),
        scheduled=len(fleet.accounts) * SWEEPS,
        metric_hours=sum(len(account.metrics) for account in fleet.accounts),
    )


def quiet_usage(fleet: Fleet) -> Usage:
    """The same hour if nobody was invited: sweeps that find nothing but the foreign invitations."""
    sweeps, foreign = len(fleet.accounts) * SWEEPS, sum(account.foreign for account in fleet.accounts)
    return Usage(sweeps, sweeps * ASSUMED["seconds"], foreign * SWEEPS, sweeps, foreign * len(IDLE_METRICS))


def relay_usage(fleet: Fleet) -> Usage:
    return Usage(fleet.relay_runs, fleet.relay_seconds, events=fleet.calls["PutEvents"])


def at(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)]


def waits(told: str, fleet: Fleet, alone: Fleet) -> None:
    for name, share in (("p50", 0.5), ("p99", 0.99), ("maximum", 1.0)):
        bench = f"{told}, with the relay, against the sweep alone: time to accept, {name}"
        figure(bench, at(fleet.times, share), "s", at(alone.times, share))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        figure(f"{told}, sweep alone, against one period: time to accept, {name}", at(alone.times, share), "s", SWEEP)
    bench = f"{told}, sweep alone, against one period and one run: time to accept, maximum"
    figure(bench, alone.times[-1], "s", SWEEP + alone.longest_run)
    bench = f"{told}, sweep alone, against the function's timeout: the longest run, start and retries included"
    figure(bench, alone.longest_run, "s", TIMEOUT)
    bench = f"{told}, with the relay, against the sweep alone: runs that fail and are tried again"
    figure(bench, fleet.failed_runs, "runs", alone.failed_runs)
    for name in ("wrong", "lost"):
        bad = getattr(fleet, name) + getattr(alone, name)
        figure(f"{told}: {name} accepts, both ways", bad, "handshakes", 2 * len(alone.accounts))
        if bad:
            raise SystemExit(f"{told}: {bad} {name}")


def calls(told: str, fleet: Fleet, alone: Fleet) -> None:
    figure(f"{told}: calls, InviteAccountToOrganization", alone.calls["InviteAccountToOrganization"], "calls", ACCOUNTS)
    bench = f"{told}: the last invitation is sent, against an hour"
    figure(bench, alone.accounts[-1].invited_at, "s", HOUR)
    against = f"{told}, with the relay, against the sweep alone"
    for operation in (*OF_MEMBERS, "PutEvents"):
        figure(f"{against}: calls, {operation}", fleet.calls[operation], "calls", alone.calls[operation])
    totals = [sum(each.calls[name] for name in OF_MEMBERS) / ACCOUNTS for each in (fleet, alone)]
    figure(f"{against}: calls a member in the hour", totals[0], "calls", totals[1])
    refused = [sum(each.refused[name] for name in (*OF_MEMBERS, CONFLICTS)) for each in (fleet, alone)]
    figure(f"{against}: calls of members that are throttled or in conflict", refused[0], "calls", refused[1])
    figure(f"{against}: invitations open at once, at most", fleet.most_open, "invitations", alone.most_open)
    figure(f"{told}: environments of the relay at once, against a new account's limit", fleet.most_relays, "runs", 10)


def cost(told: str, fleet: Fleet, alone: Fleet) -> None:
    items = members_usage(alone).usd
    without, relay = sum(items.values()), sum(relay_usage(fleet).usd.values())
    with_relay = sum(members_usage(fleet).usd.values()) + relay
    bench = f"{told}: cost of the hour, sweep alone, against the same hour without invitations"
    figure(bench, without, "USD", sum(quiet_usage(alone).usd.values()))
    figure(
        f"{told}: cost of the hour, sweep alone, custom metrics, against the whole",
        items["custom metric"],
        "USD",
        without,
    )
    figure(f"{told}: cost of the hour with the relay, against the sweep alone", with_relay, "USD", without)
    figure(f"{told}: cost of the relay, against the whole", relay, "USD", with_relay)


def limited(accounts: int, rate: float) -> None:
    """Accepts that an organization takes more slowly than its management account invites."""
    assumed = replace(LIKELY, per_organization=PER_ORGANIZATION | {"AcceptHandshake": (rate, 5)})
    alone = Fleet(accounts, assumed, relay=False).run()
    told = f"fleet of {accounts:,}, sweep alone, accepts limited to {rate:g} a second"
    last = max(each.accepted_at or 0.0 for each in alone.accounts)
    bench = f"{told}, against accounts over rate and one period: from the first invitation to the last accept"
    figure(bench, last, "s", accounts / rate + SWEEP)
    bench = f"{told}, against one period and the function's timeout: time to accept, maximum"
    figure(bench, alone.times[-1], "s", SWEEP + TIMEOUT)
    figure(f"{told}: lost accepts", alone.lost, "handshakes", accounts)


def hinted(accounts: int) -> None:
    """Whether an invitation whose hint comes waits for the next look of a process that is polite."""
    told = replace(LIKELY, lost_share=0.0, late_share=0.0)
    polite, others = Fleet(accounts, told, relay=True).step_back().run(), Fleet(accounts, told, relay=True).run()
    bench = f"fleet of {accounts:,}, with the relay, no hint late or lost, all polite, against none"
    for name, share in (("p50", 0.5), ("p99", 0.99), ("maximum", 1.0)):
        figure(
            f"{bench}: from the hint to its acceptance, {name}",
            at(polite.answers, share),
            "s",
            at(others.answers, share),
        )
        figure(f"{bench}: time to accept, {name}", at(polite.times, share), "s", at(others.times, share))


@dataclass(frozen=True)
class Stretch:
    """What is counted of a simulation that begins with new processes everywhere. Seconds."""

    since: float
    until: float

    def of(self, number: int, minutes: int, *, polite: bool, assumed: Assumed = LIKELY) -> tuple[Members, float]:
        """The members in it, and what they cost in USD an hour."""
        found = Members(number, minutes * 60, assumed, self.until, polite=polite, since=self.since).run()
        usage = Usage(found.runs, found.seconds, scheduled=found.sweeps)
        return found, sum(usage.usd.values()) / (self.until - self.since) * HOUR


FIRST = Stretch(0, HOUR)
LATER = Stretch(HOUR, 4 * HOUR)


def looked(told: str, there: Members, number: int) -> None:
    for name, share in (("average", sum(there.looked) / len(there.looked)), ("worst", min(there.looked))):
        figure(f"{told}: looked at within the last hour, {name}", share * number, "members", number)


def members(number: int, minutes: int, insisting: Stretch) -> None:
    """What sweeping costs once they have joined, and how often each is looked at."""
    told = f"{number:,} members of one organization, swept every {minutes} minutes"
    before, was = insisting.of(number, minutes, polite=False)
    now, usd = LATER.of(number, minutes, polite=True)
    for name, each in (("insisting", before), ("polite", now)):
        lists = each.calls["ListHandshakesForAccount"]
        figure(f"{told}, {name}: lists that are throttled", each.throttled.total(), "calls", lists)
        figure(f"{told}, {name}: sweeps that look and see nothing", each.blind_sweeps, "sweeps", each.sweeps)
    figure(f"{told}, polite: sweeps that skip the list", now.skipped, "sweeps", now.sweeps)
    figure(f"{told}, polite, against insisting: cost", usd, "USD/hour", was)
    looked(f"{told}, polite", now, number)
    bench = f"{told}, polite: runs that fail, for their process has not looked for two hours"
    figure(bench, now.blind_runs, "runs", now.runs)
    if insisting.until >= HOUR:
        for name, share in (("p50", 0.5), ("p99", 0.99), ("maximum", 1.0)):
            gaps = [at(sorted(each.gaps), share) for each in (now, before)]
            figure(f"{told}, polite, against insisting: time between looks, {name}", gaps[0], "s", gaps[1])
    if most := MOST.get(number):
        figure(f"{told}, polite, against its limit: cost", usd, "USD/hour", most)
        there, usd = FIRST.of(number, minutes, polite=True)
        figure(f"{told}, polite, all processes new at once, against its limit: cost", usd, "USD/hour", most)
        short = replace(LIKELY, process=2 * SWEEP)
        there, usd = Stretch(HOUR, 2 * HOUR).of(number, minutes, polite=True, assumed=short)
        told = f"{told}, polite, if processes lived for ten minutes"
        figure(f"{told}, against its limit: cost", usd, "USD/hour", most)
        looked(told, there, number)


def main() -> None:
    told = f"fleet of {ACCOUNTS:,}"
    fleet, alone = (Fleet(ACCOUNTS, LIKELY, relay=relay).run() for relay in (True, False))
    waits(told, fleet, alone)
    calls(told, fleet, alone)
    cost(told, fleet, alone)
    fleet, alone = (Fleet(FEWER, HARSH, relay=relay).run() for relay in (True, False))
    waits(f"fleet of {FEWER:,}, harsh assumptions", fleet, alone)
    limited(FEWER, rate=2.0)
    hinted(FEWER)
    members(500, minutes=5, insisting=LATER)
    members(1_500, minutes=5, insisting=LATER)
    members(2_500, minutes=5, insisting=FIRST)
    members(10_000, minutes=5, insisting=Stretch(0, 2 * SWEEP))


if __name__ == "__main__":
    main()
