"""What `verify` says of one thing that it looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "changed", "missing", "unverified", "behind"]


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: ``changed`` and ``missing`` are failures."""

    what: str
    state: State
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is not as it was written."""
        return self.state in ("changed", "missing")


def equal(a: Any, b: Any) -> bool:
    """Equal, sums over many voxels up to what another machine's order of adding makes of them."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(equal(a.get(k), b.get(k)) for k in a.keys() | b.keys())  # null is as absent
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return bool(a == b)
