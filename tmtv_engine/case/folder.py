"""The case folder: written aside and renamed, so that it is complete or absent.

``OUT/<case>/`` holds `case.json` (schema ``tmtv.case/1``, published as `case.schema.json`) and
beside it `lesions.nii.gz`, `lesions.csv`, `mip.png`, `voxels.npz`, `slices.npz`, `mip.npz`,
`source.json`, `image.b2nd` and where there is a CT `ct.b2nd`; later `review/` and `export/`.
Nothing here needs the DICOM once it is written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tmtv_engine.case.binding import binding_sha256
from tmtv_engine.case.record import CaseRecord, decode, encode
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.files import (
    PRIVATE,
    Record,
    canonical,
    dump_json,
    kept,
    load_json,
    locked,
    new_folder,
    own_folder,
    part_folder,
    sha256_of,
    sweep,
)
from tmtv_engine.image.arrays import load_arrays
from tmtv_engine.image.projections import Mip
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.slices import Slices
from tmtv_engine.notices import REVIEWED

if TYPE_CHECKING:
    from tmtv_engine.image.store import StoredImage

LOCK = "review/.case.lock"
IMAGE, CT = "image.b2nd", "ct.b2nd"
Writer = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """A case folder and its `case.json`; the arrays beside it are read when asked for.

    ``raw`` is the file's own object, with what a later version may have added to it.
    """

    path: Path
    record: CaseRecord
    raw: Record

    @property
    def name(self) -> str:
        """The case's name, which is its folder's."""
        return self.record.case

    def voxels(self) -> Lesions:
        """All lesions and candidates of the prediction, in the order of ``record.lesions``."""
        return Lesions.load(self.path / "voxels.npz")

    def mip(self) -> Mip:
        """The projections for the terminal."""
        return Mip.of(load_arrays(self.path / "mip.npz"))

    def slices(self) -> Slices:
        """For each lesion the axial slice through its maximum."""
        a = load_arrays(self.path / "slices.npz")
        return Slices(a["slices"], a["z_index"], a["lesion_ids"], a["slice_of"])

    def image(self) -> StoredImage | None:
        """The PET in SUV, None where the case was made without."""
        return self._stored(IMAGE)

    def ct(self) -> StoredImage | None:
        """The CT in HU on the PET's grid, None where there is none."""
        return self._stored(CT)

    def _stored(self, name: str) -> StoredImage | None:
        from tmtv_engine.image.store import StoredImage

        path = self.path / name
        return StoredImage(path) if os.path.lexists(path) else None

    def source(self) -> Record:
        """Where the images lay and the header that export needs (`source.json`)."""
        return load_json(self.path / "source.json")


def prediction_sha256(record: Record) -> str:
    """SHA-256 of what no review may change in a `case.json` as it stands in the file.

    Left out: ``totals``, ``review``, the lesions' ``status`` and ``decided_by``, lesions that
    the review made (their ids follow ``provenance["last_id"]``), the warnings that follow from
    decisions, and the hash itself.
    """
    part = {k: v for k, v in record.items() if k not in ("totals", "review")}
    last = record["provenance"]["last_id"]
    part["lesions"] = [
        {k: v for k, v in _predicted(lesion).items() if k not in ("status", "decided_by")}
        for lesion in record["lesions"]
        if lesion["id"] <= last
    ]
    part["warnings"] = [w for w in record["warnings"] if w["code"] not in lifted(record)]
    hashes = record["provenance"].get("files_sha256", {})
    own = {k: v for k, v in hashes.items() if k != "case.json"}
    part["provenance"] = {**record["provenance"], "files_sha256": own}
    return hashlib.sha256(canonical(part)).hexdigest()


def lifted(record: Record) -> frozenset[str]:
    """The codes of warnings that come and go with decisions.

    Cases of before 0.2 (they lack ``prediction_sha256``) hash ``below-floor`` with the prediction.
    """
    if "prediction_sha256" not in record["provenance"]:
        return frozenset({"unreviewed-hotspots"})
    return REVIEWED


def write_case(
    out: Path,
    *,
    record: CaseRecord,
    lesions: Lesions,
    mip: Mip,
    slices: Slices,
    source: Record,
    extras: Mapping[str, Writer] | None = None,
) -> Case:
    """Write ``out/<case>`` whole or not at all, and return it.

    ``extras`` maps further file names (``lesions.nii.gz``, ``mip.png`` …) to functions that
    write them. ``last_id`` and the hashes of ``provenance`` are filled in here. A case of that
    name that is already there gives way: moved to ``out/aside`` if anyone reviewed it, else
    replaced. Raises `CaseError` where the record holds what none can, or the disk refuses.
    """
    writers: dict[str, Writer] = {
        "voxels.npz": lesions.save,
        "mip.npz": lambda path: np.savez_compressed(path, **mip.arrays()),
        "slices.npz": lambda path: np.savez_compressed(path, **slices.arrays()),
        "source.json": lambda path: dump_json(path, source, PRIVATE),
        **(extras or {}),
    }
    longest_first = sorted(writers, key=lambda file: file not in (IMAGE, CT))
    with new_folder(out, record.case, _room) as folder:
        with ThreadPoolExecutor(2) as pool:  # to compress is most of it
            list(pool.map(lambda file: writers[file](folder / file), longest_first))
        hashes = {file: sha256_of(folder / file) for file in sorted(writers)}
        raw = encode(record)
        raw["provenance"]["last_id"] = int(lesions.ids.max(initial=0))
        raw["provenance"]["files_sha256"] = hashes
        raw["provenance"]["prediction_sha256"] = binding_sha256(folder, raw)
        hashes["case.json"] = prediction_sha256(raw)
        done = decode(raw, record.case)
        dump_json(folder / "case.json", raw)
    return Case(out / record.case, done, raw)


def is_complete(folder: Path) -> bool:
    """Whether ``folder`` is a finished case."""
    return (folder / "case.json").is_file()


def is_reviewed(folder: Path) -> bool:
    """Whether anyone has written a journal in ``folder``."""
    return any((folder / "review").glob("*.jsonl"))


def find_cases(path: Path) -> list[Path]:
    """The case folders of ``path``, itself or right below it, by name; may be empty."""
    if is_complete(path):
        return [path]
    if not path.is_dir():
        return []
    return sorted(p for p in path.iterdir() if is_complete(p) and not p.name.startswith("."))


def cases_of(paths: Iterable[Path]) -> list[Path]:
    """The case folders of several places, each once; raises `UsageError` for a place without one.

    A place that is passed over in silence is a patient that nobody misses.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        own = find_cases(path)
        if not own:
            what = f"there is no case in {path}"
            raise UsageError(what, "Give folders that tmtv predict wrote, or the one they lie in.")
        found |= {folder.resolve(): folder for folder in own if folder.resolve() not in found}
    return list(found.values())


def read_case(path: Path | str) -> Case:
    """The case of a folder (or of its ``case.json``); raises `CaseError` where it is none."""
    folder = Path(path)
    folder = folder.parent if folder.name == "case.json" else folder
    if not is_complete(folder):
        raise CaseError(f"{folder} is no case folder", "It should hold a case.json.")
    raw = load_json(folder / "case.json")
    return Case(folder, decode(raw, folder / "case.json"), raw)


def with_review(case: Case, record: CaseRecord) -> Record:
    """What `case.json` holds once it is reviewed: nothing of the prediction is rewritten."""
    new, last = encode(record), record.provenance.last_id
    rows = {row["id"]: row for row in new["lesions"]}
    lesions = [
        _reviewed(_predicted(row), rows[row["id"]])
        for row in case.raw["lesions"]
        if row["id"] <= last
    ]
    lesions += [row for row in new["lesions"] if row["id"] > last]
    part = {key: new[key] for key in ("totals", "review", "warnings")}
    return {**case.raw, "lesions": lesions, **part}


def _predicted(row: Record) -> Record:
    """A lesion's row before any repair."""
    told = row.get("predicted")
    if not isinstance(told, dict):
        return row
    return {k: v for k, v in (row | told).items() if k != "predicted"}


def _reviewed(row: Record, now: Record) -> Record:
    """A predicted ``row`` with what of it a review changes, as it is ``now``."""
    keys = ["status", "decided_by"]
    if "predicted" in now:
        keys += [*now["predicted"], "predicted"]
    return {**row, **{key: now[key] for key in keys}}


@contextmanager
def _room(there: Path) -> Iterator[None]:
    """Make room for a case: an unreviewed one is replaced, anything else moved aside.

    The lock that every decision takes is held meanwhile, so that no first decision is lost: it
    is either seen here, and the case moved aside with it, or refused by who comes after.
    """
    if not is_complete(there):
        with kept(there):
            yield
        return
    own_folder(there, "review")
    with locked(there, LOCK):
        if is_reviewed(there):
            for place in (there, there / "review", there / "export"):
                sweep(place)  # nobody else will, once it is aside
            with kept(there):
                yield
            return
        with part_folder(there.parent, there.name) as gone:
            there.rename(gone / there.name)
            try:
                yield
            except BaseException:
                (gone / there.name).rename(there)
                raise
