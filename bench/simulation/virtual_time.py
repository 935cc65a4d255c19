"""Virtual time in which many runs of unchanged, sequential code take place at once.

A process is a function in a thread of its own that may `sleep`. One thread runs at any moment, the one whose time has
come, and those of the same time in the order in which they were scheduled: the same result on every run.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable


class Loop:
    """What is due, and the time. All times are seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._idle: list[_Worker] = []
        self._current: _Worker | None = None
        self._back = _closed()
        self._error: BaseException | None = None

    def at(self, when: float, function: Callable[[], None]) -> None:
        """Calls a function that does not sleep."""
        heapq.heappush(self._due, (when, next(self._numbers), function))

    def process(self, when: float, function: Callable[[], None]) -> None:
        """Starts a function that may sleep."""

        def start() -> None:
            worker = self._idle.pop() if self._idle else _Worker(self)
            worker.task = function
            self._switch(worker)

        self.at(when, start)

    def sleep(self, seconds: float) -> None:
        """Lets the calling process wait while others go on."""
        when = self.now + seconds
        if not self._due or when < self._due[0][0]:
            self.now = when  # nothing else is due before
            return
        worker = self._current
        assert worker is not None
        self.at(when, lambda: self._switch(worker))
        self._back.release()
        worker.turn.acquire()

    def run(self) -> None:
        """Goes on until nothing is due. Raises what a process raises."""
        while self._due:
            self.now, _, function = heapq.heappop(self._due)
            function()
        for worker in self._idle:
            worker.task = None
            worker.turn.release()

    def _switch(self, worker: _Worker) -> None:
        self._current = worker
        worker.turn.release()
        self._back.acquire()
        if self._error is not None:
            raise self._error

    def _finished(self, worker: _Worker, error: BaseException | None) -> None:
        self._error = error
        self._idle.append(worker)
        self._back.release()


def _closed() -> threading.Lock:
    """A lock that waits for somebody to release it, as a semaphore of 0 does, and several times as fast."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class _Worker(threading.Thread):
    """A thread that runs one process after the other, when it is its turn."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(daemon=True)
        self.task: Callable[[], None] | None = None
        self.turn = _closed()
        self._loop = loop
        self.start()

    def run(self) -> None:
        while True:
            self.turn.acquire()
            if self.task is None:
                return
            error: BaseException | None = None
            try:
                self.task()
            except BaseException as raised:  # noqa: BLE001 - raised again by the loop
                error = raised
            self._loop._finished(self, error)
