"""``tmtv evaluate``: a training's own study, in one command."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_tui.cli import console, options

if TYPE_CHECKING:
    from tmtv_engine.batch import Outcome

SETS = ("train", "val", "test")
HEADER = ("set", "method", "n", "Dice", "mean ± SD", "ref. mL", "pred. mL", "bias mL", "limits mL")


def evaluate(
    run: Path = typer.Argument(..., metavar="RUN", help="What tmtv train wrote."),
    out: Path | None = typer.Option(
        None, "-o", "--out", metavar="FOLDER", help="Default: RUN/evaluation."
    ),
    sets: list[str] | None = typer.Option(
        None, "--set", metavar="SET", help="train, val or test (default: all). May be repeated."
    ),
    method: list[str] | None = options.METHOD,
    device: str = options.DEVICE,
    jobs: int = options.JOBS,
    scheduler: str | None = options.SCHEDULER,
    fresh: bool = options.FRESH,
    as_json: bool = typer.Option(False, "--json", help="evaluation.json on stdout, as one line."),
    quiet: bool = options.QUIET,
) -> int:
    """Predict a run's own sets and report each against its ROIs.

    Dice, tables, figures.
    """
    from tmtv_engine.batch import evaluate as engine
    from tmtv_engine.cluster import held
    from tmtv_engine.files import load_json
    from tmtv_engine.model import finders
    from tmtv_engine.model import registry as models
    from tmtv_engine.pipeline import CaseConfig
    from tmtv_engine.study.split import read_split

    console.VOICE.quiet = quiet
    asked = [options.choice(name, SETS, "--set") for name in sets or SETS]
    found = read_split(run, asked)
    if not any(stock.studies for stock in found.values()):
        raise UsageError(f"{run}: nobody is in the set {', '.join(asked)}", "See its split.csv.")
    for failure in (f for stock in found.values() for f in stock.failures):
        console.failed(failure.error, str(failure.path))
    model = models.load(str(run), device)
    progress = console.Progress(sum(len(stock.studies) for stock in found.values()))
    place = out or run / "evaluation"
    config = CaseConfig(place, options.methods_of(method, None), say=progress.stage)

    def done(outcome: Outcome) -> None:
        progress.case_done(outcome.state == "done")
        if outcome.case is None:
            console.failed(outcome.error or TmtvError("no reason is known"), outcome.place)

    finder = finders.finder_of(model)
    how: Any = {"jobs": jobs, "fresh": fresh, "done": done}
    whole: Any = {"rule": "paper", "min_ml": 0.0, "split": True}  # as `finder_of` has them
    load = partial(finders.load, str(run.absolute()), "auto", models.Told(), **whole)
    with held(options.cluster_of(scheduler, jobs)) as cluster:
        told = list(engine.evaluate(found, finder, config, cluster=cluster, load=load, **how))
    files = engine.write_evaluation(place, told, model.record)
    if as_json:
        console.out_json(load_json(files[0]))
    else:
        console.table(HEADER, [_row(row) for row in engine.rows(told)])
    console.say(f"a report a set and {files[1].name} are in {place}")
    return 1 if any(one.failures for one in told) else 0


def _row(row: Sequence[Any]) -> list[str]:
    name, key, n, median, mean, sd, ref, pred, bias, low, high, *_ = row
    dice = [console.number(v, 2) for v in (median, mean, sd)]
    volumes = [console.number(v) for v in (ref, pred, bias)]
    limits = f"{console.number(low)} to {console.number(high)}"
    return [name, key, str(n), dice[0], f"{dice[1]} ± {dice[2]}", *volumes, limits]
