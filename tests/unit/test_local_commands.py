"""Commands whose answer is read: what they say for people must never be taken for it."""

from __future__ import annotations

import os
import sys

import pytest

from local.aws import CommandFailed, run

TALKS = "import sys; print('/the/path'); print('a notice', file=sys.stderr, flush=True)"


def test_a_notice_is_no_part_of_a_commands_answer() -> None:
    assert run([sys.executable, "-c", TALKS], os.environ) == "/the/path\n"


def test_a_command_that_fails_is_quoted_with_its_notices() -> None:
    with pytest.raises(CommandFailed, match=r"(?s)/the/path.*a notice"):
        run([sys.executable, "-c", f"{TALKS}; sys.exit(1)"], os.environ)
