"""``tmtv add``, ``erase``, ``merge``: repairs from a script, each with a preview in mL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_tui.cli import console, decide, options

if TYPE_CHECKING:
    from tmtv_engine.case.folder import Case
    from tmtv_engine.lesion.edit import Point
    from tmtv_engine.review.journal import Decision
    from tmtv_engine.review.reading import Reading
    from tmtv_engine.review.session import Session

POINT: Any = typer.Argument(..., metavar="x,y,z", help="A point in LPS mm.")
PREVIEW: Any = typer.Option(False, "--preview", help="Say what it would do; record nothing.")
MINUS: Any = {"ignore_unknown_options": True}  # a point may begin with a minus sign

FURTHEST_MM = 10_000.0


def add(
    case: Path = decide.CASE,
    point: str = POINT,
    above: str | None = typer.Option(
        None,
        "--above",
        metavar="SUV|P%",
        help="What is above: 2.5 (default), or 41% of the highest near.",
    ),
    within: float = typer.Option(60.0, "--within", metavar="MM", help="How far from the point."),
    into: int | None = typer.Option(None, "--into", metavar="N", help="Grow this lesion by it."),
    model: str | None = typer.Option(
        None,
        "--model",
        metavar="MODEL",
        help="Ask this interactive model instead.",
    ),
    background: list[str] | None = typer.Option(
        None, "--background", metavar="x,y,z", help="With --model: a point that is no tumour."
    ),
    channels: str | None = options.CHANNELS,
    tumour_label: str | None = options.TUMOUR_LABEL,
    device: str = options.DEVICE,
    preview: bool = PREVIEW,
    reader: str | None = decide.READER,
    as_json: bool = options.JSON,
) -> int:
    """Add a lesion at a point, or more of one.

    What is above an SUV around it, or what an interactive model says.
    """
    place = _point(point, "the point")
    others = [_point(text, "--background") for text in background or ()]
    if model is None and (others or channels or tumour_label):
        raise UsageError("which model?", "--background and --channels go with --model NAME.")
    if model is not None and above is not None:
        raise UsageError("--above and --model: one of them", "A model needs no SUV.")

    def decision(session: Session) -> Decision:
        if model is None:
            from tmtv_engine.review.repairs import FLOOR_SUV
            from tmtv_engine.review.repairs import add as added

            suv = FLOOR_SUV if above is None else above
            return added(session.replayer.pet, place, suv, within, into)
        from tmtv_engine.model.registry import load, told
        from tmtv_engine.review.asked import ask

        asked = load(model, device, told(channels, tumour_label))
        for said in asked.warnings:
            console.say(said.message)
        return ask(session, asked, place, others, within, into)

    return _repaired(case, reader, decision, preview, as_json)


def erase(
    case: Path = decide.CASE,
    lesion: int = typer.Argument(..., metavar="N", help="The lesion's number."),
    sphere: list[str] | None = typer.Option(
        None, "--sphere", metavar="x,y,z,r", help="What lies in this sphere (LPS mm)."
    ),
    above: float | None = typer.Option(None, "--above", metavar="SUV", help="What is above it."),
    below: float | None = typer.Option(
        None, "--below", metavar="SUV", help="What is not above it: the lesion shrinks to the rest."
    ),
    preview: bool = PREVIEW,
    reader: str | None = decide.READER,
    as_json: bool = options.JSON,
) -> int:
    """Take voxels out of a lesion.

    Those in a sphere, above an SUV, or not above one.
    """
    spheres = [_numbers(text, 4, "--sphere") for text in sphere or ()]
    if any(s[3] <= 0 for s in spheres):
        raise UsageError("--sphere: its radius must be above 0", "Give x,y,z,r in mm.")
    if (len(spheres) > 0) + (above is not None) + (below is not None) != 1:
        raise UsageError("what is to be erased?", "Give --sphere, --above or --below, one of them.")

    def decision(session: Session) -> Decision:
        from tmtv_engine.review.repairs import erase as erased

        return erased(lesion, [(s[0], s[1], s[2], s[3]) for s in spheres], above, below)

    return _repaired(case, reader, decision, preview, as_json)


def merge(
    case: Path = decide.CASE,
    lesions: list[str] = decide.LESIONS,
    preview: bool = PREVIEW,
    reader: str | None = decide.READER,
    as_json: bool = options.JSON,
) -> int:
    """Make one lesion of several; it keeps the lowest number."""
    numbers = decide.numbers(lesions)

    def decision(session: Session) -> Decision:
        from tmtv_engine.review.repairs import merge as merged

        return merged(numbers)

    return _repaired(case, reader, decision, preview, as_json)


def _point(text: str, what: str) -> Point:
    x, y, z = _numbers(text, 3, what)
    return x, y, z


def _numbers(text: str, count: int, what: str) -> tuple[float, ...]:
    found = console.numbers(text, count, what)
    if not all(abs(n) <= FURTHEST_MM for n in found):  # NaN is none either
        raise UsageError(f"{what} {text!r} lies in no scan", "Give LPS mm, as the app shows them.")
    return found


def _repaired(
    path: Path,
    reader: str | None,
    decision: Callable[[Session], Decision],
    preview: bool,
    as_json: bool,
) -> int:
    """Record a repair, or only say what it would do."""
    from tmtv_engine.case.folder import read_case
    from tmtv_engine.review.session import Session, record

    case, who = read_case(path), decide.named(reader)
    session = Session(case, who)
    before, what = session.reading, decision(session)
    if preview:
        return _told(case, before, session.preview(what), as_json)
    after = record(case, what, who, answer=session.replayer.tools.answers.get(what.text or ""))
    line = after.lines[-1]
    rows = [n for n in line.lesions if n in after.status]
    for number in rows:
        span = after.lesions.span(after.lesions.row(number))
        ml = (span.stop - span.start) * after.lesions.grid.voxel_ml
        console.say(f"{line.action}: lesion {number} has {ml:.1f} mL uncut, {after.status[number]}")
    return decide.shown(path, as_json)


def _told(case: Case, before: Reading, after: Reading, as_json: bool) -> int:
    """The mL by every method before and after, and those of the lesion itself."""
    from tmtv_engine.case.cuts import Cuts

    line = after.lines[-1]
    number = line.lesions[0]
    sums = []
    for reading in (before, after):
        cuts = Cuts.of_record(case.record, reading.lesions, reading.around)
        there = number in reading.status
        row = reading.lesions.row(number) if there else 0
        sums.append(
            {
                m.key: (
                    cuts.total(m, reading.accepted).tmtv_ml,
                    float(cuts.measure(m).volume_ml[row]) if there else 0.0,
                )
                for m in cuts.methods
            }
        )
    rows = [
        {
            "case": case.name,
            "action": str(line.action),
            "lesion": number,
            "method": key,
            "lesion_before_ml": sums[0][key][1],
            "lesion_ml": own,
            "tmtv_before_ml": sums[0][key][0],
            "tmtv_ml": total,
        }
        for key, (total, own) in sums[1].items()
    ]
    if as_json:
        for told in rows:
            console.out_json(told)
    else:
        cells = [[f"{v:.1f}" if isinstance(v, float) else str(v) for v in r.values()] for r in rows]
        console.table([k.replace("_", " ") for k in rows[0]], cells)
    console.say("a preview: nothing was recorded")
    return 0
