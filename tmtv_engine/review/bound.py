"""What binds a reading to its case: fixed when the reader opens it, looked at before each line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tmtv_engine.case.binding import LABELS, binding_sha256, labels_sha256
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.review.journal import ANEW, Bound
from tmtv_engine.review.line import Line
from tmtv_engine.text import clean


def bound_of(case: Case) -> Bound:
    """The case and the prediction that lie there; raises `CaseError` where they cannot be read."""
    return Bound(case.name, binding_sha256(case.path, case.raw))


class Watch:
    """Whether the prediction on disk is still the one that a reader opened."""

    def __init__(self, case: Case) -> None:
        self.bound = bound_of(case)
        self._path = case.path
        self._seen: object = None

    def check(self) -> None:
        """Raise `CaseError` where it is another; files are read again only if they changed."""
        stamp = [_stamp(self._path / name) for name in ("case.json", LABELS)]
        if stamp == self._seen:
            return
        if bound_of(read_case(self._path)) != self.bound:
            raise CaseError(f"{self.bound.case}: {ANEW}", "The decision was not recorded.")
        self._seen = stamp


def check_lines(case: Case, lines: Sequence[Line], reader: str | None) -> None:
    """Raise `CaseError` at the first line that was decided on another case or prediction."""
    if not lines:
        return
    bound = bound_of(case)
    labels = None
    for line in lines:
        where = f"{case.name}: line {line.seq} of {reader}"
        if line.case is not None and line.case != bound.case:
            raise CaseError(
                f"{where} is about the case {clean(line.case)}", "The journal was copied here."
            )
        if line.bound:
            same = line.prediction == bound.prediction
        else:
            labels = labels or labels_sha256(case.path, list(case.record.pet.shape))
            same = line.labels_sha256 == labels
        if not same:
            raise CaseError(
                f"{where} was decided on other lesions than those in {LABELS}",
                "The label map is stale or was changed, or the journal is another prediction's.",
            )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.lstat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
