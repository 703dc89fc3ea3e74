"""Organs among a model's labels name lesions, wherever the network's axes and crop put them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.find import find_lesions
from tmtv_engine.model.nnunet_folder import Heads
from tmtv_engine.model.nnunet_logits import Zoom, answer
from tmtv_engine.model.nnunet_naming import flipped, names_of, naming_of, step_of
from tmtv_engine.model.nnunet_predictor import Prepared

HEADS = Heads(
    4, {1: "urinary_bladder", 2: "kidney_left", 3: "kidney_right", 5: "spleenoid"}, False, 6
)
GRID = Grid.axial((12, 15, 18), (4.0, 3.0, 3.0), (-20.0, 5.0, 100.0))


def test_labels_become_structures_known_here() -> None:
    assert names_of(HEADS) == {1: "bladder", 2: "kidney", 3: "kidney", 5: "spleen"}
    assert step_of(HEADS, (4.0, 2.0, 30.0)) == (2, 4, 1)
    assert step_of(Heads(1, {}, False, 2), (4.0, 2.0, 3.0)) is None
    assert step_of(Heads(2, {1: "gizmo"}, False, 3), (4.0, 2.0, 3.0)) is None


@pytest.mark.parametrize("forward", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flip", [False, True])
def test_a_lesion_is_named_by_what_lies_there(forward: tuple[int, int, int], flip: bool) -> None:
    image = np.zeros((6, *GRID.shape), np.float32)  # logits on the image's own voxels
    image[0] = 1.0
    image[1, 2:6, 3:8, 4:9] = 4.0
    image[3, 8:11, 9:13, 11:16] = 3.0
    image[2, 8:11, 9:13, 11:16] = 3.0
    suv = np.ones(GRID.shape, np.float32)
    for box in (
        (slice(3, 5), slice(4, 7), slice(5, 8)),
        (slice(9, 11), slice(10, 12), slice(12, 15)),
    ):
        suv[box] = 9.0
    volume = Volume(suv, GRID, Unit.SUV)
    lesions = find_lesions(volume.with_array(suv > 5, Unit.LABEL), volume)
    assert len(lesions) == 2

    seen = (
        image[:, :, ::-1, ::-1] if flip else image
    )  # as the model has it: turned, permuted, cropped
    logits = seen.transpose([0, *(k + 1 for k in forward)])[:, 1:, 1:, 1:]
    back = tuple(int(k) for k in np.argsort(forward))
    whole = tuple(GRID.shape[k] for k in forward)
    cropped = logits.shape[1:]
    boxes = tuple(slice(1, n) for n in whole)
    zoom = Zoom(cropped)
    mm = tuple(GRID.spacing_mm[k] for k in forward)
    prepared = Prepared(np.zeros(1), zoom, cropped, boxes, whole, back, mm)  # type: ignore[arg-type]
    found = answer(logits.astype(np.float16), zoom, cropped, HEADS, (2, 1, 2))
    naming = naming_of(found, prepared, HEADS, flipped(GRID) if flip else GRID)
    assert naming is not None
    assert naming.names == ("other", "bladder", "kidney", "spleen")
    assert naming.probabilities.sum(axis=0) == pytest.approx(1.0, abs=1e-5)
    named = naming.of(lesions)
    assert [s.name for s in named] == ["bladder", "kidney"]
    assert named[0].p == pytest.approx(
        (np.exp(4.0) + 3) / (np.exp(4.0) + np.exp(1.0) + 4), abs=0.02
    )
    assert named[1].physiologic
