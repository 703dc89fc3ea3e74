"""``tmtv doctor``: what this machine offers."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata, util

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
EXTRAS = {"nnunet": "nnunetv2", "suv-oracles": "mirp", "stats-oracles": "pingouin"}


def doctor(as_json: bool = options.JSON) -> int:
    """Show device, terminal graphics, optional extras and versions."""
    from tmtv_engine import __version__
    from tmtv_engine.model import registry as models

    found = {
        "tmtv": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        "device": device(),
        "default model": models.default_model(),
        "terminal": terminal(),
        **{name: _version(name) for name in PACKAGES},
        **{
            f"extra {k}": "there" if util.find_spec(v) else "not installed"
            for k, v in EXTRAS.items()
        },
    }
    if as_json:
        console.out_json(found)
    else:
        console.table(("what", "found"), list(found.items()))
    return 0


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
