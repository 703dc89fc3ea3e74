"""Which model a name stands for: the bundled network, a run folder, nnU-Net, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_engine.errors import UsageError
from tmtv_engine.model.segmenter import Segmenter
from tmtv_engine.notices import Notice

if TYPE_CHECKING:
    from tmtv_engine.model.ensemble import Ensemble
    from tmtv_engine.model.nnunet import NnUnetSegmenter

BUNDLED = Path(__file__).parent / "weights" / "vnet" / "model.json"


@dataclass(frozen=True)
class Model:
    """A segmenter (None: hot spots, no network) and what `case.json` says of it.

    ``takes_ct``: whether it looks at a CT, so that there being none is worth a warning.
    """

    segment: Segmenter | None
    record: Mapping[str, Any]
    device: str = "cpu"
    warnings: tuple[Notice, ...] = ()
    takes_ct: bool = True


@dataclass(frozen=True)
class Told:
    """What the user says of a model where it does not tell: ``--channels``, ``--tumour-label``.

    ``combine``: how several become one (`ensemble.COMBINE`).
    """

    channels: tuple[str, ...] | None = None
    tumour_label: str | None = None
    combine: str = "mean"


def told(channels: str | None, tumour_label: str | None, combine: str) -> Told:
    """What the options say; raises `UsageError` for a way to combine that is none."""
    if combine not in ("mean", "union", "vote"):
        raise UsageError(f"--combine {combine!r} is unknown", "One of mean, union, vote.")
    kinds = tuple(k.strip().lower() for k in channels.split(",")) if channels else None
    return Told(kinds, tumour_label, combine)


def default_model() -> str:
    """``vnet`` where its weights are bundled, else ``hotspot``."""
    return "vnet" if BUNDLED.is_file() else "hotspot"


def load(name: str | None = None, device: str = "auto", told: Told | None = None) -> Model:
    """The model of ``--model name``; raises `UsageError` for a name that is none."""
    name = name or default_model()
    told = told or Told()
    if name == "hotspot":
        return Model(None, {"name": "hotspot"}, takes_ct=False)
    if name.startswith("nnunet:"):
        return _nnunet(name.removeprefix("nnunet:"), device, told)
    if name == "vnet" and not BUNDLED.is_file():
        raise UsageError("no network is bundled here", "Use --model hotspot or a run folder.")
    if name != "vnet" and not Path(name).is_dir():
        raise UsageError(
            f"--model {name}: no such model or run folder", "Use vnet, hotspot or a run's folder."
        )
    from tmtv_engine.model.infer import load_model

    return _model(load_model(name, device=device), device)


def _nnunet(folders: str, device: str, told: Told) -> Model:
    names = [name.strip() for name in folders.split(",")]
    if not all(names):
        raise UsageError("--model nnunet: names no folder", "Write nnunet:DIR or nnunet:DIR,DIR.")
    from tmtv_engine.model.ensemble import Ensemble
    from tmtv_engine.model.nnunet import load_model

    made = [
        load_model(Path(name), device, channels=told.channels, tumour=told.tumour_label)
        for name in names
    ]
    if len(made) == 1:
        return _loaded(made[0])
    joined = "+".join(m.record["name"].removeprefix("nnunet:") for m in made)
    return _loaded(Ensemble(made, told.combine, f"nnunet:{joined} ({told.combine})"))


def _loaded(network: NnUnetSegmenter | Ensemble) -> Model:
    takes_ct = "ct" in network.channels
    return Model(network, dict(network.record), network.device_name, network.warnings, takes_ct)


def _model(network: Any, device: str) -> Model:
    notices: tuple[Notice, ...] = tuple(getattr(network, "warnings", ()))
    return Model(network, dict(network.record), str(getattr(network, "device", device)), notices)
