"""What became of one study of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tmtv_engine.case.folder import Case
from tmtv_engine.errors import TmtvError

if TYPE_CHECKING:
    from tmtv_engine.study.found import Study

State = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one case: ``case`` unless it failed, then ``error``.

    ``note``: what a person must hear of one that did not fail (what it was recut by, what moved
    aside). ``aside``: whether a reviewed case gave way to it.
    """

    name: str
    state: State
    case: Case | None = None
    error: TmtvError | None = None
    study: Study | None = None
    note: str = ""
    aside: bool = False

    @property
    def place(self) -> str:
        """What a person calls it: where its PET lies, else the case."""
        return str(self.study.path) if self.study is not None and self.study.pet else self.name
