"""A wider network that begins as a narrower one: the same answers, with room to learn more.

What is new feeds nothing that was there (those weights begin at zero), and is drawn at random, so
that it learns from the first step on. `Fine` and `Density`, where the narrower one lacks them,
begin as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tmtv_engine.errors import InputError
from tmtv_engine.model.bodynet import FOLD
from tmtv_engine.model.plans import BodyPlan

ADDED = ("fine.", "density.")
JOINED = "tumour.weight"  # its inputs are the network's channels and then the folded image


def grown(
    fresh: Mapping[str, Tensor], narrow: Mapping[str, Tensor], plan: BodyPlan
) -> dict[str, Tensor]:
    """``narrow``'s weights amid those of the untrained network ``fresh`` of ``plan``.

    Raises `InputError` where ``narrow`` has other layers, or more channels in one.
    """
    added = {k for k in fresh.keys() - narrow.keys() if k.startswith(ADDED)}
    old = fresh.keys() - added
    if old != narrow.keys() or any(_exceeds(narrow[k], fresh[k]) for k in old):
        raise another_network()
    seen = FOLD**3 * plan.inputs
    return {
        key: new if key in added else _placed(new, narrow[key], seen * (key == JOINED))
        for key, new in fresh.items()
    }


def another_network() -> InputError:
    """What is said of weights that are no network's of the recipe."""
    what = "the weights to begin with are of another network"
    return InputError(what, "Give a model of the same recipe, or one that is narrower.")


def _exceeds(one: Tensor, two: Tensor) -> bool:
    return one.dim() != two.dim() or any(a > b for a, b in zip(one.shape, two.shape, strict=True))


def _placed(fresh: Tensor, old: Tensor, last: int) -> Tensor:
    """``old`` in the first channels of ``fresh``, its ``last`` inputs in the last ones."""
    new = fresh.clone()
    if old.dim() == 1:
        new[: len(old)] = old
        return new
    rows, columns = old.shape[:2]
    new[:rows] = 0.0
    new[:rows, : columns - last] = old[:, : columns - last]
    if last:
        new[:rows, -last:] = old[:, -last:]
    return new
