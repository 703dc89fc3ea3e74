"""The engine: scanner DICOM to reviewed total metabolic tumour volume.

>>> import tmtv_engine
>>> sorted(tmtv_engine.__all__)
['agree', 'cut', 'measure', 'predict', 'read_case', 'read_rois', 'read_study']

Its functions are imported with what they need when they are asked for (`docs/python.md`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from tmtv_engine.api import agree, cut, measure, predict, read_case, read_rois, read_study

__all__ = ["agree", "cut", "measure", "predict", "read_case", "read_rois", "read_study"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tmtv_engine import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
