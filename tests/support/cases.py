"""A real case folder from a small synthetic volume, through the pipeline, for any test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.case.tables import update_summary
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.origin import Origin, Source, Structure
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.notices import notice
from tmtv_engine.pipeline import CaseConfig, run_loaded
from tmtv_engine.study.load import Loaded

SHAPE = (21, 33, 39)
SPACING_MM = (4.0, 3.0, 2.0)
ORIGIN_MM = (-40.0, -60.0, 100.0)
KEPT: dict[str, TemporaryDirectory[str]] = {}  # gone with the process
SPOTS = (  # centre (z, y, x), radii in voxels, SUV at the centre, accepted at first
    ((5, 9, 9), (3, 4, 5), 9.0, True),
    ((13, 20, 25), (3, 4, 6), 6.0, True),
    ((17, 8, 30), (2, 3, 4), 14.0, False),
)


def make_volume() -> tuple[Volume, Volume]:
    """SUV (background 1, three ellipsoids falling off from their middle) and their labels 1–3."""
    index = np.indices(SHAPE).astype(np.float64)
    suv = np.ones(SHAPE, np.float32)
    suv[:1], suv[:, :2], suv[:, :, :2] = 0, 0, 0
    labels = np.zeros(SHAPE, np.uint16)
    for number, (centre, radii, peak, _) in enumerate(SPOTS, start=1):
        far = sum(((index[k] - centre[k]) / radii[k]) ** 2 for k in range(3))
        inside = far <= 1.0
        suv[inside] = (peak - (peak - 2.6) * far)[inside]
        labels[inside] = number
    grid = Grid.axial(SHAPE, SPACING_MM, ORIGIN_MM, "1.2.826.0.1.3680043.2.1")
    return Volume(suv, grid, Unit.SUV), Volume(labels, grid, Unit.LABEL)


def make_lesions() -> Lesions:
    """The three spots as lesions 1, 2 (accepted) and 3 (a candidate)."""
    suv, labels = make_volume()
    return from_labels(labels, suv)


def make_case(
    tmp_path: Path,
    name: str = "case-1",
    *,
    methods: tuple[str, ...] = ("41", "2.5", "4.0"),
    hotspots: bool = False,
    info: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    known: Sequence[tuple[Structure | None, str | None]] = (),
) -> Case:
    """Write ``tmp_path/name`` as a network (or, with ``hotspots``, the hot spots) would.

    Two accepted lesions and one candidate; patient of 70 kg and 1.75 m. ``info`` and ``source``
    replace keys of `case.json` and `source.json` (a DICOM header for export, say). ``known``:
    structure and region of the lesions, by number.
    """
    suv, labels = make_volume()
    config = CaseConfig(tmp_path, tuple(parse_method(key) for key in methods))
    finder = _finder(labels, hotspots)
    finder = _named(finder, known) if known else finder
    case = run_loaded(name, make_loaded(suv, info, source), finder, config)
    update_summary(tmp_path, case.record)
    return case


def copied_case(tmp_path: Path, name: str = "case-1", **how: Any) -> Case:
    """What `make_case` writes, made once a process and copied: where writing is not the point."""
    if (tmp_path / name).exists():
        return make_case(tmp_path, name, **how)
    asked = f"{name} {sorted(how.items())}"
    if asked not in KEPT:
        KEPT[asked] = TemporaryDirectory()
        make_case(Path(KEPT[asked].name), name, **how)
    shutil.copytree(Path(KEPT[asked].name) / name, tmp_path / name)
    case = read_case(tmp_path / name)
    update_summary(tmp_path, case.record)
    return case


def make_loaded(
    suv: Volume, info: dict[str, Any] | None = None, source: dict[str, Any] | None = None
) -> Loaded:
    """What `load_study` would return for ``suv``."""
    z, y, x = suv.grid.shape
    record = {
        "patient": {"id": "P1", "sex": "F", "weight_kg": 70.0, "height_m": 1.75, "age_years": 50.0},
        "study": {"uid": "1.2.3", "date": "2020-01-02"},
        "pet": {
            "series_uid": "1.2.3.4",
            "shape": [z, y, x],
            "spacing_mm": list(suv.grid.spacing_mm),
            "voxel_ml": suv.grid.voxel_ml,
            "units": "SUV",
            "suv_factor": 1.0,
            "suv_rule": "the file is in SUV",
            "manufacturer": None,
        },
        "ct": None,
        "overrides": {},
        **(info or {}),
    }
    told = {"schema": "tmtv.source/1", "kind": "nifti", "pet": {"folder": None}, "ct": None}
    return Loaded(
        suv=suv,
        ct=None,
        info=record,
        notices=(notice("no-ct"),),
        source={**told, **(source or {})},
        input_files=(),
    )


def _finder(labels: Volume, hotspots: bool) -> Finder:
    def find(suv: Volume, ct: Volume | None) -> Found:
        lesions = from_labels(labels, suv)
        model = lesions.take([0, 1]).joined(lesions.take([2]))
        rows = [Origin(Source.MODEL, 0.9 - 0.1 * k) for k in range(2)]
        rows.append(Origin(Source.HOTSPOT, floor_suv=2.5))
        if hotspots:
            rows = [Origin(Source.HOTSPOT, floor_suv=2.5) for _ in range(3)]
        return Found(model, tuple(rows))

    record = {"name": "hotspot"} if hotspots else {"name": "vnet", "sha256": "0" * 64}
    return Finder(find, record if hotspots else {**record, "trained_on": "digital patients"})


def _named(finder: Finder, known: Sequence[tuple[Structure | None, str | None]]) -> Finder:
    def find(suv: Volume, ct: Volume | None) -> Found:
        found = finder.find(suv, ct)
        told = zip(found.origins, known, strict=True)
        rows = (replace(o, structure=name, region=region) for o, (name, region) in told)
        return replace(found, origins=tuple(rows))

    return replace(finder, find=find)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` by its relative path."""
    files = (Path(root) / name for root, _, names in os.walk(folder) for name in names)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def tmtv_ml(labels: list[int], method: str) -> float:
    """TMTV straight from the volume, by none of the engine's code."""
    suv, label = make_volume()
    voxels = 0
    for number in labels:
        own = suv.array[label.array == number]
        cut = float(method) if "." in method else own.max() * np.float64(int(method) / 100)
        voxels += int((own > cut).sum())
    return voxels * float(np.prod(SPACING_MM)) / 1000
