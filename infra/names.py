"""Names that people and other programs rely on. Inside the stack, refer to the resource instead."""

from __future__ import annotations

from typing import Final

NAME: Final = "handshake-acceptor"
"""The physical name of the function, its role, the bus, the schedule group, and the stem of every other."""

HINT_SOURCE: Final = "handshake-acceptor.relay"
HINT_DETAIL_TYPE: Final = "Handshake Hint"
"""Source and detail type of the event that says "look for this handshake"."""

RECORD_SOURCE: Final = "aws.organizations"
RECORD_DETAIL_TYPE: Final = "AWS API Call via CloudTrail"
"""Source and detail type under which EventBridge delivers CloudTrail's records of Organizations."""
