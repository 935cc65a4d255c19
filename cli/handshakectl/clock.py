"""Time for the Lambda's classes, which handshakectl uses to read as the function reads."""

import time

from handshake_core.retry import MARGIN, Clock, real_clock


def clock(seconds: float = 0.0) -> Clock:
    """Real time for the Lambda's classes, which may try again for so many seconds."""
    end = time.monotonic() + seconds + (MARGIN if seconds else 0.0)
    return real_clock(lambda: end - time.monotonic())
