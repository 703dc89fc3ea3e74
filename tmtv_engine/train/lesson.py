"""One step's images: patients as they are shown, whole or in part, moved or not.

Everything random is drawn from (seed, epoch, patient, showing), so that a run that was killed and
resumed is the run that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from scipy import ndimage
from torch import Tensor

from tmtv_engine.image.resample import BODY_SUV, Shape
from tmtv_engine.model.body import body_mask
from tmtv_engine.model.channels import HU_TOP, channels_of, takes_ct
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.train.augment import motion, moved
from tmtv_engine.train.loss import lesion_shares

DISEASED = 0.5  # the share of windows that are laid round tumour, where there is any
LIMB = 0.8  # the same of pieces
Cohort = dict[str, list[Path]]  # the prepared files of train, val and test
Change = Callable[[Tensor, float], Tensor]


class Aim(NamedTuple):
    """Where windows of a patient may lie: the body's box, first and past the last voxel (z, y, x),
    and the voxels, (n, 3) indices, of all tumour and of each lesion. Many windows share it."""

    low: list[int]
    high: list[int]
    tumour: Tensor
    lesions: tuple[Tensor, ...]


class Patient(NamedTuple):
    """SUV, HU (none: air), TMTVprob and structures (none: unknown), each (z, y, x).

    Half precision and bytes will do to keep them: `ready` makes numbers of them to count with.
    ``aim`` is found anew where it is none.
    """

    suv: Tensor
    hu: Tensor | None
    prob: Tensor
    structures: Tensor | None = None
    aim: Aim | None = None

    def aimed(self) -> Patient:
        """The same with its ``aim``."""
        return self._replace(aim=_aim_of(self.ready()))

    def changed(self, change: Change) -> Patient:
        """Each array changed; ``change`` is told what lies outside it."""
        hu = None if self.hu is None else change(self.hu, -HU_TOP)
        names = None if self.structures is None else change(self.structures, 0.0)
        return Patient(change(self.suv, 0.0), hu, change(self.prob, 0.0), names)

    def ready(self) -> Patient:
        """The same in float32."""
        return self.changed(lambda array, _: array.float())._replace(aim=self.aim)


class Batch(NamedTuple):
    """Image (B, C, z, y, x), TMTVprob (B, 1, z, y, x) and, where known, structures (B, z, y, x).

    ``shares``: what each voxel weighs in `lesion_loss`, where the recipe has one.
    """

    image: Tensor
    prob: Tensor
    structures: Tensor | None = None
    shares: Tensor | None = None

    def on(self, device: torch.device) -> Batch:
        """The same on ``device``."""
        image, prob, *known = (None if t is None else t.to(device) for t in self)
        assert image is not None
        assert prob is not None
        return Batch(image, prob, *known)


@dataclass(frozen=True)
class Lesson:
    """A patient, or the file that holds one, as an epoch shows it; ``extra``: moved a little."""

    patient: Path | Patient = field(compare=False)
    number: int
    epoch: int
    extra: bool = False
    showing: int = 0

    def chance(self, recipe: Recipe) -> np.random.Generator:
        """This lesson's own source of chance."""
        key = [recipe.seed, self.epoch, self.number, int(self.extra)]
        return np.random.default_rng([*key, self.showing] if self.showing else key)


def lessons_of(patients: Sequence[Path | Patient], recipe: Recipe, epoch: int) -> list[Lesson]:
    """An epoch's lessons in order: each patient so often as the recipe shows it, and moved."""
    kinds = (False, True) if recipe.extra_copy else (False,)
    every = [
        Lesson(patient, k, epoch, extra, showing)
        for k, patient in enumerate(patients)
        for extra in kinds
        for showing in range(recipe.shows)
    ]
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(every))
    return [every[k] for k in order]


def steps_of(lessons: Sequence[Lesson], recipe: Recipe) -> list[Sequence[Lesson]]:
    """Lessons in groups of a step; what does not fill one is left out, unless there is no other."""
    n = recipe.batch
    whole = len(lessons) // n * n or len(lessons)
    return [lessons[k : k + n] for k in range(0, whole, n)]


def batch_of(lessons: Sequence[Lesson], recipe: Recipe, *, plain: bool = False) -> Batch:
    """What a step sees of its lessons; ``plain``: whole bodies as they are, for validation."""
    window = None
    if recipe.windows and not plain:
        first = lessons[0]
        r = np.random.default_rng([recipe.seed, first.epoch, first.number, first.showing, 2])
        window = recipe.windows[int(r.integers(len(recipe.windows)))]
    shown = [_shown(lesson, recipe, window, plain) for lesson in lessons]
    images, probs, names = zip(*shown, strict=True)
    image, prob = torch.stack(images), torch.stack(probs)
    known = [n for n in names if n is not None]
    return Batch(
        image.contiguous(memory_format=torch.channels_last_3d),
        prob,
        torch.stack(known) if len(known) == len(names) else None,
        torch.from_numpy(lesion_shares(prob.numpy())) if recipe.lesions and not plain else None,
    )


def _shown(
    lesson: Lesson, recipe: Recipe, window: Shape | None, plain: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Channels (C, z, y, x), TMTVprob (1, z, y, x) and structures (z, y, x) of one lesson."""
    patient = lesson.patient if isinstance(lesson.patient, Patient) else load(lesson.patient)
    patient = patient.ready()
    r = lesson.chance(recipe)
    gain = 1.0 if plain else float(np.exp(r.uniform(-1, 1) * np.log(recipe.gain)))
    if recipe.pieces and not plain and r.random() < recipe.pieces:
        patient = piece(patient, r)
    if window is not None:
        patient = part(patient, window, r, alike=recipe.lesions > 0)
    hu = patient.hu
    if hu is None and takes_ct(recipe):  # a step's images have the same channels
        hu = torch.full_like(patient.suv, -HU_TOP)
    image = channels_of(patient.suv * gain, hu, recipe)
    image = torch.cat([image, patient.prob[None]])
    if lesson.extra:
        shape = (image.shape[1], image.shape[2], image.shape[3])
        image = moved(image, motion(r, shape, recipe.spacing_mm))
    return image[:-1], image[-1:], None if lesson.extra else patient.structures


def load(path: Path) -> Patient:
    """A prepared patient: ``suv``, ``hu`` and ``prob`` of a file, perhaps ``structures``."""
    arrays = load_file(path)
    return Patient(arrays["suv"], arrays.get("hu"), arrays["prob"], arrays.get("structures"))


def part(patient: Patient, shape: Shape, r: np.random.Generator, *, alike: bool = False) -> Patient:
    """A window of ``shape`` in the body or, where the body is smaller, round it.

    Half of the windows of a diseased patient hold a voxel of tumour, each as likely or, ``alike``,
    each lesion; where in the window it lies is chance.
    """
    low, high, tumour, lesions = patient.aim or _aim_of(patient)
    focus = None
    if r.random() < DISEASED:
        where = lesions[int(r.integers(len(lesions)))] if alike and lesions else tumour
        focus = _one_of(where, r)
    first = []
    for axis, size in enumerate(shape):
        slack = int(high[axis] - low[axis]) - size
        a, b = (
            (int(low[axis]), int(low[axis]) + slack)
            if slack > 0
            else (int(high[axis]) - size, int(low[axis]))
        )
        if focus is not None and slack > 0:
            a, b = max(a, focus[axis] - size + 1), min(b, focus[axis])
        first.append(int(r.integers(a, max(a, b) + 1)))
    return patient.changed(lambda array, empty: _cut(array, first, shape, empty))


def _aim_of(patient: Patient) -> Aim:
    low, high = [0, 0, 0], list(patient.suv.shape)
    where = torch.nonzero(body_mask(patient.suv[None, None])[0, 0])
    if len(where):
        low, high = where.amin(0).tolist(), (where.amax(0) + 1).tolist()
    labels, count = ndimage.label(patient.prob.numpy() >= 0.5, np.ones((3, 3, 3)))
    tumour = torch.nonzero(patient.prob > 0)
    of = torch.from_numpy(labels)[tuple(tumour.T)]
    return Aim(low, high, tumour, tuple(tumour[of == k] for k in range(1, count + 1)))


def _one_of(where: Tensor, r: np.random.Generator) -> list[int] | None:
    return where[int(r.integers(len(where)))].tolist() if len(where) else None


def _cut(array: Tensor, first: Sequence[int], shape: Shape, empty: float) -> Tensor:
    """The box of ``array`` from ``first`` on, ``empty`` where it reaches beyond."""
    low = [max(0, a) for a in first]
    high = [min(n, a + b) for n, a, b in zip(array.shape, first, shape, strict=True)]
    out = torch.full(shape, empty)
    if all(b > a for a, b in zip(low, high, strict=True)):
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        there = tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first, strict=True))
        out[there] = array[box]
    return out


def piece(patient: Patient, r: np.random.Generator) -> Patient:
    """A piece of ``patient``, most often round disease, on its own grid; the rest is nothing.

    It lies where `model_grid` lays a small image: at the head end, amid rows and columns.
    """
    chosen = patient.prob if r.random() < LIMB and patient.prob.any() else patient.suv > BODY_SUV
    at = _one_of(torch.nonzero(chosen > 0), r)
    if at is None:
        return patient
    reach = (r.integers(15, 70), *((64, 64) if r.random() < 0.4 else r.integers(16, 34, 2)))
    first = [int(c - r.integers(n // 4, 3 * n // 4 + 1)) for c, n in zip(at, reach, strict=True)]
    return patient.changed(lambda array, empty: _laid(array, first, reach, empty))


def _laid(array: Tensor, first: Sequence[int], reach: Sequence[int], empty: float) -> Tensor:
    """The box of ``array`` from ``first`` on, moved to the last slices and the middle of y, x."""
    low = [max(0, a) for a in first]
    high = [min(n, a + int(b)) for n, a, b in zip(array.shape, first, reach, strict=True)]
    box = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    out = torch.full_like(array, empty)
    (nz, ny, nx), (z, y, x) = array.shape, box.shape
    y0, x0 = (ny - y) // 2, (nx - x) // 2
    out[nz - z :, y0 : y0 + y, x0 : x0 + x] = box
    return out
