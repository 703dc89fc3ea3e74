"""Which model a name stands for: the bundled network, a run folder, nnU-Net, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.image.volume import Volume
from tmtv_engine.model.clicks import Clicks
from tmtv_engine.model.ensemble import COMBINE
from tmtv_engine.model.library import Kept, find, kept, kept_one
from tmtv_engine.model.nnunet_folder import read_folder
from tmtv_engine.model.segmenter import Segmenter
from tmtv_engine.notices import Notice
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_engine.model.ensemble import Ensemble
    from tmtv_engine.model.nnunet import NnUnetSegmenter

Asking = Callable[[Volume, Volume | None, Clicks, Callable[[], bool] | None], Volume]
CLICKED = "foreground"
CLICKED_ONES = "Models here that do: {} (--model)."
BUNDLED = Path(__file__).parent / "weights" / "vnet" / "model.json"


@dataclass(frozen=True)
class Model:
    """A segmenter (None: hot spots, no network) and what `case.json` says of it.

    ``takes_ct``: whether it looks at a CT, so that there being none is worth a warning.
    ``ct_must_fit``: whether it rather does without than look at one that lies beside the PET.
    ``ask``: how it answers a reader's clicks, with a probability on the PET's grid, unless its
    last argument says that nobody waits any more; None where it takes none.
    """

    segment: Segmenter | None
    record: Mapping[str, Any]
    device: str = "cpu"
    warnings: tuple[Notice, ...] = ()
    takes_ct: bool = True
    ct_must_fit: bool = False
    ask: Asking | None = None


@dataclass(frozen=True)
class Told:
    """What the user says of a model where it does not tell: ``--channels``, ``--tumour-label``.

    ``combine``: how several become one (`ensemble.COMBINE`); None: a set's own way, else mean.
    """

    channels: tuple[str, ...] | None = None
    tumour_label: str | None = None
    combine: str | None = None


def told(
    channels: str | None = None, tumour_label: str | None = None, combine: str | None = None
) -> Told:
    """What the options say; raises `UsageError` for a way to combine that is none."""
    if combine is not None and combine not in COMBINE:
        raise UsageError(f"--combine {combine!r} is unknown", f"One of {', '.join(COMBINE)}.")
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
        _only_for_others(name, told)
        return Model(None, {"name": "hotspot"}, takes_ct=False)
    if name.startswith("nnunet:"):
        return _joined(name.removeprefix("nnunet:"), device, told)
    there = find(name)
    if there and Path(name).is_dir():
        what = f"--model {name}: a folder here and a model of tmtv models are called so"
        raise UsageError(what, f"Write ./{name} for the folder.")
    if there:
        one = _kept(there, device, told)
        _one_alone(one, told)
        return _loaded(one)
    if name == "vnet" and not BUNDLED.is_file():
        raise UsageError("no network is bundled here", "Use --model hotspot or a run folder.")
    if name != "vnet" and not Path(name).is_dir():
        raise UsageError(
            f"--model {name}: no such model or run folder",
            "Use vnet, hotspot, a run's folder, nnunet:DIR or a name of tmtv models list.",
        )
    from tmtv_engine.model.infer import load_model

    _only_for_others(name, told)
    network = load_model(name, device=device)
    return Model(
        network,
        dict(network.record),
        network.device_name,
        network.warnings,
        takes_ct=network.takes_ct,
        ct_must_fit=network.ct_must_fit,
    )


def _only_for_others(name: str, told: Told) -> None:
    asked = {
        "--channels": told.channels,
        "--tumour-label": told.tumour_label,
        "--combine": told.combine,
    }
    for option, given in asked.items():
        if given is not None:
            what = f"{option} does nothing to {clean(name, 200)}"
            raise UsageError(what, "It is for models of others (nnU-Net): leave it out.")


def _one_alone(model: NnUnetSegmenter | Ensemble, told: Told) -> None:
    from tmtv_engine.model.ensemble import Ensemble

    if told.combine is not None and not isinstance(model, Ensemble):
        raise UsageError("--combine joins several models, and this is one", "Leave it out.")


def absolute(name: str) -> str:
    """``name`` with its folders told from the root, for a worker that stands in another one."""
    bare = name.removeprefix("nnunet:")
    names = [name] if bare == name else folder_names(bare)
    found = [Path(n) if bare == name else Path(n).expanduser() for n in names]
    there = [str(p.absolute()) if p.is_dir() else n for p, n in zip(found, names, strict=True)]
    if len(there) > 1 and any("," in one for one in there):
        return name
    return name.removesuffix(bare) + ",".join(there)


def pet_only() -> tuple[str, ...]:
    """The names of the models here that need no CT."""
    kept_ones = (one.name for one in kept() if one.channels and "ct" not in one.channels)
    return (*(("vnet",) if BUNDLED.is_file() else ()), "hotspot", *kept_ones)


def interactive() -> tuple[str, ...]:
    """The names of the models here that take a reader's clicks."""
    return tuple(one.name for one in kept() if CLICKED in one.channels and not one.members)


def check_interactive(name: str) -> None:
    """Raise `UsageError` unless the model of that name takes a reader's clicks; it is not loaded.

    A folder of nnU-Net's that cannot be read is an `InputError`.
    """
    bare = name.removeprefix("nnunet:")
    folder = Path(bare).expanduser()
    there = None if bare != name and folder.is_dir() else find(bare)
    channels: tuple[str, ...] = there.channels if there and not there.members else ()
    if bare != name and there is None:
        channels = read_folder(folder).channels
    if CLICKED not in channels:
        what = f"--model {clean(name, 200)}: is no model that takes clicks"
        raise UsageError(what, CLICKED_ONES.format(", ".join(interactive()) or "none"))


def folder_names(folders: str) -> list[str]:
    """The folders or names in ``A,B``; one where a folder is called so, comma and all."""
    if Path(folders).expanduser().is_dir():
        return [folders]
    return [name.strip() for name in folders.split(",")]


def _joined(folders: str, device: str, told: Told) -> Model:
    """The models of ``nnunet:A,B``, each a folder or the name of one that is kept, as one."""
    names = folder_names(folders)
    if not all(names):
        raise UsageError("--model nnunet: names no folder", "Write nnunet:DIR or nnunet:DIR,DIR.")
    from tmtv_engine.model.ensemble import Ensemble
    from tmtv_engine.model.nnunet import load_model

    def one(name: str) -> NnUnetSegmenter | Ensemble:
        there = None if Path(name).expanduser().is_dir() else find(name)
        if there:
            return _kept(there, device, told)
        return load_model(
            Path(name).expanduser(),
            device,
            channels=told.channels,
            tumour=told.tumour_label,
            instead=pet_only(),
        )

    made = [one(name) for name in names]
    if len(made) == 1:
        _one_alone(made[0], told)
        return _loaded(made[0])
    combine = told.combine or "mean"
    joined = "+".join(m.record["name"].removeprefix("nnunet:") for m in made)
    return _loaded(Ensemble(made, combine, f"nnunet:{joined} ({combine})"))


def _kept(there: Kept, device: str, told: Told) -> NnUnetSegmenter | Ensemble:
    """A model that is kept, if it still is what was added; or the models of a set as one."""
    from tmtv_engine.model.ensemble import Ensemble
    from tmtv_engine.model.nnunet import load_model

    if there.members:
        members = [_kept(kept_one(name), device, told) for name in there.members]
        combine = told.combine or str(there.record["combine"])
        return Ensemble(members, combine, f"{there.name} ({combine})")
    channels = told.channels or there.record.get("given_channels") or None
    tumour = told.tumour_label or there.record.get("tumour_label")
    one = load_model(
        there.model, device, channels=channels, tumour=tumour, name=there.name, instead=pet_only()
    )
    if one.record["sha256"] != there.record.get("sha256"):
        what = f"{there.model}: is not what was added as {there.name}"
        raise InputError(what, f"tmtv models remove {there.name}, then add it again.")
    return one


def _loaded(network: NnUnetSegmenter | Ensemble) -> Model:
    from tmtv_engine.model.nnunet import NnUnetSegmenter

    takes = network.channels
    ask = network.asked if isinstance(network, NnUnetSegmenter) and CLICKED in takes else None
    return Model(
        network,
        dict(network.record),
        network.device_name,
        network.warnings,
        takes_ct="ct" in takes,
        ask=ask,
    )
