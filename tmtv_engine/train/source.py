"""Where lessons come from: a cohort that lies on disk, or digital patients drawn on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch

from tmtv_engine.errors import UsageError
from tmtv_engine.image.resample import BODY_SUV, SCATTER_ML
from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.model.plans import BodyPlan
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.cohort import stream
from tmtv_engine.phantom.person import TRAINING_SEEDS
from tmtv_engine.phantom.sample import Sample
from tmtv_engine.train.lesson import Cohort, Lesson, Patient, lessons_of

DIGITAL = "digital patients drawn in the organ shapes of real people; no real PET"
DENSITY = "density."
"""The part of a `BodyNet` that only a CT teaches: every patient has one then."""
DRAWN = "digital patients drawn in drawn bodies; no real PET"


class Source(Protocol):
    """The patients of a training, epoch by epoch."""

    @property
    def data_sha256(self) -> str:
        """The fingerprint of the patients, or of the maps that they are drawn in."""

    def lessons(self, epoch: int) -> list[Lesson]:
        """An epoch's lessons, in order; the same for the same epoch."""

    def held_out(self) -> Sequence[Lesson]:
        """The patients by which the best weights are told."""

    def told(self, epoch: int) -> Mapping[str, Any]:
        """What `model.json` says of the patients seen before ``epoch``."""


@dataclass(frozen=True, eq=False)
class CohortSource:
    """Patients of a cohort, prepared on disk."""

    cohort: Cohort
    recipe: Recipe
    data_sha256: str = ""

    def lessons(self, epoch: int) -> list[Lesson]:
        """Each patient of the part ``train``."""
        return lessons_of(self.cohort["train"], self.recipe, epoch)

    def held_out(self) -> Sequence[Lesson]:
        """The part ``val``."""
        return [Lesson(path, k, 0) for k, path in enumerate(self.cohort["val"])]

    def told(self, epoch: int) -> Mapping[str, Any]:
        """The cohort's fingerprint."""
        digest = self.data_sha256
        return {"trained_on": f"cohort {digest[:12]}", "data_sha256": digest}


class DigitalSource:
    """Digital patients, ``patients`` new ones an epoch, drawn by other processes meanwhile.

    Their seeds count from ``first_seed`` on: a run that begins with another's weights takes up
    where that one's end, to see new patients.
    With ``anatomies`` they are drawn in those maps that are for training, else in drawn bodies.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        anatomies: Anatomies | None = None,
        patients: int = 32,
        workers: int = 1,
        first_seed: int = TRAINING_SEEDS,
    ) -> None:
        if first_seed < TRAINING_SEEDS:
            raise UsageError(
                f"seeds below {TRAINING_SEEDS} are for tests, {first_seed} cannot be trained on"
            )
        self.recipe, self.anatomies, self.first_seed = recipe, anatomies, first_seed
        self.patients, self.workers = patients, workers
        self.data_sha256 = anatomies.fingerprint if anatomies else "drawn bodies"
        self._stream: Iterator[Sample] = iter(())
        self._ahead: tuple[int, Future[list[Patient]]] | None = None
        self._thread = ThreadPoolExecutor(1)  # takes over what the processes drew, epoch by epoch

    def lessons(self, epoch: int) -> list[Lesson]:
        """The patients of an epoch's own seeds; those of the next are drawn meanwhile."""
        if self._ahead is None or self._ahead[0] != epoch:
            self._stream = stream(
                self.first_seed + epoch * self.patients,
                workers=self.workers,
                spacing_mm=self.recipe.spacing_mm,
                anatomies=self.anatomies,
                varied=True,
                with_ct=1.0 if self.recipe.learns == DENSITY else 0.5,
            )
            self._ahead = (epoch, self._thread.submit(self._draw))
        drawn = self._ahead[1].result()
        self._ahead = (epoch + 1, self._thread.submit(self._draw))
        return lessons_of(drawn, self.recipe, epoch)

    def _draw(self) -> list[Patient]:
        some = islice(self._stream, self.patients)
        return [patient_of(sample, self.recipe) for sample in some]

    def close(self) -> None:
        """End the drawing; what is drawn ahead is left."""
        self._thread.shutdown(cancel_futures=True)
        self._stream = iter(())

    def held_out(self) -> Sequence[Lesson]:
        """None: the last weights count, and what they are worth is measured apart."""
        return ()

    def told(self, epoch: int) -> Mapping[str, Any]:
        """Seeds, the maps' fingerprint and the structures' names, in the order of the output."""
        seeds = [self.first_seed, self.first_seed + epoch * self.patients - 1]
        record: dict[str, Any] = {
            "trained_on": DIGITAL if self.anatomies else DRAWN,
            "seeds": seeds,
            "patients_an_epoch": self.patients,
            "anatomies_sha256": self.anatomies.fingerprint if self.anatomies else None,
        }
        if isinstance(self.recipe.architecture, BodyPlan):
            record["structures"] = [row.name for row in STRUCTURES]
        return record


def patient_of(sample: Sample, recipe: Recipe) -> Patient:
    """A drawn patient for ``recipe``: framed as `model_grid` frames a scan, where that lays it."""
    if not isinstance(recipe.architecture, BodyPlan):
        sample = filled(framed(sample, recipe), 2**recipe.architecture.levels)
    hu = None if sample.ct is None else torch.from_numpy(sample.ct).half()
    suv, prob = (torch.from_numpy(a).half() for a in (sample.suv, sample.prob))
    drawn = Patient(suv, hu, prob, torch.from_numpy(sample.structures))
    return drawn.aimed() if recipe.windows else drawn


def framed(sample: Sample, recipe: Recipe) -> Sample:
    """``sample`` without most of the air before and behind the body, as `model_grid` frames a PET.

    Rows (y) are kept in multiples of what the network halves, at least the recipe's.
    """
    rows = (sample.suv > BODY_SUV).sum(axis=(0, 2)) * (recipe.spacing_mm**3 / 1000.0)
    filled = np.flatnonzero(rows > SCATTER_ML)
    if not len(filled):
        return sample
    step = 2**recipe.architecture.levels
    reach = int(filled[-1] - filled[0] + 1)
    size = min(max(recipe.shape[1], -(-reach // step) * step), len(rows))
    first = int(np.clip((filled[0] + filled[-1] + 1 - size) // 2, 0, len(rows) - size))
    kept = (slice(None), slice(first, first + size))
    return sample.each(lambda a, _: np.ascontiguousarray(a[kept]))


def filled(sample: Sample, step: int) -> Sample:
    """``sample`` with air below and aside until its extents are multiples of ``step``."""
    missing = [-n % step for n in sample.suv.shape]
    pad = ((missing[0], 0), (0, missing[1]), (0, missing[2]))
    return sample.each(lambda a, empty: np.pad(a, pad, constant_values=empty))
