"""The whole line on one screen: a study in, a case folder out."""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from tmtv_engine import __version__
from tmtv_engine.case.cuts import Cuts, body_surface
from tmtv_engine.case.folder import CT, IMAGE, Case, write_case
from tmtv_engine.case.picture import write_picture
from tmtv_engine.case.record import (
    SCHEMA,
    CaseRecord,
    CtInfo,
    ModelInfo,
    Patient,
    PetInfo,
    Provenance,
    Review,
    ReviewState,
    StudyInfo,
    typed,
)
from tmtv_engine.case.results import lesion_rows, standing
from tmtv_engine.case.tables import lesions_csv
from tmtv_engine.files import utc_now, write_text
from tmtv_engine.image.projections import project
from tmtv_engine.image.sphere import sphere_suv
from tmtv_engine.image.volume import Volume
from tmtv_engine.lesion.methods import DEFAULT_METHODS, Method, parse_method
from tmtv_engine.lesion.named import named_by
from tmtv_engine.lesion.origin import Origin, Status, first_status
from tmtv_engine.lesion.regions import regions
from tmtv_engine.lesion.slices import slices_of
from tmtv_engine.lesion.thresholds import background_suv
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.model.reference import reference_suv
from tmtv_engine.study.inputs import inputs_sha256, stamps
from tmtv_engine.study.organmaps import OrganMap, organs_record, read_organ_map
from tmtv_engine.suv.overrides import Overrides

if TYPE_CHECKING:
    from tmtv_engine.study.find import Study
    from tmtv_engine.study.load import Loaded

PACKAGES = ("numpy", "scipy", "scikit-image", "connected-components-3d", "pydicom", "torch")
STAGES = 5
LIVER_RADIUS_MM = 15.0


def _in_silence(done: int, stages: int, text: str) -> None:
    """Say nothing; by name, so that a `CaseConfig` pickles."""


@dataclass(frozen=True)
class CaseConfig:
    """How cases are made: where, by which methods, with what said on the way.

    ``say(done, stages, text)`` is called as each stage begins; ``liver_mm`` is the middle of
    the liver sphere, (x, y, z) LPS mm. ``image``: keep PET and CT in the case folder, so that a
    reader sees every slice without the DICOM.
    """

    out: Path
    methods: tuple[Method, ...] = tuple(parse_method(key) for key in DEFAULT_METHODS)
    overrides: Overrides | None = None
    liver_mm: tuple[float, float, float] | None = None
    say: Callable[[int, int, str], None] = _in_silence
    image: bool = True


def run_case(study: Study, finder: Finder, config: CaseConfig) -> Case:
    """Read, find, cut, measure and write one study; returns its case.

    Raises `TmtvError` with the file and the way out; then nothing of the case is left.
    """
    from tmtv_engine.study.archive import unpacked
    from tmtv_engine.study.load import load_study

    seconds: dict[str, float] = {}
    with unpacked(study) as real:  # the files of a zip are there until they are hashed
        with _stage(seconds, "read", 0, config):
            loaded = load_study(real, config.overrides or Overrides())
        return run_loaded(study.case, loaded, finder, config, seconds, study)


def run_loaded(
    name: str,
    loaded: Loaded,
    finder: Finder,
    config: CaseConfig,
    seconds: dict[str, float] | None = None,
    study: Study | None = None,
) -> Case:
    """The line after reading: find, cut, measure and write as the case ``name``.

    The label map of organs that ``study`` has names what is found.
    """
    from tmtv_engine.image.nifti import write_nifti

    seconds = {} if seconds is None else seconds
    with ThreadPoolExecutor(1) as beside:
        hashed = beside.submit(inputs_sha256, loaded.input_files)
        with _stage(seconds, finder.stage, 1, config):
            found = finder.on(loaded.source).find(loaded.suv, loaded.ct_for(finder.ct_must_fit))
            kept = {} if study is None else organs_record(study)
            organs = _organs(loaded, study, config)
            found = found if organs is None else _by_organs(found, organs)
        projected = beside.submit(project, loaded.suv)  # not earlier: a network needs the memory
        with _stage(seconds, "measure", 2, config):
            cuts = _cuts(found, loaded, config)
            quality = _with_references(loaded, found, organs)
            record = replace(_record(name, loaded, finder, found, cuts), quality=quality)
            asked = {**finder.limits, "liver_mm": config.liver_mm, **kept}
        with _stage(seconds, "project", 3, config):
            mip, slices = projected.result(), slices_of(loaded.suv, found.lesions)
        with _stage(seconds, "hash", 4, config):
            inputs = hashed.result() or None
    told = replace(record.provenance, inputs_sha256=inputs, seconds=seconds, made_with=asked)
    record = replace(record, provenance=told)
    paths = [os.path.abspath(p) for p in loaded.input_files]
    source = {"inputs": paths, **loaded.source}
    source["stamps"] = stamps([Path(p) for p in source["inputs"]])
    return write_case(
        config.out,
        record=record,
        lesions=found.lesions,
        mip=mip,
        slices=slices,
        source=source,
        extras={
            **(_images(loaded) if config.image else {}),
            "lesions.csv": lambda path: write_text(path, lesions_csv(record)),
            "mip.png": lambda path: write_picture(path, mip, found.lesions, record),
            "lesions.nii.gz": lambda path: write_nifti(found.lesions.labels(), path),
        },
    )


def _organs(loaded: Loaded, study: Study | None, config: CaseConfig) -> OrganMap | None:
    """The study's label map of organs, where one was given."""
    if study is None or study.organs is None:
        return None
    told = study.told(config.overrides or Overrides())
    return read_organ_map(study.organs, loaded.suv, told.accepted)


def _by_organs(found: Found, organs: OrganMap) -> Found:
    """What was found, named by a label map of organs.

    Where the map tells nothing of a lesion, the name that the network gave it stays.
    """
    names = named_by(organs, found.lesions)
    origins = tuple(
        dataclasses.replace(o, structure=name or o.structure)
        for o, name in zip(found.origins, names, strict=True)
    )
    notices = (*found.notices, *organs.notices)
    return dataclasses.replace(found, origins=origins, notices=notices)


def _with_references(
    loaded: Loaded, found: Found, organs: OrganMap | None
) -> Mapping[str, Any] | UnsetType:
    """The study's quality with what is known of liver and blood pool once structures are."""
    if "quality" not in loaded.info:
        return UNSET
    known = reference_suv(loaded.suv, found.lesions.voxels, organs, found.naming)
    return {**loaded.info["quality"], **known}


def _images(loaded: Loaded) -> dict[str, Callable[[Path], None]]:
    """The files of a case that hold its PET and, on the PET's grid, its CT."""
    from tmtv_engine.image.resample import resample
    from tmtv_engine.image.store import AIR_HU, save_image

    suv, ct = loaded.suv, loaded.ct
    files: dict[str, Callable[[Path], None]] = {
        IMAGE: lambda path: save_image(path, suv, loaded.rescale)
    }
    if ct is not None:
        there = ct
        files[CT] = lambda path: save_image(path, resample(there, suv.grid, outside=AIR_HU))
    return files


def liver_threshold(suv: Volume, centre_mm: tuple[float, float, float]) -> float:
    """1.5 × mean + 2 × SD of the 3 cm sphere at ``centre_mm`` (PERCIST-like), in SUV.

    Raises `InputError` where the sphere does not lie inside the image.
    """
    values = sphere_suv(suv, centre_mm, LIVER_RADIUS_MM, "--liver-sphere")
    return float(1.5 * values.mean() + 2 * values.std())


def _cuts(found: Found, loaded: Loaded, config: CaseConfig) -> Cuts:
    liver = liver_threshold(loaded.suv, config.liver_mm) if config.liver_mm else None
    around = background_suv(found.lesions, loaded.suv)
    patient = typed(loaded.info["patient"], Patient, "patient")
    return Cuts(found.lesions, config.methods, around, liver, body_surface(patient))


def _record(case: str, loaded: Loaded, finder: Finder, found: Found, cuts: Cuts) -> CaseRecord:
    model = ModelInfo(**finder.record)
    first = [(first_status(o.source, model.name, o.structure), None) for o in found.origins]
    places = regions(loaded.suv, found.lesions)
    placed = [_placed(o, place) for o, place in zip(found.origins, places, strict=True)]
    rows = lesion_rows(cuts, placed, first)
    sums = cuts.totals([k for k, row in enumerate(rows) if row.status == Status.ACCEPTED])
    missed = () if finder.takes_ct else ("no-ct",)
    told = (*(n for n in loaded.notices if n.code not in missed), *found.notices)
    return CaseRecord(
        schema=SCHEMA,
        case=case,
        created=utc_now(),
        **_known(loaded.info),
        model=model,
        lesions=rows,
        totals=sums,
        predicted_totals=sums,
        review=Review(status=ReviewState.TODO, readers=(), head=None),
        warnings=standing(told, model, rows, signed=False),
        provenance=Provenance(
            tmtv=__version__,
            python=platform.python_version(),
            packages=_versions(),
            device=finder.device,
            methods=tuple(m.key for m in cuts.methods),
            liver_threshold_suv=cuts.liver,
            inputs_sha256=None,
            seconds={},
        ),
    )


def _placed(origin: Origin, region: str | None) -> Origin:
    """``origin`` with the region that the body's outline tells, where nobody told a better one."""
    return origin if origin.region else dataclasses.replace(origin, region=region)


def _known(info: Mapping[str, Any]) -> dict[str, Any]:
    """What reading told of patient, study and images, as `case.json` holds it."""
    ct = info["ct"]
    return {
        **info,
        "patient": typed(info["patient"], Patient, "patient"),
        "study": typed(info["study"], StudyInfo, "study"),
        "pet": typed(info["pet"], PetInfo, "pet"),
        "ct": None if ct is None else typed(ct, CtInfo, "ct"),
    }


def _versions() -> dict[str, str]:
    return {name: version for name in PACKAGES if (version := _version(name))}


@cache  # reading a package's metadata takes milliseconds
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def _stage(seconds: dict[str, float], name: str, done: int, config: CaseConfig) -> Iterator[None]:
    config.say(done, STAGES, name)
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start
