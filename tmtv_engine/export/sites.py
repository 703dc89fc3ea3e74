"""Where lesions lie as SNOMED CT codes: the organ that they are named by, and their region."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from tmtv_engine.export.job import Job
from tmtv_engine.lesion.origin import Structure
from tmtv_engine.lesion.structures import STRUCTURES

ORGANS = {row.name: Code(row.code[0], "SCT", row.code[1]) for row in STRUCTURES if row.code}
REGIONS = {  # of `lesion.regions`, less the side
    "head": codes.SCT.Head,
    "neck": codes.SCT.Neck,
    "chest": codes.SCT.Chest,
    "chest or abdomen": codes.SCT.ChestAndOrAbdomenStructure,
    "abdomen": codes.SCT.Abdomen,
    "abdomen or pelvis": codes.SCT.AbdomenAndOrPelvisStructure,
    "pelvis": codes.SCT.Pelvis,
    "mediastinum": codes.SCT.Mediastinum,
    "groin": codes.SCT.InguinalRegion,
    "arm": codes.SCT.UpperLimb,
    "leg": codes.SCT.LowerLimb,
}
SIDES = {"left": codes.SCT.Left, "right": codes.SCT.Right}


class Site(NamedTuple):
    """An anatomic concept and, where it is told, its side."""

    place: Code
    side: Code | None = None


def sites(structure: Structure | None, region: str | None) -> tuple[Site, ...]:
    """The organ, then the region: what of both has a code."""
    found = []
    if structure is not None and structure.name in ORGANS:
        found.append(Site(ORGANS[structure.name]))
    told = re.fullmatch(r"(?:(left|right) )?(.+?)(?:, midline)?", region or "")
    if told and told[2] in REGIONS:
        found.append(Site(REGIONS[told[2]], SIDES.get(told[1])))
    return tuple(found)


def sites_of(job: Job, row: int) -> tuple[Site, ...]:
    """Those of a row of the reading, as the case tells them."""
    lesion = job.told.get(int(job.lesions.ids[row]))
    return () if lesion is None else sites(lesion.structure, lesion.region)


def finding_sites(job: Job, row: int) -> list[Any]:
    """The finding sites (TID 1419) of a lesion's measurements."""
    from highdicom.sr import FindingSite

    return [FindingSite(site.place, site.side) for site in sites_of(job, row)]


def add_regions(segment: Dataset, found: tuple[Site, ...]) -> None:
    """Give a segment its anatomic regions, each with its side."""
    from highdicom.sr import CodedConcept

    items = []
    for place, side in found:
        item = Dataset()
        item.update(CodedConcept.from_code(place))
        if side is not None:
            item.AnatomicRegionModifierSequence = Sequence([CodedConcept.from_code(side)])
        items.append(item)
    if items:
        segment.AnatomicRegionSequence = Sequence(items)
