"""The keys of a screen in its last line: one widget, where Textual's own takes one a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static


@dataclass
class Key:
    """An action of a screen: its keys as they are shown, its words."""

    action: str
    words: str
    show: bool
    keys: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """All keys."""
        return " ".join(self.keys)


def keys_of(screen: Screen[Any]) -> list[Key]:
    """What a screen can do, in its own order, with the keys of the reader's settings."""
    found = {
        b.action: Key(b.action, b.description, b.show)
        for b in type(screen).BINDINGS
        if isinstance(b, Binding) and b.description
    }
    for node, binding, enabled, _ in screen.active_bindings.values():
        if node is screen and enabled and binding.action in found:
            shown = screen.app.get_key_display(binding)
            if shown not in found[binding.action].keys:
                found[binding.action].keys.append(shown)
    return [key for key in found.values() if key.keys]


class KeyBar(Static):
    """The keys that are to be shown; each can be clicked."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $footer-background; color: $footer-foreground;
             text-wrap: nowrap; text-overflow: ellipsis; link-style: none;
             link-color: $footer-foreground; link-background: $footer-background; }
    """

    def on_mount(self) -> None:
        """Write the keys, and that of the command palette."""
        palette = Key("app.command_palette", "commands", True, ["^p"])
        parts = []
        for key in [*keys_of(self.screen), palette]:
            if key.show:
                whose = "" if key.action.startswith("app.") else "screen."
                click = Style.from_meta({"@click": f"{whose}{key.action}"})
                name = Content.styled(f" {key.name} ", "bold $footer-key-foreground")
                parts.append(name + Content(f"{key.words} ").stylize(click))
        self.update(Content("").join(parts))
