"""Which model a name stands for: the bundled network, a run folder, nnU-Net, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tmtv_engine.errors import UsageError
from tmtv_engine.model.segmenter import Segmenter
from tmtv_engine.notices import Notice

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


def default_model() -> str:
    """``vnet`` where its weights are bundled, else ``hotspot``."""
    return "vnet" if BUNDLED.is_file() else "hotspot"


def load(name: str | None = None, device: str = "auto") -> Model:
    """The model of ``--model name``; raises `UsageError` for a name that is none."""
    name = name or default_model()
    if name == "hotspot":
        return Model(None, {"name": "hotspot"}, takes_ct=False)
    if name.startswith("nnunet:"):
        return _nnunet(name.removeprefix("nnunet:"), device)
    if name == "vnet" and not BUNDLED.is_file():
        raise UsageError("no network is bundled here", "Use --model hotspot or a run folder.")
    if name != "vnet" and not Path(name).is_dir():
        raise UsageError(
            f"--model {name}: no such model or run folder", "Use vnet, hotspot or a run's folder."
        )
    from tmtv_engine.model.infer import load_model

    return _model(load_model(name, device=device), device)


def _nnunet(folder: str, device: str) -> Model:
    if not folder:
        raise UsageError("--model nnunet: names no folder", "Write nnunet:DIR.")
    from tmtv_engine.model.nnunet import load_model

    network = load_model(Path(folder), device)
    return replace(_model(network, device), takes_ct="ct" in network.channels)


def _model(network: Any, device: str) -> Model:
    notices: tuple[Notice, ...] = tuple(getattr(network, "warnings", ()))
    return Model(network, dict(network.record), str(getattr(network, "device", device)), notices)
