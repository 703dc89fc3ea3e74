"""A reader's click asked of an interactive model: its answer as a decision.

What the model says around the point is kept as a file of voxels that the journal's line names by
its hash; a replay reads that file and needs no model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.edit import WITHIN_MM, Point, nearest, piece
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.model.clicks import Clicks
from tmtv_engine.model.registry import CLICKED_ONES, Model, interactive, load
from tmtv_engine.review.added import packed
from tmtv_engine.review.ct import source_ct
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_engine.review.repairs import Answer, parameters
from tmtv_engine.review.session import Session

Mask = npt.NDArray[np.bool_]
Answering = Callable[[Clicks], Mask]


def ask(
    session: Session,
    model: Model,
    point_mm: Point,
    background: Sequence[Point] = (),
    within_mm: float = WITHIN_MM,
    into: int | None = None,
    answered: Answering | None = None,
) -> Decision:
    """What ``model`` finds around a point, as a lesion to add or more ``into`` an existing one.

    Taken are the voxels of a probability above 0.5 that 26-connect to the point's within
    ``within_mm``; ``background``: points that are no tumour; ``answered`` stands for the model
    where what it said is known. The answer stands in the session's ``replayer.tools.answers`` by
    the decision's ``text``, to be previewed and recorded. Raises `UsageError` for a model that
    takes no clicks or finds nothing there; `InputError` where it needs a CT and the study has
    none, `CaseError` where that cannot be read.
    """
    if model.ask is None:
        what = f"the model {model.record['name']} takes no clicks"
        raise UsageError(what, CLICKED_ONES.format(", ".join(interactive()) or "none"))
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
    tumour = (answered or partial(tumour_of, session, model))(clicks)
    answer = _piece(session, model, clicks, tumour)
    name, _ = packed(answer)
    session.replayer.tools.answers[name] = answer
    return replace(asking, text=name)


def tumour_of(
    session: Session, model: Model, clicks: Clicks, stop: Callable[[], bool] | None = None
) -> Mask:
    """Where on the PET's grid (z, y, x) the model says tumour, near the first click."""
    assert model.ask is not None
    pet = session.replayer.pet
    found = model.ask(pet.volume(), _ct(session, model), clicks, stop)
    return np.asarray(found.require(Unit.PROBABILITY) > np.float32(0.5))


def _piece(session: Session, model: Model, clicks: Clicks, tumour: Mask) -> Lesions:
    pet, point = session.replayer.pet, clicks.foreground[0]
    window = pet.window(point, clicks.within_mm)
    spans = zip(window.low, window.volume.array.shape, strict=True)
    z, y, x = (slice(int(low), int(low) + size) for low, size in spans)
    mask = tumour[z, y, x]
    if not mask[window.inside(nearest(window.grid, point))]:
        what = f"{model.record['name']} finds no tumour at that point"
        raise UsageError(what, "Take another point, or an SUV instead of the model.")
    return piece(window, mask, point, clicks.within_mm)


def _ct(session: Session, model: Model) -> Volume | None:
    """The CT on the PET's grid: the case's, or read anew where it keeps none."""
    case, grid = session.case, session.replayer.pet.grid
    if not model.takes_ct or case.record.ct is None:
        return None
    stored = case.ct()
    if stored is None:
        found = source_ct(case, lambda text: warnings.warn(f"the CT is read {text}", stacklevel=2))
        return Volume(found.array, grid, Unit.HU)
    if not (stored.grid.matches(grid) and stored.unit is Unit.HU):
        raise CaseError(f"{stored.path} is not on the lesions' grid", "It is another case's.")
    return Volume(stored.volume().array, grid, Unit.HU)


class Interactive:
    """An interactive model for a reader at the screen: one question at a time.

    It is loaded when it is first asked (``name``, as `registry.load` takes it), and remembers
    its last answer, so that a smaller reach costs nothing.
    """

    def __init__(self, name: str, load: Callable[[str], Model] = load) -> None:
        self.name = name
        self._load = load
        self._model: Model | None = None
        self._lock = Lock()
        self._last: tuple[tuple[object, ...], float, Mask] | None = None

    def __call__(
        self,
        session: Session,
        point_mm: Point,
        within_mm: float,
        into: int | None,
        stop: Callable[[], bool],
        background: Sequence[Point] = (),
    ) -> Decision:
        """As `ask`; `UsageError` too once ``stop()`` holds: nobody waits for it any more."""
        with self._lock:
            if stop():
                raise UsageError("the model was not asked", "Ask it again.")
            model = self._model = self._model or self._load(self.name)
            known = partial(self._known, session, model, stop)
            return ask(session, model, point_mm, background, within_mm, into, known)

    def _known(
        self, session: Session, model: Model, stop: Callable[[], bool], clicks: Clicks
    ) -> Mask:
        case = session.case
        points = (clicks.foreground, clicks.background)
        key = (case.path, case.record.provenance.prediction_sha256, *points)
        if self._last is None or self._last[0] != key or self._last[1] < clicks.within_mm:
            self._last = (key, clicks.within_mm, tumour_of(session, model, clicks, stop))
        return self._last[2]
