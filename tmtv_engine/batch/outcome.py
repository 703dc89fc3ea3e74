"""What became of one study of a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import MissingTag, TmtvError

if TYPE_CHECKING:
    from tmtv_engine.study.found import Study

State = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one case: ``case`` unless it failed, then ``error`` without its traceback.

    ``note``: what a person must hear of one that did not fail (what it was recut by, what moved
    aside). ``aside``: whether a reviewed case gave way to it. ``written``: the files of its
    export, None where none was asked for or it failed, which ``unexported`` tells.
    """

    name: str
    state: State
    case: Case | None = None
    error: TmtvError | None = None
    study: Study | None = None
    note: str = ""
    aside: bool = False
    written: tuple[Path, ...] | None = None
    unexported: TmtvError | None = None

    def __post_init__(self) -> None:
        for error in (self.error, self.unexported):
            if error is not None:  # the frames that it came through hold the study's images
                error.__traceback__ = error.__cause__ = error.__context__ = None

    def brief(self) -> Outcome:
        """The same for the books of a run: without the case and its files' names."""
        return replace(self, case=None, written=None if self.written is None else ())

    @property
    def place(self) -> str:
        """What a person calls it: where its PET lies, else the case."""
        return str(self.study.path) if self.study is not None and self.study.pet else self.name


@dataclass(frozen=True)
class Answer:
    """An `Outcome` on its way from another process: nothing large, no exception of a library's.

    ``error``: what is wrong, the way out, and the tag where one is to blame.
    """

    study: Study
    state: State
    note: str = ""
    aside: bool = False
    error: tuple[str, str, str] | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> Answer:
        """The answer that stands for an outcome of a study."""
        if outcome.study is None:
            raise ValueError("an answer is about a study")
        error = outcome.error
        told = None
        if error is not None:
            told = (error.what, error.remedy, str(getattr(error, "keyword", "")))
        return cls(outcome.study, outcome.state, outcome.note, outcome.aside, told)

    def outcome(self, out: Path) -> Outcome:
        """The outcome, with the case read from ``out``; one that is not there failed."""
        try:
            case = None if self.error else read_case(out / self.study.case)
        except TmtvError as error:
            return Outcome(self.study.case, "failed", None, error, self.study)
        if self.error is None:
            return Outcome(self.study.case, self.state, case, None, self.study, *self._said())
        what, remedy, tag = self.error
        told = MissingTag(tag, what, remedy) if tag else TmtvError(what, remedy)
        return Outcome(self.study.case, "failed", None, told, self.study)

    def _said(self) -> tuple[str, bool]:
        return self.note, self.aside
