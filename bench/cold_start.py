"""How fast the function starts and runs, beside what one would write instead. Linux only; minutes.

Four functions, started as Lambda does it and in turns, so that a busy machine disturbs all alike:

- empty: a handler that does nothing, which is the floor;
- plain: `bench/starts/plain`, a boto3 handler of forty lines, packaged as pip installs boto3;
- plain, compiled: the same with bytecode, as when it leans on a boto3 that is installed already;
- ours: the asset that is deployed.

A start is a fresh interpreter with Lambda's runtime interface client, whose runtime API and AWS are on loopback. Its
folder must be as it was afterwards: no bytecode is written. The processor's time is that of the whole process, which
a busy machine disturbs less than the time on the clock. Every function starts once to find nothing and once to
accept an invitation. What Lambda adds is not in the figures: to fetch and unpack the asset, a slower processor (at 256
MB it has a seventh of one), TLS, and, but for one figure, the time that AWS takes to answer.

`STARTS` in the environment is how often each starts (30). The interpreter is the runtime's own version where there is
one, else the one that runs this; the bytecode is made by that one.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median, quantiles

from bench.shared.figure import figure
from bench.starts.served import asked, aws, world
from bench.starts.variants import BUILD, Variant, size, variants, zipped_size
from handshake_acceptor_cdk.asset import build, bytecode
from local.runtime.api import StartFailed, started
from local.runtime.client import runtime

STARTS = int(os.environ.get("STARTS", "30"))
WARM, FEW = 40, 10
"""Warm runs of one start. Few of those that take longer; a warm accept needs a new world, so there are half as many."""
DELAY = 0.02
"""Seconds that a call takes beyond loopback, in one figure: an assumption."""
SWEEP = {"source": "aws.scheduler"}

Samples = dict[str, dict[str, list[float]]]
"""By figure, then by variant."""


def main() -> None:
    python = bytecode.interpreter(build.PYTHON) or sys.executable
    print(f"cold start: {STARTS} starts each, Python {bytecode.release(python).split()[0]}", file=sys.stderr)
    compared = variants(python)
    client = runtime(BUILD, python)
    before = {name: build.digest(each.folder) for name, each in compared.items()}
    samples: Samples = defaultdict(lambda: defaultdict(list))
    with aws() as endpoint:
        for number in range(STARTS + 1):
            found: Samples = defaultdict(lambda: defaultdict(list))
            for variant in compared.values():
                idle(variant, python, client, endpoint, found)
                accepting(variant, python, client, endpoint, found)
            if number:  # the first round fills the disk cache
                for figure_, by_variant in found.items():
                    for name, values in by_variant.items():
                        samples[figure_][name] += values
    for name, each in compared.items():
        if build.digest(each.folder) != before[name]:
            raise SystemExit(f"cold start: {name}: its folder was written to")
    for figure_, by_variant in samples.items():
        unit = "MB" if "memory" in figure_ else "ms"
        report(figure_, unit, by_variant)
    for kind, measure in (("zipped", zipped_size), ("unpacked", size)):
        report(f"package, {kind}", "MB", {name: [measure(each.folder) / 1e6] for name, each in compared.items()})


def idle(variant: Variant, python: str, client: Path, endpoint: str, found: Samples) -> None:
    """A start that finds nothing to do."""
    world(endpoint, invited=False)
    with started(python, client, variant.folder, variant.handler, endpoint) as start:
        first, _ = start.run(SWEEP)
        cpu = start.cpu_seconds()
        calls = asked(endpoint)
        warm = [start.run(SWEEP)[0] for _ in range(WARM)]
        world(endpoint, delay=DELAY)
        slow = [start.run(SWEEP)[0] for _ in range(FEW)]
    if variant.name != "empty" and len(calls) != 2:
        raise StartFailed(f"{variant.name}: an idle run made {len(calls)} calls: {', '.join(calls)}")
    found["init"][variant.name].append(start.init_seconds * 1e3)
    found["init and first idle run"][variant.name].append((start.init_seconds + first) * 1e3)
    found["init and first idle run, processor"][variant.name].append(cpu * 1e3)
    found["warm idle run"][variant.name].append(median(warm) * 1e3)
    found[f"warm idle run, calls that take {DELAY * 1e3:.0f} ms"][variant.name].append(median(slow) * 1e3)


def accepting(variant: Variant, python: str, client: Path, endpoint: str, found: Samples) -> None:
    """A start that finds an invitation to accept."""
    with started(python, client, variant.folder, variant.handler, endpoint) as start:
        seconds, cpu = [], 0.0
        for _ in range(FEW // 2):
            world(endpoint, invited=True)
            seconds.append(start.run(SWEEP)[0])
            cpu = cpu or start.cpu_seconds()
            if variant.name != "empty" and asked(endpoint).count("AcceptHandshake") != 1:
                raise StartFailed(f"{variant.name}: it did not accept")
        peak = start.peak_bytes()
    found["init and first accepting run"][variant.name].append((start.init_seconds + seconds[0]) * 1e3)
    found["init and first accepting run, processor"][variant.name].append(cpu * 1e3)
    found["warm accepting run"][variant.name].append(median(seconds[1:]) * 1e3)
    found["peak memory"][variant.name].append(peak / 1e6)


def report(figure_: str, unit: str, by_variant: dict[str, list[float]]) -> None:
    """Ours against each of the others; and how far the single values lie from each other, on standard error."""
    for name, values in by_variant.items():
        low, high = (quantiles(values, n=4)[::2]) if len(values) > 1 else (values[0], values[0])
        print(f"cold start: {figure_}, {name}: {median(values):.2f} {unit} ({low:.2f} to {high:.2f})", file=sys.stderr)
    ours = median(by_variant["ours"])
    for name, values in by_variant.items():
        if name != "ours" and not (name == "empty" and "package" in figure_):
            figure(f"cold start: {figure_}, against {name}", ours, unit, median(values))


if __name__ == "__main__":
    main()
