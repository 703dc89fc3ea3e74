"""``report.html``: one file that opens offline, prints, and asks nothing of any server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tmtv_engine.report import words
from tmtv_engine.report.cohort import OVERLAPS, Cohort, Pair
from tmtv_engine.report.figures import Picture
from tmtv_engine.report.html import (
    Block,
    Column,
    Figure,
    Hashes,
    Section,
    Sortable,
    Table,
    Text,
    embedded,
    render,
    section,
    told,
)

WORST = 10
SHOWN = 200  # of what was left out


def page(cohort: Cohort, report: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """The whole page."""
    first, second = report["names"]
    groups = [("All patients", report["methods"]), *report["subtypes"].items()]
    figures = [figure(k, p, words.caption(p.name, report)) for k, p in enumerate(pictures, 1)]
    said = f"{report['n']} patients, {report['created']}. Differences are {second} minus {first}."
    parts = [
        section("", Text(said)),
        section("Dice by method", _dice(groups)) if _known(report, "dice") else None,
        section("Volumes (mL)", _volumes(groups, report["names"])),
        section("Agreement", _agreement(groups)),
        section("Tests and correlation", _tests(groups)),
        section("Overlap by voxel, mean ± SD", _overlaps(groups)) if _known(report) else None,
        *_lesions(report),
        section("", *figures),
        _worst(cohort),
        section("Patients", _patients(cohort)),
        left_out(report),
        *warned(report),
        section("Methods, for a paper", *map(Text, words.methods_text(report))),
        section("Versions and hashes", *hashes(report)),
    ]
    return render(f"TMTV: {second} against {first}", parts)


def _known(report: Mapping[str, Any], *keys: str) -> bool:
    return any(m[k]["n"] for m in report["methods"].values() for k in keys or OVERLAPS)


def _p_value(p: float | None) -> str:
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _with(value: float | None, ends: Sequence[float] | None, digits: int = 1) -> str:
    if not ends:
        return told(value, digits)
    return f"{told(value, digits)} ({told(ends[0], digits)} to {told(ends[1], digits)})"


def _spread(m: Mapping[str, Any], digits: int = 2) -> str:
    return f"{told(m['mean'], digits)} ± {told(m['sd'], digits)}" if m["n"] else "–"


def _dice(groups: Sequence[tuple[str, Any]]) -> Table:
    """The paper's Table 2."""
    keys = list(groups[0][1])
    rows: list[list[str]] = []
    for name, methods in groups:
        own = [methods[k]["dice"] if k in methods else None for k in keys]
        rows.append([name, "median (95 % CI)"])
        rows[-1] += [_with(d["median"], d["median_ci"], 2) if d else "–" for d in own]
        rows.append(["", "mean ± SD", *(_spread(d) if d else "–" for d in own)])
        rows.append(["", "n", *(str(d["n"]) if d else "0" for d in own)])
    return Table(["Group", "", *keys], rows)


def _volumes(groups: Sequence[tuple[str, Any]], names: Sequence[str]) -> Table:
    rows = []
    for group, methods in groups:
        for key, m in methods.items():
            for name, column in zip(names, ("tmtv_ref_ml", "tmtv_ml"), strict=True):
                v = m[column]
                values = [told(v[k]) for k in ("min", "max", "mean", "sd", "median", "q1", "q3")]
                rows.append([group, key, name, v["n"], *values])
    header = ["Group", "Method", "", "n", "min", "max", "mean", "SD", "median", "Q1", "Q3"]
    return Table(header, rows)


def _agreement(groups: Sequence[tuple[str, Any]]) -> Table:
    rows = []
    for group, methods in groups:
        for key, m in methods.items():
            b, log = m["bland_altman"], m["log_limits"]
            ratio = f"{told(log['ratio'], 2)} ({told(log['low'], 2)} to {told(log['high'], 2)})"
            kappas = ", ".join(f"{told(v['value'], 2)} at {c}" for c, v in m["kappa"].items())
            share = m["within_10"]["share"]
            agreed = "–" if share is None else f"{100 * share:.0f} %"
            limits = f"{told(b['loa_low_ml'])} to {told(b['loa_high_ml'])}"
            bias = _with(b["bias_ml"], b["bias_ci"])
            rows.append([group, key, m["n"], bias, limits, ratio, agreed, kappas])
    header = ["Group", "Method", "n", "Bias mL (95 % CI)", "Limits mL", "Ratio (limits)"]
    return Table([*header, "≤ 10 % or 10 mL", "κ (at mL)"], rows)


def _tests(groups: Sequence[tuple[str, Any]]) -> Table:
    rows = [
        [group, key, m["n"], _with(m["median_difference_ml"], m["median_difference_ci"])]
        + [_p_value(m["t_test"]["p"]), _p_value(m["wilcoxon"]["p"])]
        + [_with(m["spearman"]["rho"], m["spearman"]["ci"], 2), told(m["pearson"]["r"], 2)]
        + [_with(m[k]["value"], m[k]["ci"], 2) for k in ("ccc", "icc")]
        for group, methods in groups
        for key, m in methods.items()
    ]
    header = ["Group", "Method", "n", "Δ medians mL (95 % CI)", "t-test p", "Wilcoxon p"]
    return Table([*header, "Spearman ρ", "Pearson r", "CCC", "ICC(2,1)"], rows)


def _overlaps(groups: Sequence[tuple[str, Any]]) -> Table:
    rows = [
        [group, key, *(_spread(m[k]) for k in OVERLAPS), m["both_empty"]]
        for group, methods in groups
        for key, m in methods.items()
    ]
    return Table(["Group", "Method", *map(_title, OVERLAPS), "both empty"], rows)


def _title(key: str) -> str:
    return key.upper() if key in ("ppv", "npv") else key.capitalize()


def _lesions(report: Mapping[str, Any]) -> list[Section]:
    parts = []
    if report["raw"]:
        rows = [
            [key, r["dice"]["n"], told(r["dice"]["median"], 2), *(_spread(r[k]) for k in OVERLAPS)]
            for key, r in report["raw"].items()
        ]
        header = ["Against", "n", "Dice, median", *map(_title, OVERLAPS)]
        parts.append(section("The prediction before any cut", Table(header, rows)))
    if report["rois"]:
        d = report["detection"]
        rows = [
            [name.capitalize(), r["n"], told(r["mean"]), told(r["sd"]), told(r["median"])]
            for name, r in report["rois"].items()
        ]
        said = (
            f"{d['detected']} of {d['reference_lesions']} reference lesions were found "
            f"(sensitivity {told(d['sensitivity'], 3)}); {told(d['false_per_patient'], 2)} false "
            f"lesions per patient."
        )
        counts = Table(["Lesions per patient", "n", "mean", "SD", "median"], rows)
        parts.append(section("Lesions", counts, Text(said)))
    if report["reading"]:
        parts.append(section("Reading", *reading(report["reading"])))
    return parts


def reading(read: Mapping[str, Any]) -> list[Block]:
    """What the journals say by reader: minutes and decisions a patient, and what was changed."""
    rows = []
    for name, r in read["by_reader"].items():
        changed = ", ".join(f"{count} {what}" for what, count in r["changed"].items() if count)
        minutes, decisions = r["minutes"], r["decisions"]
        spent = [told(minutes["median"]), told(minutes["mean"]), told(minutes["sd"])]
        rows.append([name, r["n"], *spent, told(decisions["median"]), changed or "nothing"])
    header = ["Reader", "patients", "minutes, median", "mean", "SD", "decisions, median"]
    parts: list[Block] = [Table([*header, "changed"], rows)]
    if read.get("before"):
        said = (
            f"{key}: Dice {_spread(m['dice'])}, within 10 % or 10 mL in {m['within_10']['n']} "
            f"of {m['n']}"
            for key, m in read["before"].items()
        )
        parts.append(
            Text(f"The same two sides before anyone had corrected them: {'; '.join(said)}.")
        )
    return parts


def figure(number: int, picture: Picture, caption: str) -> Figure:
    """A figure with its number and caption."""
    return Figure(embedded(picture.svg.encode(), "image/svg+xml"), picture.name, caption, number)


def worst(cohort: Cohort) -> list[Pair]:
    """The ten pairs of the first method that agree least: by Dice, else by difference."""
    own = [p for p in cohort.pairs if p.method == cohort.methods[0]]

    def rank(p: Pair) -> tuple[float, float]:
        dice = p.overlaps.get("dice")
        return (2.0 if dice is None else dice, -abs(p.predicted_ml - p.reference_ml))

    return sorted(own, key=rank)[:WORST]


def _worst(cohort: Cohort) -> Section:
    shown = []
    for pair in worst(cohort):
        path = cohort.pictures.get(pair.case)
        if path is None or not path.is_file():
            continue
        said = f"{pair.case}: Dice {told(pair.overlaps.get('dice'), 2)}, "
        said += f"{told(pair.predicted_ml)} against {told(pair.reference_ml)} mL"
        shown.append(Figure(embedded(path.read_bytes(), "image/png"), "", said))
    return section(f"The patients that agree least ({cohort.methods[0]})", *shown)


def _patients(cohort: Cohort) -> Sortable:
    first, second = cohort.names
    columns = [Column(name) for name in ("Patient", "Method", "Subtype")]
    columns += [Column(f"{name} mL", 1) for name in (first, second)] + [Column("Δ mL", 1)]
    columns += [Column(_title(k), 3) for k in OVERLAPS]
    rows = [
        [
            *(p.case, p.method, p.subtype or "", p.reference_ml, p.predicted_ml),
            *(p.predicted_ml - p.reference_ml, *(p.overlaps.get(k) for k in OVERLAPS)),
        ]
        for p in cohort.pairs
    ]
    return Sortable(columns, rows)


def left_out(report: Mapping[str, Any]) -> Section:
    """What is not in the numbers, and why."""
    left = report["excluded"]
    if not left:
        return section("Left out", Text("Nothing."))
    shown = Table(["Case", "Why"], [[e["case"], e["why"]] for e in left[:SHOWN]])
    more = len(left) - SHOWN
    rest = [Text(f"{more} more are in report.json.")] if more > 0 else []
    return section(f"Left out ({len(left)})", shown, *rest)


def warned(report: Mapping[str, Any]) -> list[Section]:
    """What the references are warned of; nothing where they are not."""
    told = report["warnings"]
    if not told:
        return []
    rows = [[w["case"], w["code"], w["message"]] for w in told[:SHOWN]]
    more = len(told) - SHOWN
    rest = [Text(f"{more} more are in report.json.")] if more > 0 else []
    table = Table(["Case", "Code", "What"], rows)
    return [section(f"Warnings of the reference ({len(told)})", table, *rest)]


def hashes(report: Mapping[str, Any]) -> list[Block]:
    """Versions of what computed, and SHA-256 of what was read."""
    rows = [["tmtv", report["tmtv"]], *words.versions().items()]
    rows += [["model", m] for m in report["models"]]
    inputs = tuple(report["inputs_sha256"].items())
    return [Table(["Software", "Version"], rows), Hashes(inputs)]
