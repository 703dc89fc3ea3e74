"""A training's own study: each set of its `split.csv` predicted, and reported against its ROIs.

What the paper tells of its sets in sections 3.1 to 3.4 is in each set's report: Dice, Table 2, the
figures, the counts of ROIs, the readers' time where they have read. `evaluation.csv` lays the sets
side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tmtv_engine.batch import Outcome, run_batch
from tmtv_engine.cluster import Cluster
from tmtv_engine.files import PRIVATE, dump_json, make_folder, utc_now, write_text
from tmtv_engine.model.finders import Finder
from tmtv_engine.pipeline import CaseConfig
from tmtv_engine.report.cohort import numbers
from tmtv_engine.report.folders import with_reference
from tmtv_engine.report.write import write_report
from tmtv_engine.study.found import Stock
from tmtv_engine.text import csv_text

SCHEMA = "tmtv.evaluation/1"
COLUMNS = ("set", "method", "n", "dice_median", "dice_mean", "dice_sd", "tmtv_ref_ml")
MORE = ("tmtv_ml", "bias_ml", "loa_low_ml", "loa_high_ml", "ccc", "raw_dice_mean")


@dataclass(frozen=True)
class Evaluated:
    """One set: its report's numbers, how many of its studies failed, the report's files."""

    name: str
    report: Mapping[str, Any]
    failures: int = 0
    files: Sequence[Path] = field(default_factory=tuple)


def evaluate(
    sets: Mapping[str, Stock],
    finder: Finder,
    config: CaseConfig,
    *,
    jobs: int = 1,
    cluster: Cluster | None = None,
    load: Callable[[], Finder] | None = None,
    fresh: bool = False,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> Iterator[Evaluated]:
    """Predict each set into ``config.out/<set>/cases`` and report it into ``<set>/report``.

    Cases that are there are taken as a batch takes them; the readings of record count. With
    ``cluster`` and ``load`` its workers predict and compare (`run_batch`).
    Raises `UsageError` where no case of a set can be compared.
    """
    for name, stock in sets.items():
        if not stock.studies:
            continue
        out = make_folder(config.out / name)
        failed = len(stock.failures)
        mine = replace(config, out=out / "cases")
        how: Any = {"jobs": jobs, "cluster": cluster, "load": load, "fresh": fresh}
        for outcome in run_batch(stock.studies, finder, mine, **how):
            failed += outcome.state == "failed"
            done(outcome)
        manifest = out / "reference.csv"
        rows = [[s.case, s.roi, s.extra.get("subtype", "")] for s in stock.studies]
        write_text(manifest, csv_text([["case", "roi", "subtype"], *rows]), PRIVATE)
        cohort = with_reference([out / "cases"], manifest, jobs=1, cluster=cluster)
        found = numbers(cohort)
        files = write_report(out / "report", cohort, found)
        yield Evaluated(name, found, failed, files)


def write_evaluation(out: Path, found: Sequence[Evaluated], model: Mapping[str, Any]) -> list[Path]:
    """Write `evaluation.json` and `evaluation.csv`, a row a set and method."""
    record = {
        "schema": SCHEMA,
        "created": utc_now(),
        "model": dict(model),
        "sets": {one.name: {"failed": one.failures, **one.report} for one in found},
    }
    paths = [out / "evaluation.json", out / "evaluation.csv"]
    dump_json(paths[0], record)
    write_text(paths[1], csv_text([[*COLUMNS, *MORE], *rows(found)]))
    return paths


def rows(found: Sequence[Evaluated]) -> list[list[Any]]:
    """A row a set and method, in the order of ``COLUMNS`` and ``MORE``."""
    return [
        [
            one.name,
            key,
            m["n"],
            *(m["dice"][k] for k in ("median", "mean", "sd")),
            *(m[side]["median"] for side in ("tmtv_ref_ml", "tmtv_ml")),
            *(m["bland_altman"][k] for k in ("bias_ml", "loa_low_ml", "loa_high_ml")),
            m["ccc"]["value"],
            _raw(one.report, key),
        ]
        for one in found
        for key, m in one.report["methods"].items()
    ]


def _raw(report: Mapping[str, Any], key: str) -> float | None:
    """Mean Dice of the uncut prediction against the manual ROIs under a method (paper 3.2)."""
    own = (report.get("raw") or {}).get(key) or {}
    found = (own.get("dice") or {}).get("mean")
    return None if found is None else float(found)
