"""``tmtv doctor``: what this machine offers."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata, util
from pathlib import Path

from tmtv_engine.errors import TmtvError
from tmtv_tui.cli import console, options

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-image",
    "SimpleITK",
    "pydicom",
    "highdicom",
    "pynetdicom",
    "dicomweb-client",
    "nibabel",
    "torch",
    "textual",
    "typer",
    "matplotlib",
)
EXTRAS = {"nnunet": "nnunetv2", "cluster": "distributed", "serve": "textual_serve"}
PROGRAMS = {"ssh-keygen": "signatures by SSH key", "tmux": "a review that outlives a connection"}
GIB = 2**30
BROKEN = "broken: "


def doctor(as_json: bool = options.JSON) -> int:
    """Show what one who helps would ask.

    Versions, device, memory, model, terminal, extras, write access; nothing of a patient. Exits
    with 1 where something is broken: the bundled network's weights, or a folder that must be
    written.
    """
    from tmtv_engine import __version__
    from tmtv_engine.model import library
    from tmtv_engine.model import registry as models

    found = {
        "tmtv": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        "memory": memory(),
        "device": device(),
        "default model": models.default_model(),
        "bundled network": weights(),
        "models' folder": writable(library.home()),
        "working folder": writable(Path.cwd()),
        "terminal": terminal(),
        **{name: _version(name) for name in PACKAGES},
        **{
            f"extra {k}": "there" if util.find_spec(v) else "not installed"
            for k, v in EXTRAS.items()
        },
        **{
            name: "there" if shutil.which(name) else f"not there: no {purpose}"
            for name, purpose in PROGRAMS.items()
        },
    }
    if as_json:
        console.out_json(found)
    else:
        console.table(("what", "found"), list(found.items()))
    return int(any(text.startswith(BROKEN) for text in found.values()))


def memory() -> str:
    """The memory that there is and, where the system tells, how much of it is free."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        whole, free = (os.sysconf(f"SC_{name}") * page for name in ("PHYS_PAGES", "AVPHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return "not told by this system"
    return f"{whole / GIB:.1f} GiB, {free / GIB:.1f} GiB of it unused"


def weights() -> str:
    """The bundled network's fingerprint, once its weights are seen to have it."""
    try:
        from tmtv_engine.model.checkpoint import read_model
        from tmtv_engine.model.infer import BUNDLED

        return f"sha256 {read_model(BUNDLED)[2]['sha256']}"
    except (TmtvError, ImportError) as error:
        return f"{BROKEN}{error}"


def writable(folder: Path) -> str:
    """A folder, and whether it, or where it would be made, can be written to."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    may = os.access(there, os.W_OK | os.X_OK)
    return f"{'' if may else BROKEN + 'not writable: '}{folder}"


def device() -> str:
    """The device that ``--device auto`` takes; asked of the engine, which alone knows torch."""
    try:
        from tmtv_engine.model.infer import device_of
    except ImportError:
        return "cpu (no network is installed)"
    return str(device_of("auto"))


def terminal() -> str:
    """What the terminal can draw, as far as its environment tells."""
    if not sys.stdout.isatty():
        return "none (piped)"
    env = os.environ
    size = shutil.get_terminal_size()
    colours = "24-bit colour" if env.get("COLORTERM") in ("truecolor", "24bit") else "256 colours"
    graphics = "half blocks"
    if env.get("KITTY_WINDOW_ID") or env.get("TERM_PROGRAM") in ("ghostty", "WezTerm"):
        graphics = "kitty graphics"
    return f"{env.get('TERM', '?')}, {size.columns}×{size.lines}, {colours}, {graphics}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
