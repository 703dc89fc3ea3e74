"""The line to the terminal: how much of what was sent has not left yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

MOST = 1024
"""Characters that may wait before a frame is put off. What one key changes is less."""


class Line:
    """Counts what is sent (by the screen's thread) and what has left (by another).

    A line without a terminal at its end, as in tests, is never behind. ``metered``: what is called
    once it is behind, where another than the terminal's file tells what has left.
    """

    def __init__(self) -> None:
        self.most = MOST
        self.sent = self.left = 0
        self.metered: Callable[[], object] | None = None
        self.drained: Callable[[], object] | None = None
        """Called once, by the other thread, when the line is free."""

    @property
    def behind(self) -> bool:
        """Whether a frame that is sent now would wait."""
        return self.sent - self.left > self.most

    def leave(self, count: int) -> None:
        """So much has left of all that was ever sent."""
        self.left = count
        if self.drained is not None and not self.behind:
            called, self.drained = self.drained, None
            called()

    def send(self, count: int) -> None:
        """So many characters are handed to the terminal's file."""
        self.sent += count
        if self.metered is not None and self.behind:
            self.metered()


class Metered:
    """A terminal's file that tells its line what has left."""

    def __init__(self, file: IO[str], line: Line) -> None:
        self._file, self._line, self._taken = file, line, 0

    def write(self, text: str) -> Any:
        """As a file's, which waits for a slow terminal."""
        self._taken += len(text)
        return self._file.write(text)

    def flush(self) -> None:
        """As a file's."""
        self._file.flush()
        taken, self._taken = self._taken, 0
        if self._line.metered is None:
            self._line.leave(self._line.left + taken)

    def fileno(self) -> int:
        """As a file's."""
        return self._file.fileno()
