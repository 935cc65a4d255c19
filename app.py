"""The CDK app: settings in, the stack's template out."""

from __future__ import annotations

import os
import sys

from aws_cdk import App

from infra import package
from infra.acceptor_stack import AcceptorStack
from infra.settings import WrongSettings, load


def main() -> int:
    """Synthesizes the stack, or says in one line each what is wrong and gives 1."""
    app = App()
    try:
        # The CDK CLI sets both from the caller's credentials and profile; `cdk synth` needs neither.
        settings = load(app.node, os.environ.get("CDK_DEFAULT_REGION", "us-east-1"))
        asset = package.build()
    except WrongSettings as wrong:
        return _stop(wrong.problems)
    except package.BuildFailed as failed:
        return _stop((str(failed),))
    AcceptorStack(
        app, "HandshakeAcceptor", settings=settings, package=asset, account=os.environ.get("CDK_DEFAULT_ACCOUNT")
    )
    app.synth()
    return 0


def _stop(problems: tuple[str, ...]) -> int:
    for problem in problems:
        print(f"handshake-acceptor: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
