"""Sixty folders as a trial sends them, each with what must become of it."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from tests.support.cases import make_volume
from tests.support.dicom import Bend, only, save, tags, write_series
from tmtv_engine.image.nifti import write_nifti

Make = Callable[[Path, str], object]


@dataclass(frozen=True)
class Entry:
    """A folder and its fate: how many cases, what failures and leftovers say (one each)."""

    name: str
    make: Make  # in a folder, a study of the UID root
    cases: int = 0
    failures: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


def pet(
    folder: Path, root: str, bend: Bend | None = None, who: str = "", number: int = 1, **how: object
) -> list[Path]:
    """A PET of a study and a patient of its own."""

    def bent(k: int, ds: Dataset) -> None:
        ds.PatientID = who or f"P{root}"
        if bend is not None:
            bend(k, ds)

    uids = {"study": f"{root}.{number}", "series": f"{root}.{number}.1", "frame": f"{root}.9"}
    counts = np.random.default_rng(int(root.split(".")[-1])).integers(900, 6000, (7, 11, 13))
    more: dict[str, object] = {**uids, **how}
    return write_series(folder, counts.astype(np.int16), bend=bent, **more)  # type: ignore[arg-type]


def ct(folder: Path, root: str, number: int = 1) -> list[Path]:
    """The CT of that study."""

    def bent(k: int, ds: Dataset) -> None:
        ds.PatientID = f"P{root}"

    uids = {"study": f"{root}.{number}", "series": f"{root}.{number}.2", "frame": f"{root}.9"}
    return write_series(folder, modality="CT", bend=bent, **uids)  # type: ignore[arg-type]


def bent(
    change: Callable[[Dataset], object] | None = None, **values: object
) -> Callable[..., None]:
    """A PET all of whose slices are changed."""

    def make(folder: Path, root: str) -> None:
        def each(k: int, ds: Dataset) -> None:
            tags(**values)(ds)
            if change is not None:
                change(ds)

        pet(folder, root, each)

    return make


def drug(**values: object) -> Make:
    """A PET with another injection."""

    def change(ds: Dataset) -> None:
        item = ds.RadiopharmaceuticalInformationSequence[0]
        for keyword, value in values.items():
            if keyword in item:  # an element that was there would check the value
                del item[keyword]
            setattr(item, keyword, value)

    return bent(change)


def image(folder: Path, root: str, name: str = "pet.nii.gz", factor: float = 1.0) -> Path:
    """A PET as an image in SUV, no two alike."""
    suv, _ = make_volume()
    folder.mkdir(parents=True, exist_ok=True)
    scale = factor * (1 + int(root.split(".")[-1]) / 1000)
    volume = suv.with_array((suv.array * scale).astype(np.float32))
    if ".nii" in name:
        write_nifti(volume, folder / name)
    else:
        made = SimpleITK.GetImageFromArray(volume.array)
        made.SetSpacing((2.0, 3.0, 4.0))
        SimpleITK.WriteImage(made, str(folder / name))
    return folder / name


def zipped(folder: Path, name: str = "study.zip") -> None:
    """What is in the folder, in a zip instead."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as file:
        for path in files:
            file.write(path, path.relative_to(folder))
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != name:
            path.unlink()


def both(*makers: Make) -> Make:
    """One after the other, in one folder."""

    def make(folder: Path, root: str) -> None:
        for each in makers:
            each(folder, root)

    return make


def files(**texts: bytes) -> Make:
    """Plain files by name (``__`` stands for a point)."""

    def make(folder: Path, root: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in texts.items():
            (folder / name.replace("__", ".")).write_bytes(data)

    return make


def _second(folder: Path, root: str) -> None:
    pet(folder / "later", root, lambda k, ds: tags(StudyDate="20200401")(ds), number=2)


def _stranger(folder: Path, root: str) -> None:
    pet(folder / "b", root, who=f"Q{root}", number=2)


def _no_preamble(folder: Path, root: str) -> None:
    for path in pet(folder, root):
        path.write_bytes(path.read_bytes()[132:])


def _packed(folder: Path, root: str) -> None:
    for path in pet(folder, root):
        ds = pydicom.dcmread(path)
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(path)


def _dicomdir(folder: Path, root: str) -> None:
    index, records = Dataset(), []
    index.SOPClassUID, index.SOPInstanceUID = "1.2.840.10008.1.3.10", f"{root}.99"
    for path in pet(folder / "disc" / "IMAGES", root):
        record = Dataset()
        record.ReferencedFileID = ["IMAGES", path.name]
        records.append(record)
    index.DirectoryRecordSequence = Sequence(records)
    save(index, folder / "disc" / "DICOMDIR")


def _dicomdir_alone(folder: Path, root: str) -> None:
    _dicomdir(folder, root)
    for path in (folder / "disc").iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def _again(folder: Path, root: str) -> None:
    first = folder / "slices"
    for path in sorted(first.iterdir())[:3]:
        shutil.copy(path, first / f"copy-{path.name}")


def _copy_of_first(folder: Path, root: str) -> None:
    shutil.copytree(folder.parent / "01-plain", folder / "again")


def _link_to_first(folder: Path, root: str) -> None:
    folder.mkdir()
    (folder / "link").symlink_to(folder.parent / "01-plain", target_is_directory=True)


def _made_of_dicom(folder: Path, root: str) -> None:
    from tmtv_engine import read_study

    files = pet(folder / "dicom", root)
    loaded = read_study(files[0].parent)
    (folder / "nifti").mkdir()
    write_nifti(loaded.suv, folder / "nifti" / "pet.nii.gz")


def _uncorrected(folder: Path, root: str) -> None:
    change = tags(CorrectedImage=["DECY"], SeriesDescription="WB NAC")
    pet(folder / "nac", root, lambda k, ds: change(ds), series=f"{root}.1.7")


def _rois(folder: Path, root: str) -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", f"{root}.1.8.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{root}.1", f"{root}.1.8"
    ds.Modality, ds.PatientID = "RTSTRUCT", f"P{root}"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    save(ds, folder / "rois.dcm")


def _mr(folder: Path, root: str) -> None:
    change = tags(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    pet(folder, root, lambda k, ds: change(ds))


def _hole(folder: Path, root: str) -> None:
    files = pet(folder, root)
    next(p for p in files if p.name == "IM001").unlink()  # the third from below


def _cut(folder: Path, root: str) -> None:
    path = pet(folder, root)[3]
    path.write_bytes(path.read_bytes()[:-100])


def _two_reconstructions(folder: Path, root: str) -> None:
    pet(folder / "a", root)
    pet(folder / "b", root, lambda k, ds: tags(SeriesDescription="WB TOF AC")(ds),
        series=f"{root}.1.5")  # fmt: skip


def _two_drugs(ds: Dataset) -> None:
    items = ds.RadiopharmaceuticalInformationSequence
    ds.RadiopharmaceuticalInformationSequence = Sequence([items[0], items[0]])


def _comma(folder: Path, root: str) -> None:
    for path in pet(folder, root, lambda k, ds: tags(PatientWeight="70.5")(ds)):
        path.write_bytes(path.read_bytes().replace(b"70.5", b"70,5"))


def _rotten(folder: Path, root: str) -> None:
    path = image(folder, root)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1  # of its CRC: elsewhere a flip may mean the same bytes
    path.write_bytes(data)


def _not_a_number(folder: Path, root: str) -> None:
    import nibabel

    path = image(folder, root)
    held = nibabel.load(path)
    array = np.asarray(held.dataobj, np.float32).copy()
    array[3, 4, 5] = np.nan
    nibabel.save(nibabel.Nifti1Image(array, held.affine), path)


def _four_axes(folder: Path, root: str) -> None:
    import nibabel

    path = image(folder, root)
    held = nibabel.load(path)
    array = np.stack([np.asarray(held.dataobj, np.float32)] * 2, axis=-1)
    nibabel.save(nibabel.Nifti1Image(array, held.affine), path)


def _broken_zip(folder: Path, root: str) -> None:
    pet(folder / "a", root)
    zipped(folder)
    path = folder / "study.zip"
    path.write_bytes(path.read_bytes()[:-400])


def _fifo(folder: Path, root: str) -> None:
    pet(folder / "pet", root)
    os.mkfifo(folder / "pipe")


def _result(folder: Path, root: str) -> None:
    folder.mkdir()
    (folder / "case.json").write_text("{}")
    (folder / "lesions.nii.gz").write_bytes(gzip.compress(b""))


def _in(name: str) -> Make:
    return lambda folder, root: pet(folder / name, root)


def _table(*rows: Entry) -> tuple[Entry, ...]:
    return tuple(
        Entry(f"{k:02d}-{e.name}", e.make, e.cases, e.failures, e.leftovers)
        for k, e in enumerate(rows, start=1)
    )


def _zip_of(make: Make) -> Make:
    return both(make, lambda folder, root: zipped(folder))


ENTRIES = _table(
    Entry("plain", _in("pet"), 1),
    Entry("pet-and-ct", both(_in("pet"), lambda f, r: ct(f / "ct", r)), 1),
    Entry("deep", _in("a/b/c/d/e/f"), 1),
    Entry("no-preamble", _no_preamble, 1),
    Entry("rle", _packed, 1),
    Entry("zip", _zip_of(_in("a")), 1),
    Entry("zip-of-nifti", _zip_of(lambda f, r: image(f / "a", r)), 1),
    Entry("nifti", image, 1),
    Entry("nifti-and-ct", both(image, lambda f, r: image(f, r, "ct.nii.gz")), 1),
    Entry("autopet", both(lambda f, r: image(f, r, "SUV.nii.gz"),
                          lambda f, r: image(f, r, "CTres.nii.gz")), 1),
    Entry("nrrd", lambda f, r: image(f, r, "pet.nrrd"), 1),
    Entry("metaimage", lambda f, r: image(f, r, "pet.mha"), 1),
    Entry("dicomdir", _dicomdir, 1, (), ("an index of the files",)),
    Entry("slices-twice", both(_in("slices"), _again), 1),
    Entry("two-time-points", both(_in("first"), _second), 2),
    Entry("two-patients", both(_in("a"), _stranger), 2),
    Entry("the-same-study-again", _copy_of_first, 0, (), ("a copy of",)),
    Entry("a-link", _link_to_first, 0, (), ("a link to",)),
    Entry("nifti-of-dicom", _made_of_dicom, 1, (), ("the same image as",)),
    Entry("nifti-beside-dicom", both(_in("dicom"), lambda f, r: image(f / "nifti", r)), 2),
    Entry("uncorrected-beside", both(_in("ac"), _uncorrected), 1, (),
          ("not attenuation-corrected",)),
    Entry("rois-beside", both(_in("pet"), _rois), 1, (), ("RTSTRUCT",)),
    Entry("notes-beside", both(_in("pet"), files(notes__txt=b"seen", empty=b"")), 1, (),
          ("neither DICOM nor", "an empty file")),
    Entry("feet-first", lambda f, r: pet(f, r, cosines=(-1, 0, 0, 0, 1, 0)), 1),
    Entry("dates-blank", bent(StudyDate="", SeriesDate="", AcquisitionDate=""), 1),
    Entry("slope-0-of-nothing", lambda f, r: pet(f, r, only(0, lambda ds: tags(
        RescaleSlope="0", PixelData=b"\0" * len(ds.PixelData))(ds))), 1),
    Entry("other-words-for-fdg", drug(Radiopharmaceutical="2-[18F]fluoro-2-deoxy-D-glucose"), 1),
    Entry("nameless-tracer", drug(Radiopharmaceutical=""), 1),
    Entry("short-uptake", drug(RadiopharmaceuticalStartTime="103500"), 1),
    Entry("=HYPERLINK(\"x\")\x1b[31m", bent(PatientID="=1+1\x1b[2J"), 1),
    Entry("ct-alone", lambda f, r: ct(f, r), 0, (), ("without a PET",)),
    Entry("mr-alone", _mr, 0, (), ("without a PET",)),
    Entry("empty", lambda f, r: f.mkdir(), 0, (), ("an empty folder",)),
    Entry("notes-alone", files(readme__md=b"# none"), 0, (), ("neither DICOM nor",)),
    Entry("a-result", _result, 0, (), ("a case folder",)),
    Entry("dicomdir-alone", _dicomdir_alone, 0, (), ("not there",)),
    Entry("a-fifo", _fifo, 1, (), ("FIFO",)),
    Entry("mask-alone", lambda f, r: image(f, r, "mask.nii.gz"), 0, (), ("name it in a manifest",)),
    Entry("no-weight", bent(PatientWeight=None), 0, ("PatientWeight",)),
    Entry("weight-with-comma", _comma, 0, ("PatientWeight",)),
    Entry("dose-in-mbq", drug(RadionuclideTotalDose="250"), 0, ("RadionuclideTotalDose",)),
    Entry("no-dose", drug(RadionuclideTotalDose=None), 0, ("RadionuclideTotalDose",)),
    Entry("injected-after-the-scan", drug(RadiopharmaceuticalStartDateTime="20200101120000"), 0,
          ("RadiopharmaceuticalStartDateTime",)),
    Entry("half-life-in-minutes", drug(RadionuclideHalfLife="109.77"), 0, ("HalfLife",)),
    Entry("time-without-zero", drug(RadiopharmaceuticalStartTime="81500"), 0,
          ("RadiopharmaceuticalStartTime",)),
    Entry("psma", drug(Radiopharmaceutical="PSMA-1007"), 0, ("PSMA",)),
    Entry("two-injections", bent(_two_drugs), 0, ("Radiopharm",)),
    Entry("no-attenuation", bent(CorrectedImage=["DECY"]), 0, ("CorrectedImage",)),
    Entry("no-decay", bent(CorrectedImage=["ATTN"]), 0, ("CorrectedImage",)),
    Entry("unknown-units", bent(Units="PROPCNTS"), 0, ("Units",)),
    Entry("negative-slope", lambda f, r: pet(f, r, only(2, tags(RescaleSlope="-1"))), 0,
          ("RescaleSlope",)),
    Entry("a-hole", _hole, 0, ("missing",)),
    Entry("cut-slice", _cut, 0, ("cannot be decoded",)),
    Entry("two-reconstructions", _two_reconstructions, 0, ("series",)),
    Entry("rotten-nifti", _rotten, 0, ("pet.nii.gz",)),
    Entry("no-nifti", files(pet__nii__gz=b"none"), 0, ("pet.nii.gz",)),
    Entry("nan-in-nifti", _not_a_number, 0, ("pet.nii.gz",)),
    Entry("four-axes", _four_axes, 0, ("pet.nii.gz",)),
    Entry("becquerels", lambda f, r: image(f, r, factor=3000.0), 0, ("SUV",)),
    Entry("broken-zip", _broken_zip, 0, ("study.zip",)),
)  # fmt: skip


def write_sixty(folder: Path) -> Path:
    """All of them below ``folder``."""
    folder.mkdir()
    for number, entry in enumerate(ENTRIES, start=1):
        entry.make(folder / entry.name, f"1.2.826.0.1.77.{number}")
    return folder
