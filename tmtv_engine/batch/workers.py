"""Cases in threads that their caller can leave at any moment."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

NAME = "tmtv-case"
GRACE_S = 0.5
T = TypeVar("T")
R = TypeVar("R")


class Stopped(BaseException):
    """Whoever waits for the case has gone; no error, and caught by nobody who catches errors."""


@dataclass(frozen=True)
class Until:
    """``say`` as long as nobody has said ``stop``; then a case ends where its next stage begins."""

    stop: threading.Event
    say: Callable[[int, int, str], None]

    def __call__(self, done: int, stages: int, text: str) -> None:
        """A stage begins."""
        if self.stop.is_set():
            raise Stopped
        self.say(done, stages, text)


def in_threads(
    work: Callable[[T], R], todo: Sequence[T], jobs: int, stop: threading.Event
) -> Iterator[R]:
    """What ``work`` makes of each of ``todo``, as it comes, ``jobs`` at once.

    The caller's thread only waits, so that Ctrl-C is heard at once whatever the work does. When
    the iterator is left early, ``stop`` is set, and what still runs after half of one is left to
    itself (`still_at_work` tells).
    """
    left, found = deque(todo), SimpleQueue[tuple[bool, R | BaseException]]()
    threads = [
        threading.Thread(target=_take, args=(work, left, found, stop), name=NAME, daemon=True)
        for _ in range(min(jobs, len(todo)))
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(len(todo)):
            good, value = found.get()
            if not good:
                raise value  # type: ignore[misc]
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        until = time.monotonic() + GRACE_S
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def still_at_work() -> bool:
    """Whether a case that nobody waits for is still in work."""
    return any(t.name == NAME for t in threading.enumerate())


def _take(
    work: Callable[[T], R],
    left: deque[T],
    found: SimpleQueue[tuple[bool, R | BaseException]],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            one = left.popleft()
        except IndexError:
            return
        try:
            found.put((True, work(one)))
        except Stopped:
            return
        except BaseException as error:  # raised where it is waited for
            found.put((False, error))
