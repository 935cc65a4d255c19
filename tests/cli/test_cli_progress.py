"""How far the work on many accounts is: shown on a terminal, and nowhere else."""

import sys
from io import StringIO

import pytest

from handshakectl.account.standing import Standing
from handshakectl.account.status import Row
from handshakectl.fleet.parallel import map_parallel
from handshakectl.fleet.watching import Clock, watch


class Terminal(StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, stream, items, doing="reading"):
    """What is written to the standard error stream while accounts are worked on."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    assert map_parallel(items, lambda item: item * 2, lambda item, why: why, 2, doing=doing) == [
        item * 2 for item in items
    ]
    return stream.getvalue()


@pytest.mark.parametrize("doing", ["reading", "writing"])
def test_a_terminal_shows_what_is_under_way_and_how_far_it_is_and_then_nothing_of_it(monkeypatch, doing):
    text = shown(monkeypatch, Terminal(), [1, 2, 3], doing)
    assert f"{doing} 3 accounts" in text
    assert "100%" in text
    assert text.endswith("\x1b[2K")  # the line is erased in the end


def test_while_it_waits_a_terminal_shows_how_many_are_where(monkeypatch):
    stream, rounds = Terminal(), iter([["joined", "waiting", "stuck"], ["joined"]])
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", stream)

    def look(targets):
        return [Row(str(number), None, Standing(verdict)) for number, verdict in enumerate(next(rounds))]

    watch([1, 2, 3], look, 30, Clock(lambda: 0.0, lambda seconds: None))
    assert "1 joined, 1 waiting, 1 stuck" in stream.getvalue()
    assert "67%" in stream.getvalue()


@pytest.mark.parametrize(("stream", "items"), [(StringIO, [1, 2, 3]), (Terminal, [1]), (Terminal, [])])
def test_off_a_terminal_or_for_one_account_nothing_is_printed(monkeypatch, capfd, stream, items):
    assert shown(monkeypatch, stream(), items) == ""
    assert capfd.readouterr() == ("", "")
