"""Models of others, kept by name under the user's data folder: checked, hashed, never downloaded.

``NAME/kept.json`` says what was found; ``NAME/model`` holds the files that decide a model's answer
and its licence, as they came. A set of models is a ``kept.json`` alone.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmtv_engine.errors import CaseError, InputError, TmtvError, UsageError
from tmtv_engine.files import dump_json, load_json, new_folder, utc_now
from tmtv_engine.model.ensemble import COMBINE
from tmtv_engine.model.nnunet_folder import Folder, no_pointer, read_folder
from tmtv_engine.study.archive import Unpacked, is_zip, opened
from tmtv_engine.text import clean

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
TAKEN = ("vnet", "hotspot", "roi", "nnunet")
RECORD, MODEL = "kept.json", "model"
WORDS = re.compile(r"(licen[cs]e|readme|notice|citation|model_licen[cs]e)(\.\w{1,5})?\Z", re.I)
WORDS_LIMIT = 1 << 20
DEEP = 6  # levels of folders that a download may wrap a model in
MOST_BYTES = 64 << 30


@dataclass(frozen=True)
class Kept:
    """A model that is kept, or (``members``) a set of such by their names."""

    name: str
    folder: Path
    record: Mapping[str, Any]

    @property
    def members(self) -> tuple[str, ...]:
        """The names of a set's models, joined by ``record["combine"]``; else none."""
        return tuple(str(n) for n in self.record.get("members", ()))

    @property
    def model(self) -> Path:
        """The results folder."""
        return self.folder / MODEL

    @property
    def channels(self) -> tuple[str, ...]:
        """What the model takes, in order."""
        return tuple(str(c) for c in self.record.get("channels", ()))


def home() -> Path:
    """Where models are kept: ``TMTV_MODELS``, else ``models`` in the user's data folder."""
    import platformdirs

    named = os.environ.get("TMTV_MODELS")
    return Path(named) if named else platformdirs.user_data_path("tmtv") / "models"


def kept() -> list[Kept]:
    """Every model that is kept, by name; one whose record cannot be read is left out."""
    found = sorted(home().glob(f"*/{RECORD}"))
    return [one for path in found if (one := find(path.parent.name)) is not None]


def find(name: str) -> Kept | None:
    """The model or set of that name, if there is one."""
    folder = home() / name
    if not NAME.match(name) or not (folder / RECORD).is_file():
        return None
    try:
        return Kept(name, folder, load_json(folder / RECORD))
    except CaseError:
        return None


def kept_one(name: str) -> Kept:
    """The model of that name; raises `UsageError` where there is none."""
    there = find(name)
    if there is None:
        raise UsageError(f"no model is called {clean(name)}", "tmtv models list shows them.")
    return there


def remove(name: str) -> None:
    """Take a model away; raises `UsageError` where there is none, or a set needs it."""
    there = kept_one(name)
    users = [one.name for one in kept() if name in one.members]
    if users:
        raise UsageError(f"{name} is part of {', '.join(users)}", "Remove that first.")
    shutil.rmtree(there.folder)


def add(
    name: str,
    sources: Sequence[str],
    *,
    channels: Sequence[str] | None = None,
    tumour: str | None = None,
    combine: str = "mean",
) -> Kept:
    """Keep the model of a zip or folder as ``name``, or a set of models that are kept.

    Raises `UsageError` for a name that cannot be or is there; `InputError` for what is no model
    of nnU-Net, or wants more than to be read. Then nothing is left of it.
    """
    if not NAME.match(name) or name in TAKEN:
        rule = "Small letters, digits, '.', '_' and '-', at most 64; not vnet, hotspot, roi."
        raise UsageError(f"{clean(name)!r} cannot be a model's name", rule)
    if (home() / name).exists():
        raise UsageError(f"{name} is there already", f"tmtv models remove {name}")
    if all(find(source) for source in sources) and not (len(sources) == 1 and _is_path(sources[0])):
        return _add_set(name, sources, combine)
    if len(sources) != 1:
        unknown = [s for s in sources if not find(s)]
        what = f"no model is called {clean(', '.join(unknown), 200)}"
        raise UsageError(what, "Add each by itself, then the set of their names.")
    with _folder(Path(sources[0])) as (path, came):
        folder = read_folder(path, channels, tumour)
        _only_files(folder)
        record = {"added": utc_now(), "from": came, **_looked_at(folder)}
        asked = {"given_channels": list(channels or ()), "tumour_label": tumour}
        with new_folder(home(), name) as made:
            _copy(folder, made / MODEL)
            if read_folder(made / MODEL, channels, tumour).sha256() != record["sha256"]:
                raise InputError(f"{path}: changed while it was copied", "Try again.")
            dump_json(made / RECORD, {"schema": "tmtv.kept/1", **record, **asked})
    return Kept(name, home() / name, load_json(home() / name / RECORD))


def _is_path(source: str) -> bool:
    return os.sep in source or is_zip(Path(source))


def _add_set(name: str, members: Sequence[str], combine: str) -> Kept:
    if combine not in COMBINE:
        raise UsageError(f"--combine {combine!r} is unknown", f"One of {', '.join(COMBINE)}.")
    models = [one for m in members if (one := find(m))]
    if len(set(members)) < len(members) or any(one.members for one in models):
        raise UsageError("a set is of different models, not of sets", "Name each model once.")
    takes = dict.fromkeys(kind for one in models for kind in one.channels)
    record: dict[str, Any] = {"members": list(members), "combine": combine, "channels": list(takes)}
    record["tumours"] = {one.name: one.record.get("tumour", {}) for one in models}
    with new_folder(home(), name) as made:
        dump_json(made / RECORD, {"schema": "tmtv.kept/1", "added": utc_now(), **record})
    return Kept(name, home() / name, load_json(home() / name / RECORD))


@contextmanager
def _folder(source: Path) -> Iterator[tuple[Path, str]]:
    """The results folder in a download, and the download's own name."""
    if source.is_dir():
        yield _results_folder(source), clean(source.name, 120)
    elif source.is_file():
        no_pointer(source)
        with opened(source) as (folder, left):
            links = [leftover for leftover in left if "link" in leftover.why]
            if links:
                what = f"{source}: holds a link or special file ({clean(links[0].path.name)})"
                raise InputError(what, "A model needs none: get it from its authors.")
            try:
                yield _results_folder(folder), clean(source.name, 120)
            except TmtvError as error:
                Unpacked({source: folder}).rename(error)
                raise
    else:
        raise InputError(f"{source}: is not there", "Give a zip or a folder.")


def _results_folder(root: Path) -> Path:
    """The one folder in ``root`` that is nnU-Net's; raises `InputError` for none or several."""
    found = []
    for where, folders, names in os.walk(root):
        depth = len(Path(where).relative_to(root).parts)
        folders[:] = sorted(f for f in folders if depth < DEEP and not f.startswith("fold_"))
        if {"dataset.json", "plans.json"} <= set(names) and any(Path(where).glob("fold_*/*.pth")):
            found.append(Path(where))
    if len(found) == 1:
        return found[0]
    listed = clean(", ".join(str(p.relative_to(root)) for p in found[:8]), 300)
    what = f"holds several models ({listed})" if found else "holds no folder of nnU-Net"
    remedy = "Add each folder by itself." if found else "It has plans.json and fold_0 in it."
    raise InputError(f"{root}: {what}", remedy)


def _only_files(folder: Folder) -> None:
    """Refuse links and devices: what is copied must be what lies in the folder."""
    total = 0
    for path in folder.files():
        for part in (path, *path.parents[: len(path.relative_to(folder.path).parts) - 1]):
            if part.is_symlink():
                raise InputError(f"{part}: is a link", "Give the folder with the files themselves.")
        if not stat.S_ISREG(path.lstat().st_mode):
            raise InputError(f"{path}: is no file", "Give the folder with the files themselves.")
        total += path.lstat().st_size
    if total > MOST_BYTES or total > shutil.disk_usage(_there(home())).free:
        what = f"{folder.path}: holds {total / 2**30:.1f} GB"
        raise InputError(what, f"There is no room for it in {home()}.")


def _there(path: Path) -> Path:
    return path if path.exists() else _there(path.parent)


def _copy(folder: Folder, target: Path) -> None:
    words = [
        p
        for p in folder.path.iterdir()
        if WORDS.match(p.name) and p.is_file() and not p.is_symlink()
        if p.stat().st_size <= WORDS_LIMIT
    ]
    for path in (*folder.files(), *words):
        place = target / path.relative_to(folder.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _looked_at(folder: Folder) -> dict[str, Any]:
    """What a folder's files say of their model, after its weights were read and tried."""
    from tmtv_engine.model.nnunet import description

    told = description(folder)  # first: what is hostile is small or refused at a glance
    return {
        "sha256": folder.sha256(),
        "dataset": folder.name,
        "licence": folder.licence,
        "channels": list(folder.channels),
        "labels": {clean(k): v for k, v in dict(folder.dataset.get("labels", {})).items()},
        "tumour": {name: list(numbers) for name, numbers in folder.heads.label.items()},
        "folds": [path.parent.name for path in folder.checkpoints],
        "checkpoint": folder.checkpoints[0].name,
        **told,
    }
