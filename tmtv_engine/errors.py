"""Everything that the engine refuses, drawn once.

::

    TmtvError                 one line of what is wrong, one of what to do
    ├── InputError            a file or folder that cannot be read as what it should be
    │   ├── MissingTag        a DICOM attribute that is absent or empty
    │   ├── BadTag            a DICOM attribute whose value cannot be believed
    │   ├── Implausible       what `--accept CODE` takes once someone has looked
    │   ├── GeometryError     slices, grids or frames that do not fit together
    │   └── AmbiguousInput    several candidates and no rule to choose between them
    ├── UsageError            an option that makes no sense (exit status 2)
    ├── CaseError             a case folder or a journal that is broken or stale
    │   └── DiskError         a file or folder that the disk would not take
    └── DeviceError           no such device, or not enough of it
"""

from __future__ import annotations


class TmtvError(Exception):
    """An error that a user can act on: ``what`` is wrong and the ``remedy``."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}\n{remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy


class InputError(TmtvError):
    """A file or folder that cannot be read as what it should be."""


class MissingTag(InputError):
    """A DICOM attribute that is absent or empty; ``keyword`` names it."""

    def __init__(self, keyword: str, what: str = "", remedy: str = "") -> None:
        super().__init__(what or f"{keyword} is missing", remedy)
        self.keyword = keyword


class BadTag(InputError):
    """A DICOM attribute whose value cannot be believed; ``keyword`` names it."""

    def __init__(self, keyword: str, what: str, remedy: str = "") -> None:
        super().__init__(f"{keyword}: {what}", remedy)
        self.keyword = keyword


class Implausible(InputError):
    """What cannot be believed until someone has looked; ``code`` is what `--accept` takes."""

    def __init__(self, code: str, what: str, remedy: str, keyword: str = "") -> None:
        super().__init__(what, remedy)
        self.code = code
        self.keyword = keyword


class GeometryError(InputError):
    """Slices, grids or frames of reference that do not fit together."""


class AmbiguousInput(InputError):
    """Several candidates and no rule to choose between them."""


class UsageError(TmtvError):
    """An option that makes no sense; the command line exits with 2."""


class CaseError(TmtvError):
    """A case folder or a journal that is broken or stale."""


class DiskError(CaseError):
    """A file or folder that the disk would not take: full, read-only, not ours."""


class DeviceError(TmtvError):
    """No such device, or not enough memory on it."""


def refusal(error: OSError) -> str:
    """What the disk said: a library's own words may be a whole traceback about it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return next(iter(str(error).splitlines()), type(error).__name__)
