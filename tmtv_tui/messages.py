"""What workers tell the screens; handlers own the state."""

from __future__ import annotations

from pathlib import Path

from textual.message import Message

from tmtv_tui.opened import Opened
from tmtv_tui.state import CaseRow


class RowsRead(Message):
    """Cases read from disk: ``rows`` are new or changed; ``finished`` at the end of a pass."""

    def __init__(self, rows: list[CaseRow], finished: bool) -> None:
        super().__init__()
        self.rows = rows
        self.finished = finished


class CaseChanged(Message):
    """`case.json` of ``path`` follows its journal now."""

    def __init__(self, path: Path, error: str = "") -> None:
        super().__init__()
        self.path = path
        self.error = error


class LesionPicked(Message):
    """A lesion was clicked in the picture."""

    def __init__(self, lesion: int) -> None:
        super().__init__()
        self.lesion = lesion


class CaseRead(Message):
    """A case is ready to be shown, or ``error`` says why not; ``told``: what to say about it."""

    def __init__(self, opened: Opened | None, told: list[str], error: str = "") -> None:
        super().__init__()
        self.opened = opened
        self.told = told
        self.error = error
