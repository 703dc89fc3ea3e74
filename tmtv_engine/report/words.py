"""What the report says in words: a methods section ready for a paper."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from tmtv_engine.case.parts import EFFECT
from tmtv_engine.errors import UsageError
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.report import figures

RESEARCH = "Research use only. Not a medical device; not for diagnosis or treatment."
PACKAGES = ("numpy", "scipy", "matplotlib")


def method_name(key: str) -> str:
    """A method in words: ``41`` → ``SUV above 41 % of the lesion's SUVmax``; another's as it is."""
    try:
        return parse_method(key).words
    except UsageError:
        return key


def caption(name: str, report: Mapping[str, Any]) -> str:
    """The caption of a figure."""
    return next(figure.caption(report) for figure in figures.FIGURES if figure.name == name)


def methods_text(report: Mapping[str, Any]) -> list[str]:
    """The statistics as paragraphs for a paper's methods section."""
    first, second = report["names"]
    cuts = "; ".join(f"{key}: {method_name(key)}" for key in report["methods"])
    boot = report["bootstrap"]
    paragraphs = [
        f"Total metabolic tumour volume (TMTV) of {report['n']} patients was compared between a "
        f"{first} and a {second} measurement. Methods of delineation: {cuts}.",
        "Volumes are given as mean, standard deviation (SD, n − 1), median and range, and were "
        "compared by the paired Student's t-test and Wilcoxon's signed-rank test (pairs without a "
        "difference dropped). Correlation: Spearman's ρ (interval of Bonett and Wright, 2000) and "
        "Pearson's r (Fisher's z). Agreement: Lin's concordance correlation coefficient (1989, "
        "2000), the intraclass correlation coefficient ICC(2,1) (Shrout and Fleiss, 1979; interval "
        "of McGraw and Wong, 1996), and Bland and Altman's bias and limits of agreement (1986; "
        f"1.96 SD; {second} minus {first}) with their 95 % confidence intervals, also on the "
        "logarithmic scale for pairs above 0 mL. Two volumes within 10 % of the "
        f"{first} or within 10 mL were counted as agreeing (Boellaard et al., 2024). Cohen's "
        f"kappa was taken at {', '.join(_cutoffs(report))} mL.",
        "Dice and Jaccard coefficients, sensitivity, specificity and predictive values were taken "
        "by voxel on the PET's grid for each patient. A ratio with nothing below the line (both "
        "volumes empty, for Dice) is unknown: it is counted, and left out of means and medians.",
        f"95 % intervals of medians and of their difference are percentiles of "
        f"{boot['resamples']} or more bootstrap resamples of patients (seed {boot['seed']}).",
    ]
    if report.get("detection"):
        paragraphs.append(
            "A reference lesion counts as found if it shares a voxel with a predicted lesion, and "
            "a predicted lesion as false if it shares none with the reference, before any cut. "
            f"Where a mass above 30 mL was cut into parts, {EFFECT}."
        )
    return [*paragraphs, f"All numbers were computed by tmtv {report['tmtv']} ({_software()})."]


def _cutoffs(report: Mapping[str, Any]) -> list[str]:
    return list(next(iter(report["methods"].values()))["kappa"])


def _software() -> str:
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def versions() -> dict[str, str]:
    """Python and the packages that compute and draw."""
    return {"Python": platform.python_version(), **{p: metadata.version(p) for p in PACKAGES}}
