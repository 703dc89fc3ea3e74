"""Whether a case that is there answers what is asked now; what of it must be made anew."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from tmtv_engine.batch.outcome import Outcome
from tmtv_engine.batch.recut import recut
from tmtv_engine.case.folder import Case, is_complete, is_reviewed, read_case
from tmtv_engine.case.record import CaseRecord, ReviewState
from tmtv_engine.errors import CaseError, TmtvError
from tmtv_engine.model.finders import Finder
from tmtv_engine.pipeline import CaseConfig
from tmtv_engine.review.session import who_has_open
from tmtv_engine.study.archive import unpacked
from tmtv_engine.study.inputs import inputs_sha256, stamps
from tmtv_engine.study.organmaps import organs_record
from tmtv_engine.suv.overrides import Overrides

if TYPE_CHECKING:
    from tmtv_engine.study.found import Study

FRESH = "--fresh makes it anew (a reviewed one moves to aside/); or choose another -o."
NO_CASE = "what had no case.json"
GRANTS = ("allow_tracer", "allow_gaps", "accepted")
ASSUMED: Mapping[str, Any] = {"min_ml": 0.0, "rois": "auto"}
"""What a case of before `made_with` is taken to be made with: the defaults."""


def resumed(study: Study, finder: Finder, config: CaseConfig) -> Outcome:
    """The case that is there, if it answers what is asked; methods that it lacks are cut.

    It must have been made from the same files, by the same model, rule and limits and with the
    same overrides: what differs is this study's failure, which names it.
    """
    try:
        case = read_case(config.out / study.case)
        told = differences(case, study, finder, config)
        if told:
            raise CaseError(f"{case.path} was made {'; '.join(told)}", FRESH)
        missing = [m for m in config.methods if m.key not in case.record.provenance.methods]
        if missing:
            case = recut(case, missing, config.liver_mm)
            named = ", ".join(m.key for m in missing)
            return Outcome(study.case, "done", case, None, study, f"cut by {named} from its lists")
    except TmtvError as error:
        return Outcome(study.case, "failed", None, error, study)
    return Outcome(study.case, "skipped", case, None, study)


def differences(case: Case, study: Study, finder: Finder, config: CaseConfig) -> list[str]:
    """What a case was made with and is not made with now, each in words; empty: nothing.

    Permissions (`--accept`, `--allow-…`) that are given now and were not then change nothing in
    a case that was made without them; one that was made with them needs them again.
    """
    asked = study.told(config.overrides or Overrides())
    others = [*_model(case.record, finder)] or [*_limits(case.record, finder, config)]
    others += [*_overrides(case.record, asked), *_organs(case.record, study)]
    told = [] if same_files(case, study) else [f"from other files than {study.path}"]
    return told + ([f"otherwise: {'; '.join(others)}"] if others else [])


def _model(record: CaseRecord, finder: Finder) -> Iterator[str]:
    then, now = record.model, dict(finder.record)
    if (then.sha256 or then.name) != (now.get("sha256") or now["name"]):
        made = _named(then.name, then.sha256)
        yield f"model {made}, now {_named(now['name'], now.get('sha256'))}"
        return
    if then.rule != now.get("rule"):
        yield f"--rule {then.rule or 'paper'}, now {now.get('rule') or 'paper'}"
    if (then.split is not False) != (now.get("split") is not False):
        yield "with --no-split" if then.split is False else "without --no-split"


def _named(name: str, sha256: str | None) -> str:
    return f"{name} ({sha256[:12]})" if sha256 else name


def _limits(record: CaseRecord, finder: Finder, config: CaseConfig) -> Iterator[str]:
    made = record.provenance.made_with
    then = ASSUMED if made is UNSET else made
    for key, now in finder.limits.items():
        before = then.get(key, now if made is UNSET else None)
        if before != now:
            yield f"{key} {_shown(before)}, now {_shown(now)}"
    sphere = None if made is UNSET else made.get("liver_mm")
    if "liver" in record.provenance.methods and config.liver_mm is not None:
        if sphere is None:
            yield "a liver sphere that it does not tell"
        elif tuple(sphere) != config.liver_mm:
            yield f"--liver-sphere {_shown(sphere)}, now {_shown(config.liver_mm)}"


def _organs(record: CaseRecord, study: Study) -> Iterator[str]:
    made, now = record.provenance.made_with, organs_record(study)
    then = {} if made is UNSET else made
    for key in ("organs_sha256", "organs_names_sha256"):
        if then.get(key) != now.get(key):
            what = "--organs" if key == "organs_sha256" else "names of --organs' labels"
            yield f"{what} {_shown(then.get(key))}, now {_shown(now.get(key))}"
            return


def _overrides(record: CaseRecord, asked: Overrides) -> Iterator[str]:
    then, now = record.overrides, asked.record()
    for key in sorted({*then, *now}):
        before, after = then.get(key), now.get(key)
        if key in GRANTS and set(_items(before)) <= set(_items(after)):
            continue
        if before != after:
            yield f"{key} {_shown(before)}, now {_shown(after)}"


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    return (value,) if value else ()


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


def same_files(case: Case, study: Study) -> bool:
    """Whether a case was made from these files as they are: by place, size and time, else bytes.

    A case that does not say what it was made from is taken as it is.
    """
    known = case.record.provenance.inputs_sha256
    if known is None:
        return True
    stamp = stamps([*study.pet, *study.ct])
    if _same_paths(case, study) and stamp is not None and case.source().get("stamps") == stamp:
        return True
    with unpacked(study) as real:
        try:
            return inputs_sha256([*real.pet, *real.ct]) == known
        except OSError as error:
            raise CaseError(
                f"{study.path}: {error.strerror}", "Its files can't be read."
            ) from error


def _same_paths(case: Case, study: Study) -> bool:
    files = [*study.pet, *study.ct]
    return bool(case.source().get("inputs") == [os.path.abspath(p) for p in files])


def refuse_another(study: Study, config: CaseConfig) -> None:
    """Raise `CaseError` where the case of that name is another study's, or being read now."""
    folder = config.out / study.case
    if not is_complete(folder):
        return
    case = read_case(folder)
    source = case.source()
    if study.kind == "dicom" and source.get("kind") == "dicom":
        uids = {one["uid"] for one in source["pet"].get("instances", ())}
        another = bool(uids and study.instances) and uids.isdisjoint(study.instances)
    else:
        another = not (_same_paths(case, study) or same_files(case, study))
    if another:
        raise CaseError(
            f"{case.path} is the case of another study than {study.path}",
            "Choose another -o, or name the study otherwise in a manifest.",
        )
    for one in who_has_open(folder):
        if one.alive:
            what = f"{folder} is being read by {one.reader} since {one.since}"
            raise CaseError(what, "Try again when the reader has closed it.")


def gives_way(folder: Path, finder: Finder) -> str:
    """What stands at ``folder`` and would give way to a new case, in words; empty: nothing to say.

    A reading always, and what is no case; of an unreviewed prediction only that of another model.
    """
    if not is_complete(folder):
        return NO_CASE if os.path.lexists(folder) else ""
    try:
        case = read_case(folder)
        if not is_reviewed(folder):
            name = case.record.model.name
            return "" if name == finder.record["name"] else f"an unreviewed case by {name}"
        review = case.record.review
    except TmtvError:
        return "a case that cannot be read"
    readers = ", ".join(review.readers) or "nobody yet"
    signed = "signed" if review.status is ReviewState.DONE else f"not signed: {review.status}"
    return f"the case read by {readers} ({signed})"
