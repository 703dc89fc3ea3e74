"""Studies as they become complete: whose files, and those beside them, have come to rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tmtv_engine.study.found import Stock, Study
from tmtv_engine.study.walk import walk

LOOK_S = 5.0


@dataclass
class Rest:
    """Since when each file below some paths has its size and time, on this machine's own clock."""

    paths: Sequence[Path]
    settle_s: float
    without: Sequence[Path] = ()
    seen: dict[Path, tuple[tuple[int, int], float]] = field(default_factory=dict)

    def look(self, now: float) -> tuple[frozenset[Path], frozenset[Path]]:
        """The files that have come to rest, and those that have not."""
        known, self.seen = self.seen, {}
        for path in walk(self.paths, self.without).files:
            try:
                stat = path.stat()
            except OSError:  # gone again
                continue
            stamp = (stat.st_size, stat.st_mtime_ns)
            before = known.get(path)
            self.seen[path] = before if before and before[0] == stamp else (stamp, now)
        still = {p for p, (_, since) in self.seen.items() if now - since >= self.settle_s}
        return frozenset(still), frozenset(self.seen.keys() - still)


def arrivals(
    paths: Sequence[Path],
    look: Callable[[], Stock],
    settle_s: float,
    *,
    without: Sequence[Path] = (),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Stock]:
    """Each study and failure once it is complete, with the leftovers of the moment; never ends.

    ``look`` takes stock, and only when more has come to rest than at the look before.
    """
    rest = Rest(paths, settle_s, without)
    told: set[Path] = set()
    before: frozenset[Path] = frozenset()
    while True:
        still, moving = rest.look(clock())
        if still != before:
            before = still
            new = _complete(look(), moving, told)
            if new.studies or new.failures:
                told |= {s.path for s in new.studies} | {f.path for f in new.failures}
                yield new
        sleep(min(LOOK_S, settle_s / 2))


def _complete(stock: Stock, moving: frozenset[Path], told: set[Path]) -> Stock:
    def resting(*places: Path) -> bool:
        return not any(
            p.is_relative_to(place) or place.is_relative_to(p) for p in moving for place in places
        )

    studies = tuple(s for s in stock.studies if s.path not in told and resting(*_homes(s)))
    failures = tuple(f for f in stock.failures if f.path not in told and resting(f.path))
    return replace(stock, studies=studies, failures=failures)


def _homes(study: Study) -> tuple[Path, ...]:
    """Where files of the study may still come in: its zips, its folder, or its one file's."""
    if not study.archives:
        return (study.home or study.pet[0].parent,)
    files = [*study.pet, *study.ct]
    loose = [p for p in files if not any(p.is_relative_to(a) for a in study.archives)]
    return (*study.archives, *{p.parent for p in loose})
