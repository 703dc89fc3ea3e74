"""The keys of a screen in its last line: one widget, where Textual's own takes one a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from textual.binding import Binding
from textual.content import Content
from textual.notifications import Notification
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static

TASKS: dict[str, str] = {
    "": "",
    "decide": "help back accept reject undo next=next names=named many=rule sign method slice "
    "split sort filter rest=rest note flag",
    "marked": "help accept=accept_marked reject=reject_marked mark range undo",
    "fold": "help back names=reject_them fold=open undo sign",
    "slices": "help slice=back accept reject undo next=next slice_back slice_on slices_on "
    "views=planes ct=CT distance=distance zoom_in lighter ct_window",
    "signed": "help back sign=re-open previous following log slice method",
}
"""Which actions, by their id, the last line names while a task is at hand, and in which word where
not in their own; none: those of the screen that are to be shown."""
PALETTE_KEY = "^p"


@dataclass
class Key:
    """An action of a screen: its keys as they are shown, its words, its name in the settings."""

    action: str
    words: str
    show: bool
    id: str | None = None
    keys: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """All keys."""
        return " ".join(self.keys)


def bindings_of(kind: type[Screen[Any]]) -> list[Binding]:
    """The bindings of a kind of screen, its own before those of what it is made from."""
    own = [c.__dict__.get("BINDINGS", ()) for c in kind.__mro__ if c.__module__.startswith("tmtv")]
    return [b for found in own for b in found if isinstance(b, Binding)]


def keys_of(screen: Screen[Any]) -> list[Key]:
    """What a screen can do, in its own order, with the keys of the reader's settings."""
    found: dict[str, Key] = {}
    for b in bindings_of(type(screen)):
        if b.description:
            found.setdefault(b.action, Key(b.action, b.description, b.show, b.id))
    for node, binding, enabled, _ in screen.active_bindings.values():
        if node is screen and enabled and binding.action in found:
            shown = screen.app.get_key_display(binding)
            if shown not in found[binding.action].keys:
                found[binding.action].keys.append(shown)
    return [key for key in found.values() if key.keys]


class KeyBar(Static):
    """The keys of the task at hand, each can be clicked; in their place what the app has to say,
    for as long as that stands, so that it covers nothing."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: auto; max-height: 4; background: $footer-background;
             color: $footer-foreground; link-style: none;
             link-color: $footer-foreground; link-background: $footer-background; }
    KeyBar.keys { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False, classes="keys")
        self._doing = ""
        self._told: list[Notification] = []

    def on_mount(self) -> None:
        """Write the keys."""
        self._write()

    def show(self, task: str) -> None:
        """The keys of a task (of `TASKS`)."""
        if task != self._doing:
            self._doing = task
            self._write()

    def tell(self, told: Sequence[Notification]) -> None:
        """What the app has to say at present; nothing: the keys again."""
        if list(told) != self._told:
            self._told = list(told)
            self._write()

    def _write(self) -> None:
        self.set_class(not self._told, "keys")
        self.update(self._words() if self._told else self._keys())

    def _words(self) -> Content:
        last = self._told[-3:]
        marks = {"error": "✗ ", "warning": "! "}
        lines = [Content(marks.get(n.severity, "") + n.message) for n in last]
        return Content("\n").join(line.stylize("bold reverse") for line in lines)

    def _keys(self) -> Content:
        palette = Key("app.command_palette", "commands", True, keys=[PALETTE_KEY])
        known = keys_of(self.screen)
        chosen = _chosen(known, TASKS[self._doing]) or [key for key in known if key.show]
        parts = []
        for key in [*chosen, palette]:
            whose = "" if key.action.startswith("app.") else "screen."
            click = Style.from_meta({"@click": f"{whose}{key.action}"})
            name = Content.styled(f" {key.name} ", "bold $footer-key-foreground")
            parts.append(name + Content(f"{key.words} ").stylize(click))
        return Content("").join(parts)


def _chosen(known: Sequence[Key], task: str) -> list[Key]:
    """The keys of a task in its order, in the task's words."""
    named = {key.id: key for key in known}
    found = []
    for name, _, words in (word.partition("=") for word in task.split()):
        if name in named:
            short = words.replace("_", " ") or named[name].words.split(",")[0]
            found.append(replace(named[name], words=short))
    return found
