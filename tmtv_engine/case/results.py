"""From lesions and their cuts to the rows of `case.json`, and what they warn about."""

from __future__ import annotations

from collections.abc import Sequence

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.record import Cut, LesionRow, ModelInfo, typed
from tmtv_engine.files import jsonable
from tmtv_engine.lesion.measures import centroid_mm, suv_max, suv_peak
from tmtv_engine.lesion.origin import Origin, Status
from tmtv_engine.notices import REVIEWED, Notice, notice

NAMED = 12  # lesions that a warning names


def lesion_rows(
    cuts: Cuts, origins: Sequence[Origin], decided: Sequence[tuple[Status, str | None]]
) -> tuple[LesionRow, ...]:
    """The ``lesions`` of `case.json`: measures, where each comes from, its status and reader."""
    lesions = cuts.lesions
    centres, highest, peaks = centroid_mm(lesions), suv_max(lesions), suv_peak(lesions)
    methods = cut_rows(cuts)
    rows = [
        {
            "id": lesions.ids[k],
            "component": lesions.components[k],
            "source": origins[k].source,
            "region": origins[k].region,
            "status": decided[k][0],
            "decided_by": decided[k][1],
            "floor_suv": origins[k].floor_suv,
            "background_suv": cuts.background[k],
            "probability": origins[k].probability,
            "centroid_mm": centres[k],
            "suv_max": highest[k],
            "suv_peak": peaks[k],
            "voxels": lesions.counts[k],
        }
        for k in range(len(lesions))
    ]
    return tuple(
        typed(
            {**jsonable(row), "methods": methods[k], "structure": origins[k].structure},
            LesionRow,
            f"lesion {row['id']}",
        )
        for k, row in enumerate(rows)
    )


def cut_rows(cuts: Cuts) -> list[dict[str, Cut]]:
    """Each lesion under every method."""
    found: list[dict[str, Cut]] = [{} for _ in range(len(cuts.lesions))]
    for method in cuts.methods:
        m, above = cuts.measure(method), cuts.above(method)
        for k, own in enumerate(found):
            values = jsonable([m.volume_ml[k], m.suv_mean[k], m.tlg_g[k], above[k]])
            own[method.key] = Cut(**dict(zip(Cut.__struct_fields__, values, strict=True)))
    return found


def standing(
    told: Sequence[Notice], model: ModelInfo, rows: Sequence[LesionRow], signed: bool
) -> tuple[Notice, ...]:
    """The warnings ``told``, those that follow from decisions as they are now.

    Hot spots are uptake until a reader has signed; a cut below the floor that a lesion was grown
    to matters while that lesion counts.
    """
    low = [str(row.id) for row in rows if row.status == Status.ACCEPTED and _below_floor(row)]
    named = ", ".join(low[:NAMED]) + (" …" if len(low) > NAMED else "")
    now = [notice("unreviewed-hotspots")] if model.name == "hotspot" and not signed else []
    now += [notice("below-floor", f"lesions {named}")] if low else []
    return (*(n for n in told if n.code not in REVIEWED), *now)


def _below_floor(row: LesionRow) -> bool:
    above = (cut.threshold_suv for cut in row.methods.values())
    floor = row.floor_suv
    return floor is not None and any(suv is not None and suv < floor for suv in above)
