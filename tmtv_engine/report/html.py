"""A page made of blocks: text, tables, figures. The template turns them into HTML, escaped.

The page asks nothing of any server, and its policy lets nothing run or style it but the two files
beside the template: what is smuggled into a text would stay dead even if it were not escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tmtv_engine.report.words import RESEARCH

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Table:
    """A table of words and numbers as they are to be read."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Column:
    """A column of a table that sorts: its name, and the digits shown (None: text)."""

    name: str
    digits: int | None = None

    @property
    def kind(self) -> str:
        """What the page sorts it as."""
        return "text" if self.digits is None else "number"

    def told(self, value: float | None) -> str:
        """A cell as it is read."""
        return told(value, self.digits or 0)

    def exact(self, value: float | None) -> str:
        """A cell as it is sorted: unrounded, empty where it is unknown."""
        return "" if value is None else repr(value)


@dataclass(frozen=True)
class Sortable:
    """A table that sorts at a click on a column's name."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    kind: ClassVar[str] = "sortable"


@dataclass(frozen=True)
class Figure:
    """A picture inside the page; ``src`` as `embedded` gives it."""

    src: str
    alt: str
    caption: str
    number: int | None = None
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Hashes:
    """What was read: names and SHA-256."""

    items: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "hashes"


Block = Text | Table | Sortable | Figure | Hashes


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; without one they stand by themselves."""

    title: str
    blocks: tuple[Block, ...]


def section(title: str, *blocks: Block) -> Section:
    """Blocks under a heading."""
    return Section(title, blocks)


def render(title: str, sections: Iterable[Section | None]) -> str:
    """The whole page of the sections that there are; every text is escaped."""
    style, script = _beside("page.css"), _beside("page.js")
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    shown = [s for s in sections if s is not None and s.blocks]
    return _template().render(
        title=title,
        policy=policy,
        style=style,
        script=script,
        research=RESEARCH,
        sections=shown,
    )


def embedded(data: bytes, kind: str) -> str:
    """A picture's bytes as the address of an image; ``kind`` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def told(value: float | None, digits: int = 1) -> str:
    """A number for people; unknown is a dash."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _beside(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["zip"] = zip
    return environment.get_template("page.html")
