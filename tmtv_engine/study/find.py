"""Any input to studies: DICOM folders, images, zips, manifests; each found first, loaded later."""

from __future__ import annotations

from pathlib import Path

from tmtv_engine.errors import InputError
from tmtv_engine.study.found import CaseName, Failure, Leftover, Stock, Study
from tmtv_engine.study.stock import NO_PET, take_stock

__all__ = ["CaseName", "Failure", "Leftover", "Stock", "Study", "find_studies", "take_stock"]


def find_studies(
    path: Path,
    *,
    pet_series: str | None = None,
    pet_match: str | None = None,
    case_name: CaseName = "hash",
) -> list[Study | Failure]:
    """The studies of one path as `take_stock` finds them, without what is left over.

    What cannot be taken while others can is a `Failure`; one that is alone is raised. Raises
    `InputError` where there is no PET, `AmbiguousInput` where several could be meant,
    `UsageError` for a bad pattern.
    """
    stock = take_stock([path], pet_series=pet_series, pet_match=pet_match, case_name=case_name)
    if not stock.studies and len(stock.failures) == 1:
        raise stock.failures[0].error
    if not stock.studies and not stock.failures:
        raise no_pet(path, stock)
    return [*stock.studies, *stock.failures]


def no_pet(path: Path, stock: Stock) -> InputError:
    """That there is nothing to measure, and what there is instead."""
    seen = "; ".join(f"{left.path.name}: {left.why}" for left in stock.leftovers[:3])
    return InputError(f"{path}: no PET was found{f' ({seen})' if seen else ''}", NO_PET)
