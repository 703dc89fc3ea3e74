"""How help reads: words that a user has for what is taken, and examples that work as printed."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose usage and arguments are told by their words alone, without types."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for param in self._arguments():
            setattr(param, "display_type_rich", lambda ctx: None)  # noqa: B010

    def _arguments(self) -> list[Any]:
        return [p for p in self.params if p.param_type_name == "argument"]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] STUDY...``."""
        return ["[OPTIONS]", *(str(p.metavar) for p in self._arguments())]


def example(*lines: str) -> str:
    """An epilog of examples, one a paragraph."""
    return "\n\n".join(["Examples:", *lines])
