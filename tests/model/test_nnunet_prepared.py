"""Where an image's voxels lie among the network's: permuted axes, a crop, another spacing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tmtv_engine.model.nnunet_logits import Zoom
from tmtv_engine.model.nnunet_predictor import EDGE, Prepared

SIZE = st.tuples(*[st.integers(3, 12)] * 3)


@given(
    whole=SIZE,
    back=st.permutations((0, 1, 2)),
    scale=st.integers(1, 3),
    cuts=st.lists(st.floats(0, 1), min_size=12, max_size=12),
)
def test_what_is_asked_for_lies_in_what_is_looked_at(
    whole: tuple[int, int, int], back: list[int], scale: int, cuts: list[float]
) -> None:
    ends = np.sort(np.array(cuts).reshape(2, 3, 2), axis=-1)
    box = [
        (int(a * (n - 1)), int(b * (n - 1)) + 1) for (a, b), n in zip(ends[0], whole, strict=True)
    ]
    crop = tuple(slice(a, b) for a, b in box)
    cropped = tuple(b - a for a, b in box)
    z, y, x = (n * scale for n in cropped)
    made = Prepared(
        np.zeros((1, z, y, x)), Zoom((1, 1, 1)), cropped, crop, whole,  # type: ignore[arg-type]
        (back[0], back[1], back[2]), (1.0, 1.0, 1.0),
    )  # fmt: skip
    places = np.arange(1, np.prod(cropped) + 1).reshape(cropped)
    image = made.placed(places)
    spans = [
        (int(a * (n - 1)), int(b * (n - 1)) + 1)
        for (a, b), n in zip(ends[1], image.shape, strict=True)
    ]
    low, high = np.array(spans).T
    first, last = made.seen(low, high)
    assert (first >= 0).all()
    assert (first < last).all()
    assert (last <= [z, y, x]).all()
    asked = image[tuple(slice(a, b) for a, b in spans)]
    asked = asked[asked > 0] - 1
    if len(asked):
        own = np.stack(np.unravel_index(asked, cropped), axis=-1) * scale
        assert (own >= first).all()
        assert (own + scale <= last).all()
        tight = own.max(axis=0) - own.min(axis=0) + scale
        assert (last - first <= tight + 2 * EDGE).all()
