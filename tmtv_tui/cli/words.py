"""How help reads: words that a user has for what is taken, and examples that work as printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from tmtv_tui.cli.places import check_out, check_words


class Stopped(Exception):
    """Ctrl-C while a command ran; Typer would end without a word."""


@contextmanager
def _stoppable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise Stopped from error


class Command(TyperCommand):
    """A command whose usage and arguments are told by their words alone, without types."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for param in self._arguments():
            setattr(param, "display_type_rich", lambda ctx: None)  # noqa: B010

    def _arguments(self) -> list[Any]:
        return [p for p in self.params if p.param_type_name == "argument"]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse empty words, and a place for results that takes none, before any work."""
        check_words(args)
        rest: list[str] = super().parse_args(ctx, args)
        for param in self.params:
            out = ctx.params.get(param.name)
            if "--out" in param.opts and isinstance(out, Path):
                check_out(out)
        return rest

    def make_context(self, *given: Any, **named: Any) -> Any:
        """Read the words; Ctrl-C comes out as `Stopped`."""
        with _stoppable():
            return super().make_context(*given, **named)

    def invoke(self, ctx: Any) -> Any:
        """Run; Ctrl-C comes out as `Stopped`."""
        with _stoppable():
            return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] STUDY...``."""
        return ["[OPTIONS]", *(str(p.metavar) for p in self._arguments())]


def example(*lines: str) -> str:
    """An epilog of examples, one a paragraph."""
    return "\n\n".join(["Examples:", *lines])
