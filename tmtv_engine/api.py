"""The engine from Python: read, find, cut, measure, look up, compare.

Everything is a value: a `Loaded` study, `Lesions` (numbered lists of voxels on the PET's grid),
a `Measurement`. Nothing is written; `tmtv predict` and `pipeline.run_case` make case folders.
The examples run where this PET lies, of 0.024 mL voxels: SUV 10 in a box of 210 voxels on a
background of 1 (`docs/python.md` makes it).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tmtv_engine.case.folder import Case
from tmtv_engine.case.folder import read_case as _read_case
from tmtv_engine.errors import AmbiguousInput, UsageError

if TYPE_CHECKING:
    from tmtv_engine.image.volume import Volume
    from tmtv_engine.lesion.lists import Lesions
    from tmtv_engine.study.load import Loaded

CUTOFF_ML = 220.0


@dataclass(frozen=True)
class Measurement:
    """One patient under one method, as `case.json` has it; None where it cannot be known.

    ``tmtv_ml`` and ``tlg_g`` (g, SUVbw × mL) count what the method keeps, ``lesions`` those of
    which it keeps a voxel. ``suv_max``, ``suv_peak`` and ``dmax_mm`` (largest distance between
    centroids) are of those lesions uncut. ``threshold_suv`` and ``volume_ml``: by lesion number.
    """

    method: str
    tmtv_ml: float
    tlg_g: float
    lesions: int
    suv_max: float | None
    suv_peak: float | None
    dmax_mm: float | None
    threshold_suv: Mapping[int, float | None]
    volume_ml: Mapping[int, float]


def read_study(path: Path | str, *, pet_series: str | None = None, **overrides: Any) -> Loaded:
    """The one study at ``path``: a DICOM folder, or a NIfTI PET in SUV with or without a CT.

    ``.suv`` and ``.ct`` are `Volume` (z, y, x), ``.info`` what the header says, ``.notices`` what
    to beware of. ``overrides`` replace the header's: ``weight_kg``, ``height_m``, ``dose_bq``,
    ``injection_time``; ``accepted`` is a set of codes, as of `--accept`. Raises `InputError`
    naming file and tag; `AmbiguousInput` where several studies lie there.

    >>> study = read_study("pet.nii.gz")
    >>> study.suv.grid.shape, study.suv.grid.spacing_mm
    ((20, 24, 28), (4.0, 3.0, 2.0))
    >>> [notice.code for notice in study.notices]
    ['no-ct', 'coverage']
    """
    from tmtv_engine.study.find import Failure, find_studies
    from tmtv_engine.study.load import load_study
    from tmtv_engine.suv.overrides import Overrides

    found = find_studies(Path(path), pet_series=pet_series)
    if len(found) != 1:
        raise AmbiguousInput(f"{path} holds {len(found)} PET studies", "Name one: pet_series=UID.")
    (study,) = found
    if isinstance(study, Failure):
        raise study.error
    return load_study(study, Overrides(**overrides))


def read_rois(
    path: Path | str, suv: Volume, rois: Literal["auto", "labels", "components"] = "auto"
) -> Lesions:
    """The ROIs of a NIfTI, DICOM SEG or RTSTRUCT as lesions on the PET's grid.

    ``labels``: each ROI one lesion; ``components``: what touches is one, over 30 mL parted;
    ``auto``: labels, but components of a binary mask. Raises `InputError`; what docs/warnings.md
    lists comes as a Python warning.

    >>> study = read_study("pet.nii.gz")
    >>> lesions = read_rois("rois.nii.gz", study.suv)
    >>> [int(n) for n in lesions.ids], [int(n) for n in lesions.counts]
    ([1], [210])
    """
    from tmtv_engine.lesion.drawn import drawn_lesions

    lesions, told = drawn_lesions(Path(path), suv, rois)
    for one in told:
        warnings.warn(f"{one.code}: {one.message}", stacklevel=2)
    return lesions


def predict(
    study: Loaded,
    model: str | None = None,
    *,
    device: str = "auto",
    rule: Literal["paper", "vote"] = "paper",
) -> Lesions:
    """The lesions that a model finds and would count before any review, uncut.

    ``model`` as ``tmtv predict --model`` takes it: ``vnet`` (default), ``hotspot``, a run folder,
    ``nnunet:DIR``. What it lists as candidates only is left out. Raises `UsageError` for a model
    that is none, `DeviceError` where there is no such device.

    >>> study = read_study("pet.nii.gz")
    >>> lesions = predict(study, "hotspot")
    >>> float(lesions.suv.max())
    10.0
    """
    from tmtv_engine.lesion.origin import Status, first_status
    from tmtv_engine.model.finders import finder_of
    from tmtv_engine.model.registry import load

    finder = finder_of(load(model, device), rule=rule)
    found = finder.find(study.suv, study.ct_for(finder.ct_must_fit))
    name = str(finder.record["name"])
    status = [first_status(o.source, name, o.structure) for o in found.origins]
    return found.lesions.take([k for k, s in enumerate(status) if s is Status.ACCEPTED])


def cut(
    suv: Volume,
    lesions: Lesions,
    method: str,
    *,
    liver_mm: tuple[float, float, float] | None = None,
) -> Lesions:
    """What ``method`` keeps of each lesion, numbers unchanged; those cut away wholly are gone.

    Methods: ``41`` (percent of SUVmax), ``2.5`` (SUV above), ``otsu``, ``prob``, ``raw``, ``mv2``,
    ``mv3``, ``a50p``, and ``liver`` with the middle of a liver sphere, LPS mm (x, y, z). Raises
    `UsageError` for what is none.

    >>> study = read_study("pet.nii.gz")
    >>> lesions = read_rois("rois.nii.gz", study.suv)
    >>> len(cut(study.suv, lesions, "4.0")), len(cut(study.suv, lesions, "9.9"))
    (1, 1)
    >>> cut(study.suv, lesions, "41%")
    Traceback (most recent call last):
    tmtv_engine.errors.UsageError: no method is called '41%'
    For a percentage of SUVmax write 41.
    """
    _, keep = _kept(suv, lesions, method, liver_mm)
    return lesions.without(lesions.voxels[~keep])


def measure(
    suv: Volume,
    lesions: Lesions,
    method: str = "raw",
    *,
    liver_mm: tuple[float, float, float] | None = None,
) -> Measurement:
    """TMTV, TLG and the rest of uncut ``lesions`` under ``method``, the numbers of `case.json`.

    Raises `UsageError` for a method that is none.

    >>> study = read_study("pet.nii.gz")
    >>> found = measure(study.suv, read_rois("rois.nii.gz", study.suv), "41")
    >>> round(found.tmtv_ml, 3), round(found.tlg_g, 2), found.lesions, found.threshold_suv
    (5.04, 50.4, 1, {1: 4.1})
    """
    from tmtv_engine.lesion.measures import measure as measured
    from tmtv_engine.lesion.measures import total

    at, keep = _kept(suv, lesions, method, liver_mm)
    sums = total(lesions, keep, range(len(lesions)))
    volumes = measured(lesions, keep).volume_ml
    ids = [int(i) for i in lesions.ids]
    return Measurement(
        method,
        sums.tmtv_ml,
        sums.tlg_g,
        sums.lesions,
        sums.suv_max,
        sums.suv_peak,
        sums.dmax_mm,
        {i: None if t != t else float(t) for i, t in zip(ids, at, strict=True)},
        {i: float(v) for i, v in zip(ids, volumes, strict=True)},
    )


def read_case(path: Path | str) -> Case:
    """A case folder that ``tmtv predict`` made: ``.record`` is its `case.json`, typed.

    ``.voxels()`` are its lesions and candidates as `Lesions`. Raises `CaseError` where it is none.

    >>> read_case("nowhere")
    Traceback (most recent call last):
    tmtv_engine.errors.CaseError: nowhere is no case folder
    It should hold a case.json.
    """
    return _read_case(path)


def agree(
    reference_ml: Iterable[float],
    predicted_ml: Iterable[float],
    *,
    cutoffs_ml: Sequence[float] = (CUTOFF_ML,),
) -> Mapping[str, Any]:
    """How two measurements of the same patients agree, in the keys of ``tmtv.report/1``.

    Bland-Altman, CCC, ICC(2,1), Spearman, Wilcoxon, kappa at ``cutoffs_ml`` …, each with its
    interval; the difference is predicted minus reference, mL. Raises `UsageError` where the
    columns are not of one length, or hold what is no volume.

    >>> found = agree([100.0, 200.0, 400.0], [110.0, 190.0, 430.0])
    >>> found["n"], round(found["bland_altman"]["bias_ml"], 3), found["kappa"]["220"]["value"]
    (3, 10.0, 1.0)
    """
    from tmtv_engine.report.cohort import Pair, compare

    first, second = [float(v) for v in reference_ml], [float(v) for v in predicted_ml]
    if len(first) != len(second) or not first:
        raise UsageError(f"{len(first)} and {len(second)} volumes make no pairs")
    if any(not 0 <= v < float("inf") for v in (*first, *second)):
        raise UsageError("a volume is a number of mL, not below 0")
    pairs = [Pair(str(k), "", a, b) for k, (a, b) in enumerate(zip(first, second, strict=True))]
    return compare(pairs, cutoffs_ml)


def _kept(
    suv: Volume, lesions: Lesions, method: str, liver_mm: tuple[float, float, float] | None
) -> tuple[Any, Any]:
    """Thresholds of the lesions (n,) and what the method keeps of their voxels (N,)."""
    from tmtv_engine.lesion.methods import parse_method
    from tmtv_engine.lesion.thresholds import background_suv, kept, thresholds
    from tmtv_engine.pipeline import liver_threshold

    if not lesions.grid.matches(suv.grid):
        raise UsageError("the lesions are not on this PET's grid", "Read them on it: read_rois.")
    chosen = parse_method(method)
    around = background_suv(lesions, suv) if chosen.needs_background else None
    liver = liver_threshold(suv, liver_mm) if liver_mm else None
    return (
        thresholds(lesions, chosen, around, liver),
        kept(lesions, chosen, around, liver),
    )
