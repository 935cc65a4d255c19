"""What a run costs in an account with 10,000 finished handshakes, which come in 1,000 pages.

The claim to check: at most 1.15 of a bare loop over the same pages with the same client. Both in turns, by the clock
and by the processor; another process answers the pages, from memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import botocore.session

from bench.shared.figure import figure
from bench.starts.served import asked, aws, world
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Reconcile
from handshake_acceptor.state import StateReader
from handshake_acceptor.trigger import Trigger
from handshake_core.retry import real_clock
from local.runtime.api import OWN

PAGES = 1_000
ROUNDS = 5


def main() -> None:
    with aws() as endpoint:
        world(endpoint, finished_pages=PAGES)
        session = botocore.session.get_session()
        session.set_credentials(OWN, "test")
        organizations, ssm = (
            session.create_client(name, region_name="us-east-1", endpoint_url=endpoint)
            for name in ("organizations", "ssm")
        )

        reader = ThreadPoolExecutor(max_workers=1)

        def bare() -> int:
            listed, arguments = 0, dict[str, str]()
            while True:
                page = organizations.list_handshakes_for_account(**arguments)
                listed += len(page["Handshakes"])
                if not page.get("NextToken"):
                    return listed
                arguments = {"NextToken": page["NextToken"]}

        def run() -> int:
            clock = real_clock(lambda: 240.0)
            ours = Organizations(organizations, clock)
            looker = StateReader(ours, PolicyStore(ssm, clock, "/handshake-acceptor/"), reader, clock, OWN, "aws")
            report = Reconcile(ours, looker, clock, print).run(Trigger.from_event({"source": "aws.scheduler"}))
            return 0 if report.records or report.failures else report.listed

        before = len(asked(endpoint))
        if (run(), bare()) != (PAGES * 10, PAGES * 10):
            raise SystemExit("sweep: a page was passed over")
        if len(asked(endpoint)) - before != 2 * PAGES + 1:
            raise SystemExit("sweep: the run makes more calls than one a page and one for the policy")
        pairs = [(measured(run), measured(bare)) for _ in range(ROUNDS)]
    for index, kind in enumerate(("clock", "processor")):
        ours_, loop = (median(pair[which][index] for pair in pairs) for which in (0, 1))
        figure(f"sweep: 10,000 finished handshakes in 1,000 pages, against a bare loop, {kind}", ours_, "s", loop)


def measured(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - clock, time.process_time() - processor


if __name__ == "__main__":
    main()
