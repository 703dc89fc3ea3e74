"""Case folders against manual ROIs, or against other case folders, a few cases in memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tmtv_engine.case.folder import Case, cases_of, is_reviewed, read_case
from tmtv_engine.case.guard import guarded
from tmtv_engine.cluster import Cluster, in_order
from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.files import sha256_of
from tmtv_engine.lesion.drawn import RoiMode
from tmtv_engine.lesion.methods import Method, parse_method
from tmtv_engine.lesion.origin import Status
from tmtv_engine.notices import Notice
from tmtv_engine.report.cohort import Cohort, Excluded, Found, Pair, Raw, Read, Warned
from tmtv_engine.report.sides import (
    PREDICTION,
    Side,
    check_same_grid,
    found_of,
    overlap_of,
    overlaps,
    read_as,
    roi_side,
    side_of,
)
from tmtv_engine.report.tables import faults
from tmtv_engine.review.line import Action
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.state import predicted_status
from tmtv_engine.study.manifest import read_table
from tmtv_engine.text import safe_name

JOBS = 2
_POOL_FROM = 4  # cases from which on a second process is worth its start
RAW_AGAINST = "prob"


@dataclass(frozen=True)
class Job:
    """One case and what it is compared with: ROIs (None: no disease) or another case folder."""

    folder: Path
    roi: Path | None = None
    other: Path | None = None
    subtype: str | None = None
    reader: str | None = None
    other_reader: str | None = None
    mode: RoiMode = "auto"
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Compared:
    """What one case adds to the cohort."""

    case: str
    pairs: tuple[Pair, ...] = ()
    raw: tuple[Raw, ...] = ()
    found: Found | None = None
    read: tuple[Read, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    warned: tuple[Warned, ...] = ()
    inputs: dict[str, str] = field(default_factory=dict)
    picture: Path | None = None
    model: str = ""
    before: tuple[Pair, ...] = ()


def with_reference(
    sources: Sequence[Path],
    manifest: Path,
    *,
    reader: str | None = None,
    mode: RoiMode = "auto",
    accepted: frozenset[str] = frozenset(),
    jobs: int = JOBS,
    cluster: Cluster | None = None,
    done: Callable[[str], None] = lambda case: None,
) -> Cohort:
    """Cases against the manual ROIs of ``manifest`` (``case,roi[,subtype]``; no roi: no disease).

    Raises `UsageError` where no case can be compared, `InputError` for a broken manifest.
    """
    table = read_table(manifest, ("case", "roi"))
    folders = _by_name(sources)
    work: list[Job] = []
    left = faults(table)
    named: set[str] = set()
    for row in (row for row in table.rows if not row.fault):
        name = safe_name(row.get("case"))
        if name in named:
            left.append(Excluded(name, "stands in the manifest again; the first row is taken"))
        elif name not in folders:
            left.append(Excluded(name, "is in the manifest, but no such case folder is given"))
        else:
            roi = manifest.parent / row.get("roi") if row.get("roi") else None
            subtype = row.get("subtype") or None
            work.append(Job(folders[name], roi, None, subtype, reader, None, mode, accepted))
        named.add(name)
    left += [Excluded(n, "has no row in the manifest") for n in folders if n not in named]
    inputs = {manifest.name: sha256_of(manifest)}
    found = _gathered(work, left, inputs, ("manual", reader), jobs, cluster, done)
    return replace(found, accepted=tuple(sorted(accepted)))


def against(
    sources: Sequence[Path],
    others: Sequence[Path],
    *,
    reader: str | None = None,
    other_reader: str | None = None,
    jobs: int = JOBS,
    cluster: Cluster | None = None,
    done: Callable[[str], None] = lambda case: None,
) -> Cohort:
    """Cases against the cases of the same name in ``others`` (the reference): two readers, two
    models, or one set before and after review. Raises `UsageError` where none can be compared.
    """
    mine = _by_name(sources)
    theirs = _by_name(others)
    left = [Excluded(n, "is only in one of the two sets") for n in sorted({*mine} ^ {*theirs})]
    work = [
        Job(folder, None, theirs[name], None, reader, other_reader)
        for name, folder in mine.items()
        if name in theirs
    ]
    names = (_side_name(others, other_reader), _side_name(sources, reader))
    if names[0] == names[1]:
        names = (f"{names[0]} (reference)", names[1])
    return _gathered(work, left, {}, names, jobs, cluster, done)


def _said(reader: str | None, read: bool) -> str:
    if reader not in (None, PREDICTION):
        return str(reader)
    return "reviewed" if read and reader is None else "predicted"


def _side_name(sources: Sequence[Path], reader: str | None) -> str:
    return reader or sources[0].resolve().name


def _by_name(sources: Sequence[Path]) -> dict[str, Path]:
    """The cases below ``sources`` by name; two of one name would be compared as one."""
    found: dict[str, Path] = {}
    for folder in cases_of(sources):
        if folder.name in found:
            what = f"two cases are called {folder.name}: {found[folder.name]} and {folder}"
            raise UsageError(what, "Compare one folder of results at a time.")
        found[folder.name] = folder
    return found


def _gathered(
    work: Sequence[Job],
    left: Sequence[Excluded],
    inputs: dict[str, str],
    names: tuple[str, str | None],
    jobs: int,
    cluster: Cluster | None,
    done: Callable[[str], None],
) -> Cohort:
    parts: list[Compared] = []
    for part in compare_all(work, jobs, cluster):
        parts.append(part)
        done(part.case)
    pairs = tuple(pair for part in parts for pair in part.pairs)
    excluded = (*left, *(e for part in parts for e in part.excluded))
    if not pairs:
        first = f": {excluded[0].case} {excluded[0].why}" if excluded else ""
        raise UsageError(f"no case can be compared{first}", "Check the names and the files.")
    return Cohort(
        pairs,
        excluded,
        tuple(raw for part in parts for raw in part.raw),
        tuple(part.found for part in parts if part.found),
        tuple(read for part in parts for read in part.read),
        (names[0], _said(names[1], any(part.read for part in parts))),
        {**inputs, **{k: v for part in parts for k, v in part.inputs.items()}},
        {part.case: part.picture for part in parts if part.picture},
        tuple(dict.fromkeys(part.model for part in parts if part.model)),
        tuple(pair for part in parts for pair in part.before),
        warned=tuple(w for part in parts for w in part.warned),
    )


def compare_all(
    work: Sequence[Job], jobs: int, cluster: Cluster | None = None
) -> Iterator[Compared]:
    """Compare cases in so many processes, or on a cluster, in order; each holds one at a time."""
    if cluster is not None:
        whole = [_absolute(job) for job in work]
        yield from in_order(compare_case, whole, cluster, lambda job: job.folder.name)
        return
    if jobs < 2 or len(work) < _POOL_FROM:
        yield from map(compare_case, work)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(compare_case, work)


def _absolute(job: Job) -> Job:
    """The same by paths that another process finds wherever it was started."""
    folder, roi, other = (p and p.absolute() for p in (job.folder, job.roi, job.other))
    return replace(job, folder=folder or job.folder, roi=roi, other=other)


def compare_case(job: Job) -> Compared:
    """Compare one case; what is wrong with it comes back as the reason why it is left out."""
    try:
        with guarded(job.folder):
            return _compared(job)
    except TmtvError as error:
        return Compared(job.folder.name, excluded=(Excluded(job.folder.name, _why(job, error)),))


def _why(job: Job, error: TmtvError) -> str:
    return error.what.removeprefix(f"{job.folder.name}: ")


def _compared(job: Job) -> Compared:
    case = read_case(job.folder)
    reading = read_as(case, job.reader)
    side = side_of(case, reading)
    inputs = {f"{case.name}/case.json": case.record.provenance.files_sha256["case.json"]}
    read = read_of(case, reading)
    before: tuple[Side, Side] | None = None
    told: tuple[Notice, ...] = ()
    if job.other is None:
        reference, told = roi_side(case, job.roi, job.mode, job.accepted)
        if job.roi is not None and job.roi.is_file():
            inputs[f"{case.name}: {job.roi.name}"] = sha256_of(job.roi)
    else:
        other = read_case(job.other)
        theirs = read_as(other, job.other_reader)
        reference = side_of(other, theirs)
        read += read_of(other, theirs)
        if reading.reader is not None and theirs.reader is not None:
            before = _predicted(case), _predicted(other)
    check_same_grid(side, reference, case.name)
    keys = {m.key for m in reference.cuts.methods}
    methods = [m for m in side.cuts.methods if m.key in keys]
    picture = case.path / "mip.png"
    return Compared(
        case.name,
        tuple(_pair(case, side, reference, m, job.subtype) for m in methods),
        tuple(_raw(case, side, reference, methods, job.subtype)),
        found_of(case, side, reference),
        read,
        (),
        tuple(Warned(case.name, n.code, n.message) for n in told),
        inputs,
        picture if picture.is_file() else None,
        model_of(case),
        tuple(_pair(case, *before, m, job.subtype) for m in methods) if before else (),
    )


def _predicted(case: Case) -> Side:
    return side_of(case, read_as(case, PREDICTION))


def _pair(case: Case, side: Side, reference: Side, method: Method, subtype: str | None) -> Pair:
    mine, theirs = side.voxels(method), reference.voxels(method)
    grid = side.lesions.grid
    whole = grid.shape[0] * grid.shape[1] * grid.shape[2]
    return Pair(
        case.name,
        method.key,
        len(theirs) * grid.voxel_ml,
        len(mine) * grid.voxel_ml,
        overlaps(overlap_of(mine, theirs, whole)),
        subtype,
    )


def _raw(
    case: Case, side: Side, reference: Side, methods: Sequence[Method], subtype: str | None
) -> Iterator[Raw]:
    """The prediction before any cut against TMTVprob and each cut of the reference (paper 3.2)."""
    uncut = side.voxels(parse_method("raw"))
    grid = side.lesions.grid
    whole = grid.shape[0] * grid.shape[1] * grid.shape[2]
    for method in {m.key: m for m in (parse_method(RAW_AGAINST), *methods)}.values():
        found = overlap_of(uncut, reference.voxels(method), whole)
        yield Raw(case.name, method.key, overlaps(found), subtype)


def read_of(case: Case, reading: Reading) -> tuple[Read, ...]:
    """What the reader did, from the journal; nothing where nobody read or it was not asked."""
    if reading.reader is None or not is_reviewed(case.path):
        return ()
    opened = any(line.action == Action.OPEN for line in reading.lines)
    minutes = reading.seconds / 60 if opened else None  # decided from a script: nobody timed it
    return (Read(case.name, reading.reader, minutes, reading.decisions, changed(case, reading)),)


def changed(case: Case, reading: Reading) -> dict[str, int]:
    """How many lesions a reader rejected, accepted from the candidates, split and added."""
    before = predicted_status(case.record)
    last = case.record.provenance.last_id
    moves = [(before[i], s) for i, s in reading.status.items() if i <= last]
    added = [i for i in reading.status if i > last and i not in reading.parents]
    return {
        "rejected": moves.count((Status.ACCEPTED, Status.REJECTED)),
        "accepted": moves.count((Status.CANDIDATE, Status.ACCEPTED)),
        "split": len(reading.splits),
        "added": sum(reading.status[i] == Status.ACCEPTED for i in added),
    }


def model_of(case: Case) -> str:
    """A case's model in words: its name and the beginning of its hash."""
    model = case.record.model
    return f"{model.name} {(model.sha256 or '')[:12]}".strip()
