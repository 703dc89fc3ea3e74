"""The CT of a case that does not keep it: read anew from the files that `source.json` names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tmtv_engine.case.folder import Case
from tmtv_engine.errors import CaseError, InputError
from tmtv_engine.image.resample import resample
from tmtv_engine.image.store import AIR_HU, whole_hu
from tmtv_engine.image.volume import Volume
from tmtv_engine.notices import Notice
from tmtv_engine.study.inputs import inputs_sha256

WAY_OUT = "Bring the images back to where source.json says, or predict without --no-image."


def source_ct(case: Case, say: Callable[[str], None] = lambda text: None) -> Volume:
    """The CT in whole HU on the PET's grid, air outside: the values that `ct.b2nd` would hold.

    ``say`` is told of the folder that only `source.json` names before anything in it is read.

    Raises `CaseError` where the case has no CT, or it is not there or is another.
    """
    from tmtv_engine.study.find import Study
    from tmtv_engine.study.load import load_ct

    known = case.record.ct
    if known is None:
        raise CaseError(f"{case.name}: it was made without a CT", "Nothing can be shown of it.")
    files = _files(case, say)
    if known.series_uid is not None:
        files = _of_series(files, known.series_uid)
    notices: list[Notice] = []
    try:
        ct, _ = load_ct(Study(case.name, case.source()["kind"], (), files), notices)
    except InputError as error:
        raise CaseError(f"{case.name}: its CT cannot be read: {error.what}", WAY_OUT) from error
    if ct is None:
        raise CaseError(f"its CT cannot be read: {notices[-1].message}", WAY_OUT)
    there = resample(ct, case.voxels().grid, outside=AIR_HU)
    return there.with_array(whole_hu(there.array), there.unit)


def _files(case: Case, say: Callable[[str], None]) -> tuple[Path, ...]:
    """The CT's files, for DICOM among others: the inputs, else what its folder holds."""
    source, known = case.source(), case.record.ct
    inputs = tuple(Path(path) for path in source.get("inputs") or ())
    dicom = known is not None and known.series_uid is not None
    files = inputs if dicom else inputs[1:][-1:]  # the CT is named last, an image is one file
    folder = str(files[-1].parent) if files else (source.get("ct") or {}).get("folder")
    if not folder:
        raise CaseError(f"{case.name}/source.json does not say where its CT lies", WAY_OUT)
    say(f"from {folder}, which {case.name}/source.json names")
    if not files:
        return _below(Path(folder))
    _check(case, inputs)
    return files


def _check(case: Case, inputs: Sequence[Path]) -> None:
    """Raise `CaseError` where the files are not those that the case was made from."""
    from tmtv_engine.review.verify import FOREIGN

    for path in inputs:
        if not path.is_file() or str(path.resolve()).startswith(FOREIGN):
            raise CaseError(f"{path} is no longer there", WAY_OUT)
    known = case.record.provenance.inputs_sha256
    if known and inputs_sha256(inputs) != known:
        raise CaseError(
            f"{inputs[-1].parent}: its files are not those that the case was made from", WAY_OUT
        )


def _below(folder: Path) -> tuple[Path, ...]:
    from tmtv_engine.dicom.discover import find_series

    try:
        found = tuple(path for series in find_series(folder) for path in series.files)
    except InputError:
        found = ()
    if not found:
        raise CaseError(f"{folder}: nothing of the CT is there", WAY_OUT)
    return found


def _of_series(files: Sequence[Path], uid: str) -> tuple[Path, ...]:
    from tmtv_engine.dicom.discover import sort_files

    found = [s for s in sort_files(files).series if (s.uid, s.modality) == (uid, "CT")]
    if len(found) != 1:
        raise CaseError(f"{files[-1].parent}: the series of the CT is not there", WAY_OUT)
    return found[0].files
