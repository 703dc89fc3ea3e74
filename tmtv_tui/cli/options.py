"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_engine.lesion.methods import choices
from tmtv_engine.notices import ACCEPTABLE

if TYPE_CHECKING:
    from tmtv_engine.cluster import Cluster
    from tmtv_engine.lesion.methods import Method
    from tmtv_engine.suv.factor import Overrides

OUT: Any = typer.Option(
    Path("tmtv-out"), "-o", "--out", metavar="FOLDER", help="Folder for the case folders."
)
METHOD: Any = typer.Option(
    None,
    "-m",
    "--method",
    metavar="METHOD",
    help=f"{choices()}. May be repeated.",
)
JSON: Any = typer.Option(False, "--json", help="JSON on stdout, one object a line.")
DEVICE: Any = typer.Option(
    "auto", "--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps."
)
JOBS: Any = typer.Option(1, "-j", "--jobs", metavar="N", min=1, help="Cases in work at once.")
SCHEDULER: Any = typer.Option(
    None,
    "--scheduler",
    metavar="ADDRESS",
    help="local (--jobs processes) or a Dask scheduler: tcp://host:8786.",
)
FRESH: Any = typer.Option(
    False, "--fresh/--resume", help="Make finished cases anew; reviewed ones move aside."
)
ROIS: Any = typer.Option(
    "auto", "--rois", metavar="HOW", help="auto, labels (each as drawn) or components (clustered)."
)
ROI: Any = typer.Option(
    None, "--roi", metavar="ROI", help="Only the ROI of this name or number. May be repeated."
)
JOURNALS: Any = typer.Option(
    None, "--reader", metavar="READER", help="As this reader left it ('prediction': before anyone)."
)
QUIET: Any = typer.Option(False, "-q", "--quiet", help="Errors only on stderr.")
ORGANS: Any = typer.Option(
    None,
    "--organs",
    metavar="LABELS",
    help="Label map of organs (TotalSegmentator, MOOSE, any) that names lesions; a folder of "
    "<case>.nii.gz for many.",
)
NO_IMAGE: bool = typer.Option(
    False, "--no-image", help="Leave PET and CT out of the case folder: no slices in the review."
)
LIVER: Any = typer.Option(
    None, "--liver-sphere", metavar="x,y,z", help="Middle of a 3 cm sphere in the liver, LPS mm."
)
PET_SERIES: Any = typer.Option(
    None, "--pet-series", metavar="UID", help="The PET of this series UID, where there are several."
)
PET_MATCH: Any = typer.Option(
    None,
    "--pet-match",
    metavar="PATTERN",
    help="The PET whose series description has this pattern in it.",
)
CASE_NAME: Any = typer.Option(
    "hash", "--case-name", metavar="NAMING", help="Of case folders: hash, folder or patient-id."
)
WEIGHT: Any = typer.Option(
    None, "--weight-kg", metavar="KG", help="Instead of the header's PatientWeight."
)
HEIGHT: Any = typer.Option(
    None, "--height-m", metavar="M", help="Instead of the header's PatientSize."
)
DOSE: Any = typer.Option(None, "--dose-bq", metavar="BQ", help="Instead of RadionuclideTotalDose.")
INJECTION: Any = typer.Option(
    None, "--injection-time", metavar="TIME", help="Instead of the header's; ISO date and time."
)
TRACER: Any = typer.Option(False, "--allow-tracer", help="Take a tracer other than FDG.")
GAPS: Any = typer.Option(False, "--allow-gaps", help="Interpolate missing slices, with a warning.")

ACCEPT: Any = typer.Option(
    None,
    "--accept",
    metavar="CODE",
    help=f"Take what is refused as implausible: {', '.join(ACCEPTABLE)}. May be repeated.",
)

CHANNELS: Any = typer.Option(
    None,
    "--channels",
    metavar="NAMES",
    help="What an nnU-Net takes, in order: pet, ct, foreground, background.",
)
TUMOUR_LABEL: Any = typer.Option(
    None,
    "--tumour-label",
    metavar="LABEL",
    help="Name or number of an nnU-Net's label that is tumour.",
)
COMBINE: Any = typer.Option(
    None, "--combine", metavar="HOW", help="Several models by mean, union or vote (default: mean)."
)


def methods_of(names: Sequence[str] | None, liver: str | None) -> tuple[Method, ...]:
    """The methods named (each once), or the default ones; ``liver`` needs its sphere."""
    from tmtv_engine.lesion.methods import DEFAULT_METHODS, parse_method

    parts = [part for name in names or DEFAULT_METHODS for part in name.split(",")]
    found = {m.key: m for m in map(parse_method, parts)}
    asking = [m.key for m in found.values() if "liver" in m.needs]
    if asking and liver is None:
        raise UsageError(
            f"--method {asking[0]} needs to know where the liver is",
            "Give --liver-sphere x,y,z: the middle of a 3 cm sphere, LPS mm.",
        )
    return tuple(found.values())


def overrides_of(
    weight_kg: float | None = None,
    height_m: float | None = None,
    dose_bq: float | None = None,
    injection_time: str | None = None,
    allow_tracer: bool = False,
    allow_gaps: bool = False,
    accept: Sequence[str] | None = None,
) -> Overrides:
    """What the user says instead of the header, and the ``accept``-ed codes."""
    at = None
    if injection_time is not None:
        try:
            at = datetime.fromisoformat(injection_time)
        except ValueError as error:
            raise UsageError(
                f"--injection-time {injection_time!r} is no date and time",
                "Write it as 2020-03-01T09:30:00.",
            ) from error
    from tmtv_engine.suv.factor import Overrides

    return Overrides(
        weight_kg=weight_kg,
        height_m=height_m,
        dose_bq=dose_bq,
        injection_time=at,
        allow_tracer=allow_tracer,
        allow_gaps=allow_gaps,
        accepted=accepted_of(accept),
    )


def accepted_of(codes: Sequence[str] | None) -> frozenset[str]:
    """The codes of ``--accept``; raises `UsageError` for one that is none."""
    return frozenset(choice(code, ACCEPTABLE, "--accept") for code in codes or ())


def choice(value: str, allowed: Sequence[str], option: str) -> str:
    """``value`` if it is one of ``allowed``; raises `UsageError` naming the option."""
    if value not in allowed:
        raise UsageError(f"{option} {value!r} is unknown", f"Choose one of {', '.join(allowed)}.")
    return value


def cluster_of(address: str | None, jobs: int) -> Cluster | None:
    """The cluster of ``--scheduler``; None without it."""
    from tmtv_engine.cluster import Cluster
    from tmtv_tui.cli import console

    return Cluster(address, jobs, console.say, console.complain) if address else None
