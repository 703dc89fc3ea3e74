"""Which bend of a study is chosen, and how often."""

from __future__ import annotations

from tests.fuzz import bends
from tests.fuzz.bends import Bend, Chance, Files
from tests.fuzz.sayings import said

BENDS: tuple[tuple[Bend, int], ...] = (
    (bends.header, 50),
    (said, 16),
    (bends.private, 4),
    (bends.drugs, 3),
    (bends.moved, 8),
    (bends.gone, 8),
    (bends.copied, 6),
    (bends.torn, 9),
    (bends.pixels, 6),
    (bends.strangers, 5),
    (bends.scans, 2),
)


def bent(files: Files, chance: Chance) -> list[str]:
    """Bend once, seldom twice or thrice; what was done."""
    kinds, weights = zip(*BENDS, strict=True)
    often = chance.choices((1, 2, 3), (7, 2, 1))[0]
    return [chance.choices(kinds, weights)[0](files, chance) for _ in range(often)]
