"""What a reader is asked or told in a case: rules, methods, notes, signature, log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmtv_engine.errors import TmtvError
from tmtv_engine.review.journal import Decision, journals
from tmtv_engine.review.line import Action
from tmtv_engine.review.reading import Reading, reading_of
from tmtv_engine.text import counted
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.rules import EXPLAINED, rule_hits
from tmtv_tui.review.signing import sign_lines
from tmtv_tui.review.words import describe
from tmtv_tui.screens.compare import CompareScreen
from tmtv_tui.screens.dialogs import Ask, Confirm, Page
from tmtv_tui.screens.lists import ListScreen
from tmtv_tui.screens.slices import SliceScreen
from tmtv_tui.widgets.lesions import LesionTable

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp


class AskingScreen(SliceScreen, ListScreen):
    """`decide` records; what is asked here comes to it."""

    app: ReviewApp

    def settle(self, before: Reading) -> None:
        """Draw what decisions changed."""
        raise NotImplementedError

    def reject_marked(self) -> None:
        """Reject the marked lesions."""
        raise NotImplementedError

    def use(self, key: str) -> None:
        """Show this method first."""
        raise NotImplementedError

    def action_many(self) -> None:
        """Reject what is marked; else ask for a rule and show what it would take."""
        o = self.opened
        if o is None:
            return
        if self.query_one(LesionTable).marked:
            self.reject_marked()
            return
        self.ask_rule("ml<1")

    def ask_rule(self, rule: str) -> None:
        """Ask for a rule, ``rule`` to begin with, and show what it would take."""
        o = self.opened
        if o is None:
            return
        key = self.app.method_of(o)

        def preview(rule: str) -> str:
            try:
                ids, ml, candidates = rule_hits(o, key, rule)
            except TmtvError as error:
                return f"{error.what}\n{EXPLAINED}"
            count = counted(len(ids), "lesion")
            told = f"rejects {count}, {ml:.1f} mL by {key}: {' '.join(f'#{n}' for n in ids)}"
            listed = " ".join(f"#{n}" for n in candidates)
            return (
                f"{told}\nand {counted(len(candidates), 'candidate')}: {listed}"
                if candidates
                else told
            )

        def done(rule: str | None) -> None:
            if rule is None:
                return
            try:
                ids, _, candidates = rule_hits(o, key, rule)
            except TmtvError as error:
                self.complain(str(error))
                return
            if ids or candidates:
                lesions = tuple(sorted((*ids, *candidates)))
                self.decide(Decision(Action.REJECT, lesions, reason=f"rule {rule.strip()}"))

        title = "Reject by rule: ml<2, suvmax<3, organ=bladder, z<-600 … or draw a box"
        self.app.push_screen(Ask(title, rule, preview), done)

    def action_method(self) -> None:
        """The next method in the totals."""
        if self.opened is not None:
            keys = list(self.opened.table.volume_ml)
            at = keys.index(self.app.method_of(self.opened))
            self.use(keys[(at + 1) % len(keys)])

    def action_type_method(self) -> None:
        """Any percentage of SUVmax, any SUV, or a named method."""

        def done(text: str | None) -> None:
            if not text or self.opened is None:
                return
            try:
                self.use(self.opened.add_method(text.strip()))
            except TmtvError as error:
                self.complain(str(error))

        self.app.push_screen(Ask("Method: 10–99 (% of SUVmax), an SUV, otsu, prob, a50p …"), done)

    def action_note(self) -> None:
        """Write a note."""

        def done(text: str | None) -> None:
            if text and text.strip():
                self.decide(Decision(Action.NOTE, text=text))

        self.app.push_screen(Ask("Note"), done)

    def action_flag(self) -> None:
        """Flag the case, or take the flag away."""
        if self.opened is not None:
            self.decide(Decision(Action.UNFLAG if self.opened.reading.flagged else Action.FLAG))

    def action_sign(self) -> None:
        """Sign after a look at what is signed, or re-open what is signed."""
        o = self.opened
        if o is None:
            return
        if self.app.read_only:
            self.complain("read only: nothing is recorded")
            return
        name, signed = self.app.name_of(o.case.name), o.reading.signed
        title = f"Re-open {name}?" if signed else f"Sign {name} as {self.app.reader}?"
        lines = sign_lines(o, self.app.method_of(o))
        if signed:
            lines = [f"It is signed: {signed}", "Your decisions stay; it counts as unsigned then."]

        def done(go: bool | None) -> None:
            asked = Decision(Action.UNSIGN if signed else Action.SIGN)
            if go and self.decide(asked) and not signed:
                self.notify(f"signed: {o.reading.signed}", markup=False)

        self.app.push_screen(Confirm(title, lines), done)

    def action_warnings(self) -> None:
        """The warnings in full."""
        if self.opened is not None:
            lines = [f"{w.code}: {w.message}" for w in self.opened.case.record.warnings]
            self.app.push_screen(Page("Warnings", lines))

    def action_log(self) -> None:
        """What this reader decided, the last first."""
        if self.opened is not None:
            lines = [describe(line) for line in reversed(self.opened.reading.lines)]
            self.app.push_screen(Page(f"Decisions of {self.app.reader}", lines))

    def action_compare(self) -> None:
        """What another reader decided otherwise."""
        o = self.opened
        if o is None:
            return
        if self.app.blind:
            self.complain("a blind reading shows no other reader")
        elif self.app.compare:
            self._compare(o, self.app.compare)
        else:
            names = [p.name.removesuffix(".jsonl") for p in journals(o.case.path)]
            listed = "  ".join(n for n in names if n != self.app.reader) or "no other reader yet"

            def done(text: str | None) -> None:
                if text and text.strip():
                    self._compare(o, text.strip())

            self.app.push_screen(Ask("Compare with which reader?", preview=lambda _: listed), done)

    def _compare(self, o: Opened, reader: str) -> None:
        try:
            theirs = reading_of(o.case, reader)
        except TmtvError as error:
            self.complain(str(error))
            return

        def done(lesion: int | None) -> None:
            if lesion is not None:
                self.query_one(LesionTable).go(lesion)

        self.app.push_screen(CompareScreen(o, theirs, self.decide, self.settle), done)
