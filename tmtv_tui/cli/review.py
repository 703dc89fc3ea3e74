"""``tmtv review``: the app."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tmtv_engine.errors import UsageError
from tmtv_tui.cli import decide
from tmtv_tui.terminal.able import refuse_unable
from tmtv_tui.terminal.mux import stopped

if TYPE_CHECKING:
    from tmtv_engine.review.asked import Interactive


def review(
    out: Path = typer.Argument(..., metavar="OUT", help="A folder of cases."),
    reader: str | None = decide.READER,
    read_only: bool = typer.Option(False, "--read-only", help="Look, record nothing."),
    blind: bool = typer.Option(False, "--blind", help="No identity, no other reader."),
    start: str | None = typer.Option(
        None, "--from", metavar="READER", help="Begin a case with this reader's decisions."
    ),
    compare: str | None = typer.Option(
        None, "--compare", metavar="READER", help="Put this reader beside you (key c)."
    ),
    order: str | None = typer.Option(
        None,
        "--order",
        metavar="random:SEED",
        help="Cases in an order drawn by SEED, for a reader study.",
    ),
    image: str | None = typer.Option(
        None,
        "--image",
        metavar="KIND",
        help="half (blocks, the default); sextant, octant: finer, where the font has them; quad, "
        "braille, ascii; kitty or sixel: pixels.",
    ),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="An interactive model to ask where a lesion is added or grown.",
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Line by line, in words: for a screen reader.")
    ] = False,
    served: Annotated[
        bool, typer.Option("--serve", help="In a browser, on this machine only.")
    ] = False,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="The port of --serve.")
    ] = 8000,
) -> int:
    """Review cases in the terminal: accept, reject, split, sign."""
    if not out.is_dir():
        raise UsageError(f"there is no folder {out}", "Give a folder that tmtv predict wrote.")
    if blind and (start or compare):
        raise UsageError("--blind shows no other reader", "Leave out --from and --compare.")
    if plain and (start or compare or served or model):
        raise UsageError("--plain reads alone", "Leave out --from, --compare, --model and --serve.")
    asked = None if model is None else _interactive(model)
    seed = order_seed(order)
    if served:
        from tmtv_tui.cli.serve import serve

        given = {"--reader": reader, "--from": start, "--compare": compare, "--order": order}
        given |= {"--image": image, "--model": model}
        options = [word for k, v in given.items() if v is not None for word in (k, v)]
        flags = [k for k, v in (("--read-only", read_only), ("--blind", blind)) if v]
        return serve([str(out.resolve()), *options, *flags], port)
    from tmtv_engine.review.journal import journal_path, login
    from tmtv_tui.config import COLOURS, IMAGES, PIXELS, read_config

    config = read_config()
    if plain:
        return _plain(out, reader or config.reader or login(), read_only, blind, seed)
    if image is not None and image not in IMAGES:
        raise UsageError(f"--image {image!r} is unknown", f"Choose of {', '.join(IMAGES)}.")
    config = replace(config, image=image or config.image)
    if config.image in PIXELS and (why := stopped(config.image, os.environ)) is not None:
        raise UsageError(f"--image {config.image}: {why[0]}", why[1])
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_FPS", "120")
    os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", COLOURS[config.colours])
    gc.disable()  # what is imported stays: going through it took longer than opening a case
    try:
        from tmtv_tui.app import ReviewApp
    finally:
        gc.enable()

    app = ReviewApp(
        out,
        reader=reader,
        read_only=read_only,
        blind=blind,
        order_seed=seed,
        start=start,
        compare=compare,
        config=config,
        asked=asked,
    )
    journal_path(out, app.reader)  # a name that is no file's is refused before anything is shown
    refuse_unable(os.environ, _terminals(), sys.stdout.encoding or "", _size())
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    app.run()
    app.finish()
    return app.return_code or 0


def _interactive(name: str) -> Interactive:
    """The model, which is loaded when it is first asked; raises `UsageError` for none such."""
    from tmtv_engine.model.registry import check_interactive
    from tmtv_engine.review.asked import Interactive

    check_interactive(name)
    return Interactive(name)


def _plain(out: Path, reader: str, read_only: bool, blind: bool, seed: int | None) -> int:
    """Line by line: commands from standard input, answers on standard output."""
    from tmtv_engine.review.journal import journal_path
    from tmtv_tui.review.plain import Plain

    journal_path(out, reader)
    Plain(out, reader, _line, read_only=read_only, blind=blind, seed=seed).run(sys.stdin)
    return 0


def _line(text: str) -> None:
    """A line at once, in what letters the terminal takes."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def _terminals() -> tuple[bool, bool]:
    """Whether standard input and output are terminals; a closed one is none."""
    return tuple(s is not None and s.isatty() for s in (sys.stdin, sys.stdout))  # type: ignore[return-value]


def _size() -> tuple[int, int]:
    """Columns and lines of the terminal, 0 where it does not say."""
    try:
        return tuple(os.get_terminal_size(sys.stdout.fileno()))  # type: ignore[return-value]
    except (OSError, ValueError):
        return 0, 0


def order_seed(order: str | None) -> int | None:
    """The seed of ``random:SEED``; raises `UsageError` for anything else."""
    if order is None:
        return None
    kind, _, seed = order.partition(":")
    if kind != "random" or not seed.isdecimal():
        raise UsageError(f"--order {order!r} is unknown", "Write random:SEED, a number.")
    return int(seed)
