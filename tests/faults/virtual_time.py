"""Virtual time in which several runs, and the two calls of one look, go on side by side.

A process is a function in a thread of its own. One thread runs at any moment, the one whose time has come, and those of
one instant go in the order in which they were scheduled: a seed gives the same result every time.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Any


class Ended(BaseException):
    """This process ends here. Nothing catches this, as nothing catches SIGKILL."""


class Process(Future[Any]):
    """A function that takes turns with others. Whoever asks for its result waits for it in virtual time."""

    def __init__(self, time: Time, function: Callable[[], Any] | None) -> None:
        super().__init__()
        self.ended = False
        """Set by somebody else: it raises `Ended` where it stands, as soon as its turn comes."""
        self.turn = _closed_lock()
        self.function = function
        self.started = False
        self.waiting: list[Process] = []
        self._time = time

    def result(self, timeout: float | None = None) -> Any:
        self._time.join(self)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._time.join(self)
        return super().exception(timeout)


class Time:
    """The time, and what is due. Made and closed by the thread that is its first process."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._due: list[tuple[datetime, int, Process | Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._main = self.current = Process(self, None)
        """Whose turn it is."""
        self._closed = False
        self._processes: list[Process] = []

    def at(self, seconds: float, function: Callable[[], object]) -> None:
        """Calls a function that does not wait, in so many seconds."""
        self._push(seconds, function)

    def start(self, function: Callable[[], Any]) -> Process:
        """A new process, that begins now."""
        process = Process(self, function)
        self._processes.append(process)
        self._push(0, process)
        return process

    def wait(self, seconds: float) -> None:
        """Lets the calling process wait. What is due meanwhile is done."""
        target = self.now + timedelta(seconds=seconds)
        if self._due and self._due[0][0] <= target:
            self._push(seconds, self.current)
            self._give_way()
        elif self.current.ended:
            raise Ended
        else:
            self.now = target

    def join(self, process: Process) -> None:
        """Lets the calling process wait until another is over."""
        if not process.done():
            process.waiting.append(self.current)
            self._give_way()

    def close(self) -> None:
        """Ends every other process where it stands, so that its thread is free again."""
        self._closed = True
        for process in self._processes:
            if process.started and not process.done():
                self.current = process
                process.turn.release()
                self._main.turn.acquire()
        self.current = self._main

    def _push(self, seconds: float, what: Process | Callable[[], object]) -> None:
        heapq.heappush(self._due, (self.now + timedelta(seconds=seconds), next(self._numbers), what))

    def _give_way(self) -> None:
        me = self.current
        if self._closed:
            raise Ended
        if self._next(me):
            me.turn.acquire()
        if self._closed or me.ended:
            raise Ended

    def _next(self, me: Process | None) -> bool:
        """Does what is due until it is somebody's turn; whether it is somebody else's than `me`."""
        while True:
            when, _, what = heapq.heappop(self._due)
            self.now = max(self.now, when)
            if not isinstance(what, Process):
                what()
                continue
            self.current = what
            if what is me:
                return False
            if what.started or what is self._main:
                what.turn.release()
            else:
                what.started = True
                worker = _IDLE.pop() if _IDLE else _Worker()
                worker.task = what
                worker.turn.release()
            return True

    def finish(self, process: Process) -> None:
        """A process is over: its thread gives way for good."""
        for waiting in process.waiting:
            self._push(0, waiting)
        if self._closed:
            self._main.turn.release()
        else:
            self._next(None)

    def work(self, process: Process) -> None:
        """Does what a process is to do."""
        assert process.function is not None
        if process.ended:
            process.set_exception(Ended())
            return
        try:
            process.set_result(process.function())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            process.set_exception(error)


class Beside(Executor):
    """Runs each task side by side with whoever submits it."""

    def __init__(self, start: Callable[[Callable[[], Any]], Process]) -> None:
        self._start = start

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Process:  # type: ignore[override]
        return self._start(lambda: function(*args, **kwargs))


def _closed_lock() -> threading.Lock:
    """A lock that waits for somebody to release it."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class _Worker(threading.Thread):
    """A thread that does one process after the other."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.task: Process | None = None
        self.turn = _closed_lock()
        self.start()

    def run(self) -> None:
        while True:
            self.turn.acquire()
            process = self.task
            assert process is not None
            time = process._time
            time.work(process)
            _IDLE.append(self)
            self.task = None
            time.finish(process)


_IDLE: list[_Worker] = []
os.register_at_fork(after_in_child=_IDLE.clear)  # a fork has none of its parent's threads
