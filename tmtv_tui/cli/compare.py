"""``tmtv compare``: two time points of one patient."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from tmtv_tui.cli import console, options

HEADER = ("method", "measure", "baseline", "follow-up", "change", "%")
PLACES = ("fate", "baseline", "follow-up", "region", "SUVmax", "then", "apart mm")
SHOWN = {"tmtv_ml": ("TMTV mL", 1), "tlg_g": ("TLG g", 1), "suv_max": ("SUVmax", 2)}


def compare(
    baseline: Path = typer.Argument(..., metavar="BASELINE", help="The earlier case's folder."),
    followup: Path = typer.Argument(..., metavar="FOLLOWUP", help="The later case's folder."),
    out: Path | None = typer.Option(
        None, "-o", "--out", metavar="FOLDER", help="Folder for compare.json and places.csv."
    ),
    reader: str | None = options.JOURNALS,
    within: float = typer.Option(
        10.0,
        "--within",
        metavar="MM",
        min=0.0,
        help="Lesions at most so many mm apart are of one place.",
    ),
    liver_sphere: str | None = typer.Option(
        None,
        "--liver-sphere",
        metavar="x,y,z",
        help="Middle of a 3 cm sphere in the follow-up's liver, LPS mm.",
    ),
    blood_sphere: str | None = typer.Option(
        None,
        "--blood-sphere",
        metavar="x,y,z",
        help="Middle of a 16 mm sphere in its mediastinal blood, LPS mm.",
    ),
    organs: Path | None = typer.Option(
        None,
        "--organs",
        metavar="LABELS",
        help="Label map of the follow-up's organs: liver and aorta are taken.",
    ),
    other_id: bool = typer.Option(False, "--other-id", help="Take patients' ids that differ."),
    as_json: bool = typer.Option(False, "--json", help="compare.json on stdout, as one line."),
    quiet: bool = options.QUIET,
) -> int:
    """Compare two PETs of one patient.

    Lesions matched, ΔTMTV, ΔTLG, ΔSUVmax, Deauville, qPET.
    """
    from tmtv_engine.case.folder import read_case
    from tmtv_engine.files import dump_json, make_folder, write_text
    from tmtv_engine.followup.compare import compared, table
    from tmtv_engine.followup.references import Where
    from tmtv_engine.text import csv_text

    console.VOICE.quiet = quiet
    liver, blood = (
        None if told is None else console.numbers(told, 3, option)
        for told, option in ((liver_sphere, "--liver-sphere"), (blood_sphere, "--blood-sphere"))
    )
    where = Where(liver, blood, organs)  # type: ignore[arg-type]
    cases = read_case(baseline), read_case(followup)
    console.say("aligning the two bodies")
    found = compared(*cases, reader=reader, where=where, within_mm=within, other_id=other_id)
    if out is not None:
        make_folder(out)
        dump_json(out / "compare.json", found)
        write_text(out / "places.csv", csv_text(table(found)))
        console.say(f"compare.json and places.csv are in {out}")
    if as_json:
        console.out_json(found)
    else:
        _tell(found)
    return 0


def _tell(found: Mapping[str, Any]) -> None:
    rows = [
        [key, name, *_four(own[measure], digits)]
        for key, own in found["methods"].items()
        for measure, (name, digits) in SHOWN.items()
    ]
    console.table(HEADER, rows)
    places = [
        [
            place["fate"],
            " ".join(map(str, place["baseline"])) or "–",
            " ".join(map(str, place["followup"])) or "–",
            place["region"] or "–",
            *(console.number(place["suv_max"][k], 2) for k in ("baseline", "followup")),
            console.number(place["apart_mm"]),
        ]
        for place in found["places"]
    ]
    console.table(PLACES, places)
    answer = found["response"]
    for name in ("liver", "blood_pool"):
        region = answer[name]
        if region:
            told = f"mean {region['suv_mean']:.2f}, max {region['suv_max']:.2f}"
            console.say(f"{name.replace('_', ' ')}: {told} ({region['how']})")
    score = "–" if answer["deauville"] is None else str(answer["deauville"])
    qpet = console.number(answer["qpet"], 2)
    console.out(f"Deauville {score}, qPET {qpet} (computed, not read; research use only)")
    for warning in found["warnings"]:
        console.say(f"{warning['code']}: {warning['message']}")


def _four(told: Mapping[str, Any], digits: int) -> list[str]:
    keys = ("baseline", "followup", "change")
    return [*(console.number(told[k], digits) for k in keys), console.number(told["percent"])]
