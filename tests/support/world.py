"""A folder that has what the commands of README, docs and help name, so that they can be run."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom

from tests.support.dicom import write_series
from tests.support.exports import finder_of
from tests.train.test_train import PLAN, TINY
from tests.train.test_train import _manifest as write_cohort
from tmtv_engine.case.folder import Case
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_tui.cli.app import main

SPACING = (10.0, 8.0, 8.0)
ORIGIN = (-96.0, -64.0, -220.0)
SHAPE = (74, 16, 24)
NAMES = {
    "results": ("case-1", "3f0a2b6c91de", "baseline", "interim", "c1", "c2"),
    "results/cases": ("case-9",),
    "new-model": ("case-1",),
    "old-model": ("case-1",),
}


def make_world(folder: Path) -> None:
    """Write cases of nine lesions, readers' journals, studies, ROIs and tables below ``folder``.

    Lesion 4 lies beside the point (-40, 0, -200) and has two maxima, 20 and 10, and an end of 3;
    what is above at (12, -30, 410) is no lesion yet.
    """
    suv, labels = _drawn()
    (study,) = find_studies(_dicom(folder / "PET", suv))
    assert isinstance(study, Study)
    for root, names in NAMES.items():
        for name in names:
            case = _case(replace(study, case=name), labels, folder / root)
    _read(folder)
    _rois(folder, case)
    for name in ("studies", "study", "STS_001", "data/studies"):
        shutil.copytree(folder / "PET", folder / name / "PET")
    for name in ("studies", "data/studies"):  # of nobody who has a case
        _another(folder / name / "PET")
    (folder / "STS_001" / "mask").mkdir()
    shutil.copy(folder / "RTSTRUCT.dcm", folder / "STS_001" / "mask" / "1-1.dcm")
    rows = "\n".join(f"p{k},41,{100 + 7 * k},{90 + 8 * k}" for k in range(12))
    (folder / "volumes.csv").write_text(f"case,method,tmtv_ref_ml,tmtv_ml\n{rows}\n", "utf-8")
    (folder / "manifest.csv").write_text("case,pet\np1,PET\n", "utf-8")
    rois = "\n".join(f"{name},mask.nii.gz" for name in NAMES["results"])
    (folder / "manual.csv").write_text(f"case,roi\n{rois}\n", "utf-8")
    _trained(folder / "run")
    shutil.copytree(folder / "run", folder / "RUN")
    _downloaded(folder / "LyROI_ResM.zip")
    _keys(folder)


def _drawn() -> tuple[np.ndarray, np.ndarray]:
    """SUV 1 with hot places, and the labels of the nine that are lesions."""
    suv, labels = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.uint16)
    for number in (1, 2, 3, 5, 6, 7, 8, 9):
        place = np.s_[6 * number : 6 * number + 3, 5:8, 10:13]
        suv[place], labels[place] = 6.0 + number, number
    suv[2, 8, 7:14] = 9.0, 20.0, 5.0, 10.0, 6.0, 5.0, 3.0
    labels[2, 8, 8:14] = 4
    suv[62:65, 3:6, 12:15] = 8.0
    return suv, labels


def _dicom(place: Path, suv: np.ndarray) -> Path:
    """The PET as DICOM whose SUV is ``suv``, in steps of less than a hundredth."""

    def twice(_: int, ds: pydicom.Dataset) -> None:
        ds.RescaleSlope = 2 * float(ds.RescaleSlope)  # SUV 20 would not fit 16 bits

    trial = place.with_name("trial")
    write_series(trial, np.full(SHAPE, 2000, np.int16), spacing=SPACING, origin=ORIGIN, bend=twice)
    (study,) = find_studies(trial)
    assert isinstance(study, Study)
    step = float(load_study(study).suv.array.mean()) / 2000
    shutil.rmtree(trial)
    stored = np.rint(suv / step).astype(np.int16)
    write_series(place, stored, spacing=SPACING, origin=ORIGIN, bend=twice)
    return place


def _another(place: Path) -> None:
    """Makes of the series in ``place`` another one."""
    for path in place.iterdir():
        ds = pydicom.dcmread(path)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            ds[keyword].value += ".7"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(path)


def _case(study: Study, labels: np.ndarray, out: Path) -> Case:
    return run_case(
        study, finder_of(labels), CaseConfig(out, tuple(map(parse_method, ("41", "2.5", "4.0"))))
    )


def _read(folder: Path) -> None:
    for name in NAMES["results"]:
        place = str(folder / "results" / name)
        for reader in ("AB", "CD"):
            assert main(["reject", place, "2", "--reader", reader]) == 0
        assert main(["note", place, "seen", "--reader", "EF"]) == 0


def _rois(folder: Path, case: Case) -> None:
    """The case's lesions as somebody else's: NIfTI, SEG and RTSTRUCT."""
    from tmtv_engine.export.objects import write_objects

    seg, rtstruct = (
        next(p for p in write_objects(case, [kind]) if p.name.startswith(kind))
        for kind in ("seg", "rtstruct")
    )
    for name in ("corrected.dcm", "corrected_seg.dcm"):
        shutil.copy(seg, folder / name)
    drawn = pydicom.dcmread(rtstruct)
    drawn.StructureSetROISequence[0].ROIName = "GTV_Mass"
    drawn.save_as(folder / "RTSTRUCT.dcm")
    shutil.rmtree(case.path / "export")
    lesions = case.voxels()
    flat = np.zeros(lesions.grid.shape, np.uint16).reshape(-1)
    flat[lesions.voxels] = lesions.ids[lesions.owner]
    labels = flat.reshape(lesions.grid.shape)
    write_nifti(Volume(labels, lesions.grid, Unit.LABEL), folder / "mask.nii.gz")
    (study,) = find_studies(folder / "PET")
    assert isinstance(study, Study)
    write_nifti(load_study(study).suv, folder / "pet.nii.gz")


def _trained(run: Path) -> None:
    """A run as `tmtv train` leaves it, of a network that never learned."""
    from tmtv_engine.model.checkpoint import network_of, write_model
    from tmtv_engine.study.split import write_split
    from tmtv_engine.train.dataset import read_dataset, split_of

    write_split(run, split_of(read_dataset(write_cohort(run.parent / "cohort", 10)), 3), "seed 3")
    write_model(run, network_of(PLAN).state_dict(), TINY, name="tiny", trained_on="nobody")


def _downloaded(path: Path) -> None:
    """A zip in the form of a published nnU-Net, with weights that nothing was taught."""
    from tests.model.test_library import model, zipped

    zipped(model(path.with_suffix("")), path)
    shutil.rmtree(path.with_suffix(""))


def _keys(folder: Path) -> None:
    """A reader's SSH key where OpenSSH would look for it below the home, and who may sign."""
    (folder / ".ssh").mkdir()
    key = folder / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (folder / "signers").write_text(f"AB {key.with_suffix('.pub').read_text()}", "utf-8")
