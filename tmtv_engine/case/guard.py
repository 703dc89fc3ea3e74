"""A folder from elsewhere: whatever it makes our code stumble over is one error of that case."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tmtv_engine.errors import CaseError, DiskError, TmtvError, refusal
from tmtv_engine.text import clean

OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Raise `CaseError` for what the files of ``folder`` make fail in ways that nobody foresaw.

    Their types are checked where they are read; numbers that no scan has, arrays that do not fit
    together and headers that are none show only where they are used. `DiskError` for a disk that
    is full or broken, which is no fault of the folder.
    """
    try:
        yield
    except TmtvError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise DiskError(
                f"{folder}: {refusal(error)}", "Nothing was left half-written."
            ) from error
        told = f"{type(error).__name__}: {clean(error, 200)}"
        raise CaseError(
            f"{folder}: its files do not hold what a case holds: {told}",
            "tmtv verify says what was changed; TMTV_TRACEBACK=1 where it showed.",
        ) from error
