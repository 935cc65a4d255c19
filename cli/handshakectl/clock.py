"""Time for the Lambda's classes, which handshakectl uses to read as the function reads."""

import time

from handshake_core.retry import MARGIN, Clock, real_clock


def clock(seconds: float = 0.0) -> Clock:
    """Real time for the Lambda's classes, which may try again for so many seconds. No deadline cuts a first try off."""
    end = time.monotonic() + seconds
    return real_clock(lambda: MARGIN + max(end - time.monotonic(), 0.0))
