"""A reader's click asked of an interactive model: its answer as a decision.

What the model says around the point is kept as a file of voxels that the journal's line names by
its hash; a replay reads that file and needs no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.edit import WITHIN_MM, Point, nearest, piece
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.model.clicks import Clicks
from tmtv_engine.model.registry import Model, interactive
from tmtv_engine.review.added import packed
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_engine.review.repairs import Answer, parameters
from tmtv_engine.review.session import Session


def ask(
    session: Session,
    model: Model,
    point_mm: Point,
    background: Sequence[Point] = (),
    within_mm: float = WITHIN_MM,
    into: int | None = None,
) -> Decision:
    """What ``model`` finds around a point, as a lesion to add or more ``into`` an existing one.

    Taken are the voxels of a probability above 0.5 that 26-connect to the point's within
    ``within_mm``; ``background``: points that are no tumour. The answer stands in the session's
    ``replayer.tools.answers`` by the decision's ``text``, to be previewed and recorded.
    Raises `UsageError` for a model that takes no clicks or finds nothing there; `InputError`
    where it needs a CT and the study has none.
    """
    if model.ask is None:
        others = ", ".join(interactive()) or "none"
        what = f"the model {model.record['name']} takes no clicks"
        raise UsageError(what, f"Models here that do: {others} (--model).")
    clicks = Clicks((point_mm,), tuple(background), float(within_mm))
    told = {
        "seed": list(point_mm),
        "reach": clicks.within_mm,
        "model": str(model.record["name"]),
        "sha256": str(model.record["sha256"]),
        **({"background": [list(p) for p in background]} if background else {}),
    }
    action = Action.ADD if into is None else Action.GROW
    asking = Decision(action, () if into is None else (into,), parameters=told)
    parameters(asking, Answer)  # before the network runs
    answer = _answer(session, model, clicks)
    name, _ = packed(answer)
    session.replayer.tools.answers[name] = answer
    return replace(asking, text=name)


def _answer(session: Session, model: Model, clicks: Clicks) -> Lesions:
    assert model.ask is not None
    pet, point = session.replayer.pet, clicks.foreground[0]
    window = pet.window(point, clicks.within_mm)
    found = model.ask(pet.volume(), _ct(session, model), clicks).require(Unit.PROBABILITY)
    spans = zip(window.low, window.volume.array.shape, strict=True)
    z, y, x = (slice(int(low), int(low) + size) for low, size in spans)
    mask = found[z, y, x] > np.float32(0.5)
    if not mask[window.inside(nearest(window.grid, point))]:
        what = f"{model.record['name']} finds no tumour at that point"
        raise UsageError(what, "Take another point, or add without --model by an SUV.")
    return piece(window, mask, point, clicks.within_mm)


def _ct(session: Session, model: Model) -> Volume | None:
    """The CT that the case keeps, on its PET's grid."""
    case, grid = session.case, session.replayer.pet.grid
    stored = case.ct() if model.takes_ct else None
    if stored is None:
        if model.takes_ct and case.record.ct is not None:
            what = f"{case.name}: its CT is not kept, and {model.record['name']} needs it"
            raise CaseError(what, "Predict without --no-image.")
        return None
    if not (stored.grid.matches(grid) and stored.unit is Unit.HU):
        raise CaseError(f"{stored.path} is not on the lesions' grid", "It is another case's.")
    return Volume(stored.volume().array, grid, Unit.HU)
