"""The keys of a screen in its last line: one widget, where Textual's own takes one a key."""

from __future__ import annotations

from textual.binding import Binding
from textual.content import Content
from textual.style import Style
from textual.widgets import Static


class KeyBar(Static):
    """The bindings of the screen that are to be shown, in their order; each can be clicked."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $footer-background; color: $footer-foreground;
             text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def on_mount(self) -> None:
        """Write the keys, as the reader's own settings have them."""
        order = [b.action for b in type(self.screen).BINDINGS if isinstance(b, Binding)]
        shown: dict[str, Content] = {}
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            if binding.show and enabled and binding.action not in shown:
                whose = "app" if node is self.app else "screen"
                click = Style.from_meta({"@click": f"{whose}.{binding.action}"})
                name = f" {self.app.get_key_display(binding)}"
                key = Content.styled(name, "bold $footer-key-foreground")
                shown[binding.action] = (key + f" {binding.description} ").stylize(click)
        known = sorted(shown, key=lambda k: order.index(k) if k in order else len(order))
        self.update(Content("").join(shown[action] for action in known))
