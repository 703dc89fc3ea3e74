"""Where lesions come from: hot spots, a network with its candidates, or ROIs someone drew."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import FloatArray, Unit, Volume
from tmtv_engine.lesion.drawn import RoiMode, lesions_of
from tmtv_engine.lesion.find import SPLIT_OVER_ML, find_lesions
from tmtv_engine.lesion.hotspots import CANDIDATE_ML, FLOOR_SUV, hotspots
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Origin, Source
from tmtv_engine.lesion.rules import paper_rule, vote
from tmtv_engine.model.naming import Naming
from tmtv_engine.model.registry import Model, Told
from tmtv_engine.model.registry import load as load_model
from tmtv_engine.model.segmenter import Prediction, Segmenter
from tmtv_engine.notices import Notice
from tmtv_engine.study.inputs import inputs_sha256
from tmtv_engine.study.owner import NO_OWNER, Owner
from tmtv_engine.study.rois import read_rois
from tmtv_engine.study.uptake import doubts

Rule = Literal["paper", "vote"]


@dataclass(frozen=True, eq=False)
class Found:
    """Lesions, where each comes from, what to warn about, and how the model names places."""

    lesions: Lesions
    origins: tuple[Origin, ...]
    notices: tuple[Notice, ...] = ()
    naming: Naming | None = None


@dataclass(frozen=True)
class Finder:
    """A way to find lesions: called with SUV and CT, and what `case.json` says of it.

    ``takes_ct``: whether a CT that is not there is missed; ``ct_must_fit``: whether one that does
    not lie on the PET is not to be shown to it. ``limits``: what else it was asked for
    and decides what it finds; recorded in the case and compared at a rerun. It pickles (``find``
    is a function or a value that can be called): another process or machine may do the finding.
    """

    find: Callable[[Volume, Volume | None], Found]
    record: Mapping[str, Any]
    device: str = "cpu"
    stage: str = "network"
    takes_ct: bool = True
    ct_must_fit: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)

    def on(self, source: Mapping[str, Any]) -> Finder:
        """The finder for the PET that ``source`` (`source.json`) tells of: ROIs must be its own."""
        if not isinstance(self.find, _Drawn):
            return self
        return replace(self, find=replace(self.find, owner=Owner.of_source(source)))


def finder_of(
    model: Model, *, rule: Rule = "paper", min_ml: float = 0.0, split: bool = True
) -> Finder:
    """The finder of a model: its own lesions and, beside a network's, the candidates.

    Without ``split`` each component is one lesion, whatever its volume. Raises `UsageError` for
    what hot spots have no use for.
    """
    if model.segment is None:
        asked = {"--rule": rule != "paper", "--min-ml": min_ml > 0, "--no-split": not split}
        for option, given in asked.items():
            if given:
                what = f"{option} does nothing to {model.record['name']}"
                raise UsageError(what, "It is for what a network finds: leave it out.")
        return Finder(_hotspots, dict(model.record), "cpu", "hotspots", model.takes_ct)
    find = _Network(model.segment, model.warnings, rule, min_ml, split)
    record = {**model.record, "rule": rule, **({} if split else {"split": False})}
    limits = {"min_ml": float(min_ml)}
    return Finder(
        find,
        record,
        model.device,
        takes_ct=model.takes_ct,
        ct_must_fit=model.ct_must_fit,
        limits=limits,
    )


def load(
    model: str | None, device: str, told: Told, *, rule: Rule, min_ml: float, split: bool
) -> Finder:
    """The finder of ``--model`` and its options, loaded here; by name, so that it pickles."""
    return finder_of(load_model(model, device, told), rule=rule, min_ml=min_ml, split=split)


def _hotspots(suv: Volume, ct: Volume | None) -> Found:
    lesions = hotspots(suv)
    origin = Origin(Source.HOTSPOT, floor_suv=FLOOR_SUV)
    return Found(lesions, (origin,) * len(lesions))


@dataclass(frozen=True)
class _Network:
    """A network's lesions by a rule and, beside them, the hot spots that it left out."""

    segment: Segmenter
    warnings: tuple[Notice, ...]
    rule: Rule
    min_ml: float
    split: bool = True

    def __call__(self, suv: Volume, ct: Volume | None) -> Found:
        found = self.segment(suv, ct)
        chance = found.probability
        mask = vote(chance, suv) if self.rule == "vote" else paper_rule(chance)
        over_ml = SPLIT_OVER_ML if self.split else math.inf
        lesions = find_lesions(mask, suv, split_over_ml=over_ml, min_ml=self.min_ml)
        missed = hotspots(suv, core_ml=CANDIDATE_ML, lesions=lesions)
        origins = [
            *_origins(lesions, Origin(Source.MODEL), found),
            *_origins(missed, Origin(Source.HOTSPOT, floor_suv=FLOOR_SUV), found),
        ]
        told = self.warnings + found.notices
        return Found(lesions.joined(missed), tuple(origins), told, found.naming)


def _origins(lesions: Lesions, origin: Origin, found: Prediction) -> list[Origin]:
    """``origin`` for each lesion, with the model's mean probability over it and its name."""
    means = _means(lesions, found.probability)
    names = found.naming.of(lesions) if found.naming else (None,) * len(lesions)
    return [
        replace(origin, probability=float(p), structure=name)
        for p, name in zip(means, names, strict=True)
    ]


def _means(lesions: Lesions, chance: Volume) -> FloatArray:
    values = chance.require(Unit.PROBABILITY).reshape(-1)[lesions.voxels].astype(np.float64)
    return np.asarray(lesions.total(values) / lesions.counts)


def file_finder(
    path: Path,
    *,
    mode: RoiMode = "auto",
    names: Sequence[str] | None = None,
    accepted: Collection[str] = (),
) -> Finder:
    """The finder of the ROIs in a file, read onto the PET's grid once that is known."""
    chosen = None if names is None else tuple(names)
    return Finder(
        _Drawn(path, mode, chosen, frozenset(accepted)),
        {"name": "roi"},
        "cpu",
        "rois",
        takes_ct=False,
        limits={"rois": mode, "roi": chosen and list(chosen), "roi_sha256": _hash(path)},
    )


def _hash(path: Path) -> str | None:
    """The hash of the file (or of the folder's files) that holds the ROIs, None of none."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    try:
        return inputs_sha256(files) or None
    except OSError:  # reading it says so
        return None


@dataclass(frozen=True)
class _Drawn:
    """The ROIs of a file as lesions."""

    path: Path
    mode: RoiMode
    names: tuple[str, ...] | None
    accepted: frozenset[str] = frozenset()
    owner: Owner = NO_OWNER

    def __call__(self, suv: Volume, ct: Volume | None) -> Found:
        rois = read_rois(
            self.path, suv.grid, names=self.names, accepted=self.accepted, owner=self.owner
        )
        lesions = lesions_of(rois, suv, self.mode)
        told = (*rois.notices, *doubts(rois, suv))
        return Found(lesions, (Origin(Source.ROI),) * len(lesions), told)
