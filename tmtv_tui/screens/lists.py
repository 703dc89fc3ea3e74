"""The lesion list of a case: its order, what of it is shown, and many lesions settled at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tmtv_engine.errors import TmtvError
from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_engine.text import counted
from tmtv_tui.review.names import to_reject
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.order import BY_NUMBER, SORTS, following, matching
from tmtv_tui.screens.dialogs import Ask, Confirm
from tmtv_tui.screens.pictures import PictureScreen
from tmtv_tui.widgets.keybar import KeyBar
from tmtv_tui.widgets.lesions import LesionTable

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp

Hidden = partial(Binding, show=False)


class ListScreen(PictureScreen):
    """A screen with a `LesionTable`; what changes a reading comes to `decide`."""

    app: ReviewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("N", "names", "reject what is named physiologic", key_display="N", id="names"),
        Hidden("A", "rest", "accept the rest", key_display="A", id="rest"),
        Hidden("z,enter", "fold", "named candidates open or folded", key_display="z", id="fold"),
        Hidden("s", "sort", "sort", id="sort"),
        Hidden("slash", "filter", "filter", key_display="/", id="filter"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._asked: tuple[int, ...] = ()

    async def _dispatch_message(self, message: Message) -> None:
        """What a message makes fail, ends this screen and not the app."""
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            if not self.app.fail(error):
                raise

    def decide(self, decision: Decision) -> bool:
        """Record a decision and show it; False where it was refused."""
        raise NotImplementedError

    def complain(self, text: str) -> None:
        """Say what was refused."""
        self.notify(text, severity="error", markup=False)

    def which(self, lesions: Sequence[int]) -> str:
        """``#3``, ``#3 #5`` or ``#3 and 6 more``, with the organ's name where there is one."""
        told = " ".join(f"#{n}" for n in lesions[:3])
        return f"{told} and {len(lesions) - 3} more" if len(lesions) > 3 else told

    def listed(self) -> str:
        """How the list stands, where it is not as it was at first."""
        order = self.query_one(LesionTable).order
        words = [f"by {order.by}"] if order.by != BY_NUMBER else []
        return " ".join([*words, *([f"only {order.only!r}"] if order.only else [])])

    def footer(self) -> None:
        """The keys of what is being done."""
        o = self.opened
        table = self.query_one(LesionTable)
        task = "decide"
        if o is not None and o.reading.signed:
            task = "signed"
        elif table.marked:
            task = "marked"
        elif table.on_fold:
            task = "fold"
        elif self.slices:
            task = "slices"
        self.query_one(KeyBar).show(task)

    def action_names(self) -> None:
        """Propose to reject all that is named physiologic and undecided, by name."""
        o = self.opened
        if o is None:
            return
        named = to_reject(o)
        if not named:
            self.notify("nothing undecided is named physiologic", markup=False)
            return

        def done(go: bool | None) -> None:
            if go:
                for name, lesions in named.items():
                    if not self.decide(Decision(Action.REJECT, lesions, reason=name)):
                        break
                self._asked = ()
                self.say()

        title = "Reject what is named physiologic, each with its name as the reason?"
        self.app.push_screen(Confirm(title, _proposal(o, self.app.method_of(o), named)), done)

    def action_rest(self) -> None:
        """Accept what counts already and nobody decided."""
        o = self.opened
        if o is None:
            return
        reading, key = o.reading, self.app.method_of(o)
        left = [n for n in reading.status if reading.decided_by[n] is None]
        rest = tuple(n for n in left if reading.status[n] is Status.ACCEPTED)
        stay = len(left) - len(rest)
        if not rest:
            told = f"; {stay} candidates are undecided" if stay else ""
            self.notify(f"no lesion that counts is undecided{told}", markup=False)
            return
        ml = o.table.total(key, [reading.lesions.row(n) for n in rest])[0]
        lines = [f"{len(rest)} undecided, {ml:.1f} mL by {key}: {self.which(rest)}"]
        lines += [f"{stay} candidates stay candidates: they do not count."] if stay else []

        def done(go: bool | None) -> None:
            if go:
                self.decide(Decision(Action.ACCEPT, rest))

        self.app.push_screen(Confirm("Accept the rest?", lines), done)

    def action_fold(self) -> None:
        """Show the named candidates one by one, or their counted line alone."""
        table = self.query_one(LesionTable)
        table.reorder(replace(table.order, unfolded=not table.order.unfolded))

    def action_sort(self) -> None:
        """Another order of the list."""
        table = self.query_one(LesionTable)
        table.reorder(replace(table.order, by=following(SORTS, table.order.by)))
        self.say()

    def action_filter(self) -> None:
        """Show lesions that a rule takes or whose line holds words."""
        o, table = self.opened, self.query_one(LesionTable)
        if o is None:
            return

        def preview(only: str) -> str:
            try:
                return f"shows {counted(len(matching(o, self.app.method_of(o), only)), 'lesion')}"
            except TmtvError as error:
                return error.what

        def done(only: str | None) -> None:
            try:
                if only is not None:
                    matching(o, self.app.method_of(o), only)
                    table.reorder(replace(table.order, only=only.strip()))
                    self.say()
            except TmtvError as error:
                self.complain(error.what)

        title = "Show lesions: undecided, rejected, neck … or ml>2, organ=bladder; empty: all"
        self.app.push_screen(Ask(title, table.order.only, preview), done)


def _proposal(o: Opened, key: str, named: Mapping[str, tuple[int, ...]]) -> list[str]:
    """What of each name would be rejected, and what that takes from the total."""
    lines = []
    for name, lesions in named.items():
        rows = [o.reading.lesions.row(n) for n in lesions]
        counts = [k for k in rows if k in set(o.reading.accepted)]
        taken = o.table.total(key, counts)[0]
        more = f", {taken:.1f} mL of the total by {key}" if counts else ""
        lines.append(f"{name:<16} {' '.join(f'#{n}' for n in lesions)}{more}")
    return [*lines, "", "What you decided yourself stays. One undo (u) a name."]
