"""The command line: each command is a module; this one gathers them and ends well."""

from __future__ import annotations

import os
from typing import Any

import typer

from tmtv_engine.errors import DiskError, TmtvError, UsageError, refusal
from tmtv_tui.cli import console
from tmtv_tui.cli.compare import compare
from tmtv_tui.cli.decide import (
    accept,
    flag,
    note,
    redo,
    reject,
    sign,
    split,
    undo,
    unflag,
    unsign,
)
from tmtv_tui.cli.demo import demo
from tmtv_tui.cli.doctor import doctor
from tmtv_tui.cli.evaluate import evaluate
from tmtv_tui.cli.export import export
from tmtv_tui.cli.fetch import fetch
from tmtv_tui.cli.import_ import import_
from tmtv_tui.cli.models import app as models
from tmtv_tui.cli.phantom import phantom
from tmtv_tui.cli.predict import predict
from tmtv_tui.cli.repair import MINUS, add, erase, merge
from tmtv_tui.cli.report import report
from tmtv_tui.cli.review import review
from tmtv_tui.cli.send import send
from tmtv_tui.cli.threshold import threshold
from tmtv_tui.cli.train import train
from tmtv_tui.cli.verify import verify
from tmtv_tui.cli.words import Command, Stopped, example

app = typer.Typer(
    name="tmtv",
    help="Total metabolic tumour volume of lymphoma on FDG PET/CT. Research use only.",
    epilog="Example: tmtv predict /data/studies -o results, then tmtv review results",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        from tmtv_engine import __version__

        console.out(f"tmtv {__version__}")
        raise typer.Exit


def _command(*examples: str, **more: Any) -> Any:
    """A decorator that makes a function a command with these examples."""
    return app.command(cls=Command, epilog=example(*examples), **more)


_command(
    "tmtv predict /data/studies -o results",
    "tmtv predict study --method 41 --method liver --liver-sphere -60,-20,310",
    "tmtv predict manifest.csv --model hotspot --jobs 2 --json > cases.jsonl",
)(predict)
_command(
    "tmtv threshold pet.nii.gz mask.nii.gz --method 2.5",
    "tmtv threshold PET/ RTSTRUCT.dcm --roi GTV_Mass --rois labels",
)(threshold)
_command(
    "tmtv compare results/baseline results/interim -o change",
    "tmtv compare results/c1 results/c2 --liver-sphere -60,-20,310 --blood-sphere 0,-10,480",
)(compare)
_command("tmtv train cohort.csv -o run --recipe paper")(train)
_command("tmtv evaluate run", "tmtv evaluate run --set test -o study")(evaluate)
_command("tmtv phantom patients -n 3 --seed 1 --format nifti")(phantom)
_command("tmtv demo -o tmtv-demo")(demo)
_command("tmtv doctor", "tmtv doctor --json")(doctor)
_command("tmtv review results", "tmtv review results --read-only")(review)
_command(
    "tmtv fetch --from ARCHIVE@pacs:104 --patient-id TRIAL-007 -o studies",
    "tmtv fetch --from https://pacs/dicom-web --study-date 20240101-20240331 -o studies",
)(fetch)
_command("tmtv export results --write seg,sr,rtstruct")(export)
_command(
    "tmtv send results --to ARCHIVE@pacs:104 --aet TMTV",
    "tmtv send results/case-1 --to https://pacs/dicom-web",
)(send)
_command(
    "tmtv report volumes.csv -o agreement",
    "tmtv report results --reference manual.csv --cutoff 220",
    "tmtv report results --reader AB --against-reader CD",
    "tmtv report results --against-reader prediction",
    "tmtv report new-model --against old-model",
    "tmtv report results",
)(report)
_command(
    "tmtv import results/case-1 corrected_seg.dcm --reader AB",
    "tmtv import results/case-1 RTSTRUCT.dcm --same 0.9",
    name="import",
)(import_)
_command("tmtv accept results/case-1 7 --reader AB")(accept)
_command("tmtv reject results/case-1 3-5 --reason bladder")(reject)
_command("tmtv split results/case-1 4")(split)
_command(
    "tmtv add results/case-1 -40,0,-200 --above 41% --within 40",
    "tmtv add results/case-1 12,-30,410 --above 2.5 --preview",
    "tmtv add results/case-1 12,-30,410 --into 4",
    context_settings=MINUS,
)(add)
_command(
    "tmtv erase results/case-1 4 --sphere -40,0,-200,12",
    "tmtv erase results/case-1 4 --below 4.0",
)(erase)
_command("tmtv merge results/case-1 3 5")(merge)
_command("tmtv note results/case-1 'spleen at the border'")(note)
_command("tmtv flag results/case-1", "tmtv flag results/case-1 --off")(flag)
_command("tmtv unflag results/case-1")(unflag)
_command("tmtv undo results/case-1")(undo)
_command("tmtv redo results/case-1")(redo)
_command("tmtv sign results/case-1 --reader AB")(sign)
_command("tmtv unsign results/case-1 --reader AB")(unsign)
app.add_typer(models, name="models")
_command("tmtv verify results", "tmtv verify results/case-1 --json")(verify)


def main(arguments: list[str] | None = None) -> int:
    """Run ``tmtv``; returns the exit status 0, 1 (something failed) or 2 (wrong usage)."""
    console.VOICE.quiet = False  # a command says so itself
    try:
        with console.tamed():
            status = app(arguments, prog_name="tmtv", standalone_mode=False)
            console.say_the_rest()
    except typer.Abort:
        return 1
    except TmtvError as error:
        return _told(error)
    except (Stopped, KeyboardInterrupt):
        console.complain("\nstopped; nothing was left half-written")
        return 130
    except BrokenPipeError:
        console.let_stdout_go()
        return 1
    except OSError as error:
        return _told(_refused(error))
    except Exception as error:
        return _unexpected(error)
    return int(status) if isinstance(status, int) else 0


def _refused(error: OSError) -> TmtvError:
    """What the disk or the net would not do, by the name of what it was asked for."""
    name = os.fsdecode(error.filename or "")
    told = ": ".join(word for word in (name, refusal(error)) if word)
    return DiskError(told, "Nothing was left half-written.")


def _told(error: TmtvError) -> int:
    if os.environ.get("TMTV_TRACEBACK") == "1":
        raise error
    console.complain(f"error: {error.what}")
    if error.remedy:
        console.complain(error.remedy)
    return 2 if isinstance(error, UsageError) else 1


def _unexpected(error: Exception) -> int:
    """Click's own complaints, and everything that nobody foresaw: two lines, no traceback."""
    if hasattr(error, "exit_code") and hasattr(error, "show"):
        error.show()
        return int(error.exit_code)
    if os.environ.get("TMTV_TRACEBACK") == "1":
        raise error
    console.complain(f"error: {type(error).__name__}: {error}")
    console.complain("This should not happen; TMTV_TRACEBACK=1 shows where it did.")
    return 1
