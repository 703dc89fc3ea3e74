"""What became of an input: refused, warned about, right, or something that must not be."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HANG_S = 20.0
MOST_MB = 1024.0


class Hang(BaseException):
    """An input took longer than `HANG_S`."""


@contextmanager
def limited(seconds: float = HANG_S) -> Iterator[None]:
    """Raise `Hang` in what takes longer."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass
class Tally:
    """How many inputs ended how; ``bad`` are those that must not be, each in a line."""

    ends: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def add(self, end: str, told: str, seconds: float) -> None:
        """``end``: refused, warned, right, unseen: or TRACEBACK, HANG, SILENT with what it was."""
        kind = end.split(":")[0]
        self.ends[kind] += 1
        self.slowest = max(self.slowest, (seconds, told))
        if kind == "unseen":
            self.unseen[told.split(" [")[0]] += 1
        if kind.isupper():
            self.bad.append(f"{end} <- {told}")

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {kind}" for kind, n in self.ends.most_common())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return f"{counts}; slowest {self.slowest[0]:.2f} s ({self.slowest[1]}); {peak:.0f} MB"


def judged(tally: Tally, told: str, judge: Callable[[], str]) -> None:
    """Run ``judge`` under the limit; any error that it lets out is a traceback."""
    start = time.perf_counter()
    try:
        with limited():
            end = judge()
    except Hang:
        end = "HANG"
    except Exception as error:  # the product's own errors are the judge's to catch
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f"{os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno}" if at else ""
        end = f"TRACEBACK: {type(error).__name__} {str(error)[:90]!r} {where}"
    tally.add(end, told, time.perf_counter() - start)


def bend(
    run: Callable[[int], Tally],
    full: int,
    few: int,
    what: str,
    record_property: Callable[[str, object], None],
    name: str = "OTHERS",
) -> None:
    """Bend ``full`` inputs under `make long`, ``few`` in CI, or as often as the environment says
    (``TMTV_FUZZ_`` and ``name``); none may end as it must not."""
    long = os.environ.get("TMTV_LONG") == "1"
    count = int(os.environ.get(f"TMTV_FUZZ_{name}") or (full if long else few))
    tally = run(count)
    record_property("count", f"{count} of {full} {what}: {tally}")
    assert tally.bad == [], "\n".join(tally.bad)
