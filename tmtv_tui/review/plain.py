"""Reading cases line by line, in words: for a screen reader, or where no picture can be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tmtv_engine.case.folder import find_cases
from tmtv_engine.case.parts import without_background
from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_engine.review.session import refresh
from tmtv_engine.text import clean, counted
from tmtv_tui.review.names import to_reject
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.order import Order, arranged
from tmtv_tui.review.rows import BROKEN, LEFT, CaseRow, alias, case_row, order_of
from tmtv_tui.review.rules import rule_hits
from tmtv_tui.review.signing import sign_lines
from tmtv_tui.review.words import describe


class Command(NamedTuple):
    """A word that a reader types: its ``usage``, what it does, the method that does it."""

    usage: str
    words: str
    run: str


COMMANDS: dict[str, Command] = {
    "cases": Command("cases", "all cases, one a line", "cases"),
    "open": Command("open N", "open case N of that list", "open"),
    "next": Command("next", "open the next case that is to do", "next"),
    "list": Command("list [FILTER]", "lesions; undecided, neck, ml>2 …", "list"),
    "accept": Command("accept N…", "count these lesions", "accept"),
    "reject": Command("reject N… [WHY]", "do not count these lesions", "reject"),
    "split": Command("split N", "split into finer parts", "split"),
    "rule": Command("rule RULE", "reject by a rule: ml<2, organ=bladder …", "rule"),
    "names": Command("names", "reject all undecided that is named physiologic", "names"),
    "rest": Command("rest", "accept what counts and is undecided", "rest"),
    "undo": Command("undo", "take the last decision back", "step"),
    "redo": Command("redo", "and make it again", "step"),
    "method": Command("method KEY", "volumes by 41, 2.5, 30, otsu …", "method"),
    "note": Command("note WORDS", "a note", "note"),
    "flag": Command("flag", "flag the case, or take the flag away", "flag"),
    "totals": Command("totals", "what is undecided, totals, sites", "totals"),
    "warnings": Command("warnings", "what was warned of", "warnings"),
    "log": Command("log", "your decisions, the last first", "log"),
    "sign": Command("sign yes", "sign; without yes it says what would be signed", "sign"),
    "unsign": Command("unsign", "re-open what is signed", "unsign"),
    "help": Command("help", "these commands", "help"),
    "quit": Command("quit", "leave", "quit"),
}


class Plain:
    """One reader's session over the cases of ``out``; all it says goes to ``say``, line by line."""

    def __init__(
        self,
        out: Path,
        reader: str,
        say: Callable[[str], None],
        *,
        read_only: bool = False,
        blind: bool = False,
        seed: int | None = None,
    ) -> None:
        self.reader, self._say, self.read_only = reader, say, read_only
        self.blind = reader if blind else None
        paths = find_cases(out)
        self.paths = paths if seed is None else sorted(paths, key=lambda p: order_of(p.name, seed))
        self.opened: Opened | None = None
        self.chosen = ""
        self.done = False

    def run(self, lines: Iterable[str]) -> None:
        """Answer line after line, until ``quit`` or their end; nothing that fails ends it."""
        self.cases("")
        self._say("help lists the commands.")
        try:
            for line in lines:
                self.answer(line)
                if self.done:
                    break
        finally:
            self.close()

    def answer(self, line: str) -> None:
        """Do what one line says."""
        word, _, rest = clean(line, 1000).strip().partition(" ")
        command = COMMANDS.get(word.lower())
        if not word:
            return
        try:
            if command is None:
                raise UsageError(f"there is no command {word!r}", "help lists them.")
            text = word.lower() if command.run == "step" else rest.strip()
            getattr(self, command.run)(text)
        except Exception as error:  # of one case: the others can still be read
            known = isinstance(error, TmtvError)
            self._complain(str(error) if known else f"{type(error).__name__}: {error}")

    def _complain(self, told: str) -> None:
        """An error; blind it names no folder."""
        for path in self.paths if self.blind else ():
            told = told.replace(str(path), alias(path.name)).replace(path.name, alias(path.name))
        self.say(f"error: {told}")

    def say(self, text: str) -> None:
        """Lines, cleaned of whatever a file may hold."""
        for line in text.splitlines():
            self._say(clean(line, 1000))

    def cases(self, _: str) -> None:
        """All cases."""
        for k, path in enumerate(self.paths, start=1):
            self.say(f"case {k}: {_case_words(case_row(path, self.blind))}")
        if not self.paths:
            self.say("there are no cases here.")

    def open(self, text: str) -> None:
        """A case by its place in the list."""
        (number,), _ = _numbers(text)
        if not 1 <= number <= len(self.paths):
            raise UsageError(f"there is no case {number}", "cases lists them.")
        self.close()
        path = self.paths[number - 1]
        opened = Opened.of(path, self.reader)
        self.opened, self.chosen = opened, next(iter(opened.table.volume_ml))
        if not self.read_only:
            opened.open()
        self.say(f"{case_row(path, self.blind).name} is open.")
        self.list("")

    def next(self, _: str) -> None:
        """The first case that is neither signed nor flagged."""
        for k, path in enumerate(self.paths, start=1):
            here = self.opened is not None and self.opened.case.path == path
            if not here and case_row(path, self.blind).state in LEFT:
                self.open(str(k))
                return
        self.say("no other case is left to do.")

    def list(self, text: str) -> None:
        """The lesions of the case, or those that a filter takes."""
        o = self._case()
        shown, _ = arranged(o, self.chosen, Order(only=text, unfolded=True))
        for number in shown:
            if number:
                self.say(_lesion_words(o, self.chosen, number))
        self.say(f"{counted(sum(n > 0 for n in shown), 'lesion')}. {_total_words(o, self.chosen)}")

    def accept(self, text: str) -> None:
        """Count lesions."""
        numbers, _ = _numbers(text)
        self._decide(Decision(Action.ACCEPT, numbers))

    def reject(self, text: str) -> None:
        """Do not count lesions."""
        numbers, why = _numbers(text)
        self._decide(Decision(Action.REJECT, numbers, reason=why or None))

    def split(self, text: str) -> None:
        """Split a lesion."""
        numbers, _ = _numbers(text)
        self._decide(Decision(Action.SPLIT, numbers))
        o = self._case()
        if told := without_background(o.methods, o.reading.splits[numbers[0]]):
            self.say(f"{told}.")

    def rule(self, text: str) -> None:
        """Reject by rule."""
        hits = rule_hits(self._case(), self.chosen, text)
        lesions = tuple(sorted((*hits.ids, *hits.candidates)))
        if not lesions:
            self.say("the rule takes no lesion.")
            return
        self._decide(Decision(Action.REJECT, lesions, reason=f"rule {text}"))

    def names(self, _: str) -> None:
        """Reject by name."""
        named = to_reject(self._case())
        for name, lesions in named.items():
            self._decide(Decision(Action.REJECT, lesions, reason=name))
        if not named:
            self.say("nothing undecided is named physiologic.")

    def rest(self, _: str) -> None:
        """Accept what counts already."""
        reading = self._case().reading
        left = [n for n in reading.status if reading.decided_by[n] is None]
        rest = tuple(n for n in left if reading.status[n] is Status.ACCEPTED)
        if rest:
            self._decide(Decision(Action.ACCEPT, rest))
        self.say(f"{counted(len(left) - len(rest), 'candidate')} undecided, not counted.")

    def step(self, action: str) -> None:
        """Undo or redo."""
        self._decide(Decision(action))

    def method(self, text: str) -> None:
        """Volumes by another method."""
        o = self._case()
        self.chosen = o.add_method(text)
        self.say(_total_words(o, self.chosen))

    def note(self, text: str) -> None:
        """A note."""
        if not text:
            raise UsageError("which words?", COMMANDS["note"].usage)
        self._decide(Decision(Action.NOTE, text=text))

    def flag(self, _: str) -> None:
        """Flag the case, or take the flag away."""
        flagged = self._case().reading.flagged
        self._decide(Decision(Action.UNFLAG if flagged else Action.FLAG))
        self.say("the flag is gone." if flagged else "flagged.")

    def totals(self, _: str) -> None:
        """What would be signed."""
        self.say("\n".join(x for x in sign_lines(self._case(), self.chosen) if x))

    def warnings(self, _: str) -> None:
        """The warnings of the prediction."""
        told = [f"{w.code}: {w.message}" for w in self._case().case.record.warnings]
        self.say("\n".join(told) or "nothing was warned of.")

    def log(self, _: str) -> None:
        """One's decisions."""
        lines = [describe(line) for line in reversed(self._case().reading.lines)]
        self.say("\n".join(lines) or "nothing was decided.")

    def sign(self, text: str) -> None:
        """Sign after having heard what."""
        if text != "yes":
            self.totals("")
            self.say("To sign this: sign yes")
            return
        self._decide(Decision(Action.SIGN))
        self.say(f"signed: {self._case().reading.signed}")

    def unsign(self, _: str) -> None:
        """Re-open."""
        self._decide(Decision(Action.UNSIGN))
        self.say("re-opened.")

    def help(self, _: str) -> None:
        """The commands."""
        for command in COMMANDS.values():
            self.say(f"{command.usage}: {command.words}")

    def quit(self, _: str) -> None:
        """Leave."""
        self.done = True

    def close(self) -> None:
        """Bound the reading time; `case.json` follows the journal."""
        if self.opened is not None and not self.read_only:
            self.opened.close()
            refresh(self.opened.case)
        self.opened = None

    def _case(self) -> Opened:
        if self.opened is None:
            raise UsageError("no case is open", "open N, or next.")
        return self.opened

    def _decide(self, decision: Decision) -> None:
        o = self._case()
        if self.read_only:
            raise UsageError("read only: nothing is recorded", "Leave out --read-only.")
        before = dict(o.reading.status)
        o.decide(decision)
        now = o.reading.status
        for number in now:
            if number in decision.lesions or now[number] != before.get(number):
                self.say(_lesion_words(o, self.chosen, number))
        self.say(_total_words(o, self.chosen))


def _numbers(text: str) -> tuple[tuple[int, ...], str]:
    """The numbers that a text begins with, and the words after them."""
    words = text.replace(",", " ").split()
    count = next((k for k, w in enumerate(words) if not w.lstrip("#").isdecimal()), len(words))
    numbers = tuple(int(w.lstrip("#")[:9]) for w in words[:count])
    if not numbers:
        raise UsageError("which number?", "accept 3, reject 2 5 bladder, open 1.")
    return numbers, " ".join(words[count:])


def _case_words(row: CaseRow) -> str:
    if row.state == BROKEN:
        return f"{row.name}, broken: {row.broken}"
    told = [row.name, str(row.state)]
    told += [counted(row.lesions, "lesion"), counted(row.candidates, "candidate")]
    told += [f"{ml:.1f} mL by {key}" for key, ml in list(row.reviewed.items())[:1]]
    return ", ".join(told)


def _lesion_words(o: Opened, key: str, number: int) -> str:
    """A lesion in the order in which a listener needs it."""
    row, reading, known = o.reading.lesions.row(number), o.reading, o.origin(number)
    told = [f"lesion {number}", str(reading.status[number])]
    told[1] += "" if reading.decided_by[number] is not None else ", undecided"
    if known is not None and known.structure is not None:
        told.append(f"{known.structure.name} {round(100 * known.structure.p)} percent")
    told += [known.region] if known is not None and known.region else []
    told.append(f"{o.table.volume_ml[key][row]:.1f} mL by {key}")
    told.append(f"SUV max {o.table.suv_max[row]:.1f}")
    why = reading.reasons.get(number)
    return ", ".join([*told, *([f"because {why}"] if why else [])])


def _total_words(o: Opened, key: str) -> str:
    ml, _, count = o.table.total(key, o.reading.accepted)
    lesions = counted(count, "lesion")
    return f"TMTV by {key}: {ml:.1f} mL in {lesions}; predicted {o.before[key][0]:.1f} mL."
