"""Everything below some paths, accounted for: each file is a study's, a failure's or left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tmtv_engine.errors import InputError, TmtvError, UsageError
from tmtv_engine.image.formats import OTHERS, parts_of, suffix_of
from tmtv_engine.study.archive import Unpacked, is_zip, opened
from tmtv_engine.study.found import CaseName, Failure, Leftover, Stock, Study, gathered
from tmtv_engine.study.index import is_index, told_of
from tmtv_engine.study.lots import Lot, of_all
from tmtv_engine.study.names import named_apart
from tmtv_engine.study.pairs import find_pairs
from tmtv_engine.study.rows import find_rows
from tmtv_engine.study.series import Wanted, find_dicom
from tmtv_engine.study.twins import without_twins
from tmtv_engine.study.walk import walk

TABLES = (".csv", ".tsv")
NO_PET = "Give a folder of DICOM with a PET series, or one with pet.nii.gz in SUV."


def take_stock(
    paths: Sequence[Path],
    *,
    pet_series: str | None = None,
    pet_match: str | None = None,
    case_name: CaseName = "hash",
    without: Sequence[Path] = (),
    given: Mapping[str, str] | None = None,
) -> Stock:
    """The studies of DICOM folders, images, zips and manifests, and all else that lies there.

    ``without`` are folders that are not searched, as that of the results. Cases have names that
    differ; ``given`` are those of cases that are there (`names.named_apart`). Raises `UsageError`
    for a pattern that is none.
    """
    wanted = Wanted(pet_series, pet_match)
    stock = Stock()
    searched = []
    for path in paths:
        if not path.exists():
            error = InputError(f"{path}: there is no such file or folder", NO_PET)
            stock += Stock(failures=(Failure(path, error),))
        elif path.suffix.lower() in TABLES and path.is_file():
            stock += _table(path, wanted)
        else:
            searched.append(path.parent if path.is_file() and is_index(path) else path)
    stock += _searched(searched, wanted, without)
    return named_apart(without_twins(stock), case_name, given)


def empty_ones(paths: Sequence[Path]) -> Stock:
    """The failures of ``paths`` that hold not a single file between them."""
    errors = [(path, InputError(f"{path}: holds no file", NO_PET)) for path in paths]
    return Stock(failures=tuple(Failure(path, error) for path, error in errors))


def _table(path: Path, wanted: Wanted) -> Stock:
    try:
        return find_rows(path, lambda folder: _searched([folder], wanted, ()))
    except UsageError:
        raise
    except TmtvError as error:
        return Stock(failures=(Failure(path, error),))


def _searched(paths: Sequence[Path], wanted: Wanted, without: Sequence[Path]) -> Stock:
    found = walk(paths, without)
    zips = [p for p in found.files if is_zip(p)]
    lots = [_sorted([p for p in found.files if not is_zip(p)], wanted, paths)]
    lots += [_zipped(archive, wanted) for archive in zips]
    return of_all(lots, wanted, paths) + Stock(leftovers=tuple(found.left))


def _sorted(files: Sequence[Path], wanted: Wanted, roots: Sequence[Path]) -> Lot:
    """Files by what they are: images, tables, and DICOM with whatever else there is."""
    images = [p for p in files if suffix_of(p)]
    voxels = {part for p in images for part in _beside(p)}
    rest = [p for p in files if not suffix_of(p) and p not in voxels]
    tables = [p for p in rest if p.suffix.lower() in TABLES]
    stock = find_pairs([*images, *voxels], [p for p in roots if suffix_of(p)])
    lot = _dicom([p for p in rest if p not in set(tables)], wanted, roots)
    why = "a table: give it by itself if it is a manifest"
    left = Stock(leftovers=tuple(gathered([(p, why) for p in tables])))
    return replace(lot, stock=stock + lot.stock + left)


def _beside(image: Path) -> tuple[Path, ...]:
    """The voxels' file of a header that stands alone."""
    try:
        return parts_of(image)[1:] if suffix_of(image) in OTHERS else ()
    except InputError:
        return ()


def _dicom(files: Sequence[Path], wanted: Wanted, roots: Sequence[Path]) -> Lot:
    if not files:
        return Lot(None, Stock())
    from tmtv_engine.dicom.discover import sort_files

    found = sort_files(files)
    indices = [p for p, _ in found.others if is_index(p)]
    left = [Leftover(p, told_of(p)) for p in indices]
    left += gathered([(p, why) for p, why in found.others if p not in indices])
    stock = find_dicom(found.series, wanted, roots) + Stock(leftovers=tuple(left))
    return Lot(None, stock, found.series)


def _zipped(archive: Path, wanted: Wanted) -> Lot:
    """A zip's own lot, each path as one below the zip."""
    try:
        with opened(archive) as (folder, refused):
            there = Unpacked({archive: folder})
            files = walk([folder])
            lot = _sorted([p for p in files.files if not is_zip(p)], wanted, [folder])
            inner, left = lot.stock, (*lot.stock.leftovers, *files.left)
            stock = Stock(
                tuple(_study_in(s, archive, there) for s in inner.studies),
                tuple(map(there.failed, inner.failures)),
                tuple(replace(o, path=there.named(o.path)) for o in left),
            )
    except InputError as error:
        return Lot(archive, Stock(failures=(Failure(archive, error),)))
    return Lot(archive, stock + Stock(leftovers=tuple(refused)), lot.series)


def _study_in(study: Study, archive: Path, there: Unpacked) -> Study:
    return replace(
        study,
        pet=tuple(map(there.named, study.pet)),
        ct=tuple(map(there.named, study.ct)),
        folder=archive,
        home=there.named(study.home) if study.home else None,
        archives=(archive,),
    )
