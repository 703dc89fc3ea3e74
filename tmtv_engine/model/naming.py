"""What each place in a scan is: the network's second answer, and the name of a lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import LESION, PHYSIOLOGIC, Structure

Float = npt.NDArray[np.float32]
TISSUE = {"vessel", "liver", "muscle"}
"""Where lesions lie: what is named so is told from tumour by the other answer.

Not marrow and spleen: both light up whole after treatment, and what glows in them is given up to
tumour as an organ that is hot by nature gives it up.
"""


def agreed(chance: Float, probabilities: Float, names: Sequence[str], given: Float) -> Float:
    """One answer of two: structures (S, z, y, x) beside the probability of tumour (z, y, x).

    Tissue is shared by ``chance``: tumour's part goes to the first structure, "other", and tissue
    keeps what is not tumour's. Organs that are hot by nature give up the share ``given``.
    """
    joint = np.empty(probabilities.shape, np.float32)
    for part, name, out in zip(probabilities, names, joint, strict=True):
        lost = given if name in PHYSIOLOGIC and name not in TISSUE else chance
        np.multiply(part, 1.0 - lost, out=out)
    joint[0] += 1 - joint.sum(axis=0)
    return joint


@dataclass(frozen=True, eq=False)
class Naming:
    """The probabilities (S, z, y, x) of the structures ``names`` on ``grid``, one in sum.

    ``claimed`` (z, y, x) is where the network itself says tumour; None: it is not known.
    """

    probabilities: Float
    names: tuple[str, ...]
    grid: Grid
    claimed: npt.NDArray[np.bool_] | None = None

    def physiologic(self) -> Float:
        """The probability (z, y, x) that a place takes up FDG by nature."""
        rows = [k for k, name in enumerate(self.names) if name in PHYSIOLOGIC]
        return np.asarray(self.probabilities[rows].sum(axis=0), np.float32)

    def of(self, lesions: Lesions) -> tuple[Structure, ...]:
        """What each lesion most likely is, by the mean over the voxels of it that are claimed.

        Over all of them where none is: a lesion that was redrawn from the uptake reaches into
        tissue whose name says nothing about what made it. Where physiologic structures have one
        half or more together, it is the likeliest of them and ``p`` is what they have together;
        else it is a lesion, with the rest.
        """
        if not len(lesions):
            return ()
        place = lesions.grid.to_mm(lesions.index())
        top = np.array(self.grid.shape) - 1
        z, y, x = np.clip(np.rint(self.grid.to_index(place)).astype(int), 0, top).T
        asked = np.ones(len(z)) if self.claimed is None else self.claimed[z, y, x] * 1.0
        none = lesions.total(asked) == 0
        asked[none[lesions.owner]] = 1.0
        told = self.probabilities[:, z, y, x] * asked
        means = lesions.total(told) / lesions.total(asked)
        return tuple(self._named(mean) for mean in means.T)

    def _named(self, mean: npt.NDArray[np.floating]) -> Structure:
        known = np.array([name in PHYSIOLOGIC for name in self.names])
        p = round(min(1.0, float(mean[known].sum())), 6)  # one half is one half in float32, too
        if p < 0.5:
            return Structure(LESION, round(1.0 - p, 6), "network")
        return Structure(self.names[int(np.where(known, mean, -1.0).argmax())], p, "network")
