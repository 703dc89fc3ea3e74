"""What workers tell the screens; handlers own the state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.message import Message

from tmtv_tui.review.opened import Opened
from tmtv_tui.review.present import Present
from tmtv_tui.review.rows import CaseRow


class RowsRead(Message):
    """Cases read from disk: ``rows`` are new or changed; ``finished`` at the end of a pass, when
    ``gone`` are those no longer there."""

    def __init__(self, rows: list[CaseRow], finished: bool, gone: Sequence[Path] = ()) -> None:
        super().__init__()
        self.rows = rows
        self.finished = finished
        self.gone = gone


class CaseChanged(Message):
    """`case.json` of a case follows its journal now; ``row``: its line, read anew."""

    def __init__(self, row: CaseRow) -> None:
        super().__init__()
        self.row = row


class LesionPicked(Message):
    """A lesion was clicked in the picture."""

    def __init__(self, lesion: int) -> None:
        super().__init__()
        self.lesion = lesion


class PointPicked(Message):
    """A pixel (row, col) of projection ``angle`` was clicked, where no lesion is."""

    def __init__(self, angle: int, row: int, col: int) -> None:
        super().__init__()
        self.angle, self.row, self.col = angle, row, col


class RegionDrawn(Message):
    """A region was drawn in projection ``angle``: image (row, col) of its corners."""

    def __init__(self, angle: int, first: tuple[float, float], last: tuple[float, float]) -> None:
        super().__init__()
        self.angle = angle
        self.first, self.last = first, last


class CameOrWent(Message):
    """Others opened or closed the case in front: ``told``, in words."""

    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self.told = told


class CaseRead(Message):
    """A case is ready to be shown, or ``error`` says why not; ``told``: what to say about it;
    ``present``: who else has it open."""

    def __init__(
        self,
        opened: Opened | None,
        told: list[str],
        error: str = "",
        present: Present | None = None,
    ) -> None:
        super().__init__()
        self.opened = opened
        self.told = told
        self.error = error
        self.present = present
