"""Structured mutations of a PET series: of headers, of files, of pixels.

Each takes the files of a study (bytes by name) and bends them; it returns what it did in words
that begin with its kind. Nothing here knows what a reader makes of it.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

from tests.fuzz.world import SHAPE, SPACING, parsed, written

Files = dict[str, bytes]
Chance = random.Random
Bend = Callable[[Files, Chance], str]
DRUG = "RadiopharmaceuticalInformationSequence"

NUMBERS: Sequence[Any] = (
    "", "0", "-1", "1", "NaN", "inf", "abc", "70,5", " 70 ", "1e3", "1e-3", "1e12", "70\\70",
    "0.0001", "1200", "1" * 40, "×10", "×1000", "÷1000", "×1.02", "×-1", "÷60",
)  # fmt: skip
DATES = ("", "19000101", "00010101", "20240314", "20240316", "20240415", "2024031", "2024-03-15",
         "15.03.2024", "20241315", "99999999", "        ")  # fmt: skip
TIMES = ("", "000000", "81500", "0815", "08", "076199", "240000", "201500", "235959", "091600",
         "090500", "061500", "08:15:00", "081500.123456", "120000", "031500", "now",
         "      ")  # fmt: skip
MOMENTS = ("", "20240315081500", "20240315071500+0000", "20240314081500", "20240315", "19000101",
           "00010101000000", "20240315191500", "20240315081500.5+0100", "xyz")  # fmt: skip
WORDS = ("", "X", "bqml", "BQML ", "GML", "CNTS", "CM2ML", "PROPCNTS", "START", "ADMIN", "NONE",
         "BW", "LBM", "LBMJANMA", "BSA", "IBW", "DYNAMIC\\IMAGE", "ATTN", "DECY", "ATTN\\DECY",
         "DERIVED\\SECONDARY\\MIP", "ORIGINAL\\PRIMARY\\LOCALIZER", "CT", "OT", "SEG", "M", "O",
         "F-18 FDG", "[68Ga]PSMA", "FDG", "\x1b[31mred", "é" * 30)  # fmt: skip
UIDS = ("", "1.2.826.8.1", "1.2.840.10008.5.1.4.1.1.2", "not a uid", "1." * 40)
WHOLE = ("", "0", "1", "2", "12", "-3", "300", "65535", "70000", "x")

TAGS = {
    "PatientWeight": NUMBERS, "PatientSize": NUMBERS, "RescaleSlope": NUMBERS,
    "RescaleIntercept": NUMBERS, "FrameReferenceTime": NUMBERS, "ActualFrameDuration": NUMBERS,
    "PixelSpacing": NUMBERS, "ImagePositionPatient": NUMBERS, "ImageOrientationPatient": NUMBERS,
    "SliceThickness": NUMBERS, "SpacingBetweenSlices": NUMBERS, "SliceLocation": NUMBERS,
    "DecayFactor": NUMBERS, "NumberOfSlices": WHOLE, "ImageIndex": WHOLE,
    "InstanceNumber": WHOLE, "NumberOfTimeSlices": WHOLE, "Rows": WHOLE, "Columns": WHOLE,
    "BitsAllocated": WHOLE, "BitsStored": WHOLE, "HighBit": WHOLE, "PixelRepresentation": WHOLE,
    "SamplesPerPixel": WHOLE, "NumberOfFrames": WHOLE,
    "StudyDate": DATES, "SeriesDate": DATES, "AcquisitionDate": DATES, "ContentDate": DATES,
    "StudyTime": TIMES, "SeriesTime": TIMES, "AcquisitionTime": TIMES,
    "AcquisitionDateTime": MOMENTS, "DecayCorrectionDateTime": MOMENTS,
    "TimezoneOffsetFromUTC": ("", "+0100", "-0500", "0100", "+9900", "Z"),
    "Units": WORDS, "SUVType": WORDS, "DecayCorrection": WORDS, "CorrectedImage": WORDS,
    "SeriesType": WORDS, "ImageType": WORDS, "Modality": WORDS, "PatientSex": WORDS,
    "Manufacturer": WORDS, "PatientID": WORDS, "SeriesDescription": WORDS,
    "SpecificCharacterSet": ("", "ISO_IR 192", "ISO 2022 IR 87", "nonsense"),
    "PhotometricInterpretation": ("", "MONOCHROME1", "RGB", "PALETTE COLOR"),
    "SOPClassUID": UIDS, "SOPInstanceUID": UIDS, "StudyInstanceUID": UIDS,
    "SeriesInstanceUID": UIDS, "FrameOfReferenceUID": UIDS,
}  # fmt: skip
IN_DRUG = {
    "RadionuclideTotalDose": NUMBERS, "RadionuclideHalfLife": NUMBERS,
    "RadiopharmaceuticalStartTime": TIMES, "RadiopharmaceuticalStartDateTime": MOMENTS,
    "Radiopharmaceutical": WORDS, "RadionuclideCodeSequence": ("",),
}  # fmt: skip
BINARY = {
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "SamplesPerPixel", "NumberOfSlices", "ImageIndex", "NumberOfTimeSlices",
}  # fmt: skip
BLOCKS = ((0x7053, 0x1000), (0x7053, 0x1009), (0x0009, 0x100D))


def some(files: Files, chance: Chance, part: str = "PT") -> tuple[str, list[str]]:
    """Some of the slices, and in which word: all, one, those from one on, or half by chance."""
    names = sorted(n for n in files if n.startswith(part))
    if not names:
        return "none", []
    scope = chance.choices(("all", "one", "from", "half"), (5, 3, 2, 1))[0]
    if scope == "one":
        names = [chance.choice(names)]
    elif scope == "from":
        names = names[chance.randrange(len(names)) :]
    elif scope == "half":
        names = [n for n in names if chance.random() < 0.5] or names[:1]
    return scope, names


def rewritten(files: Files, names: Sequence[str], change: Callable[[Dataset], None]) -> None:
    """Bend datasets; one that cannot be written any more stays as it was."""
    for name in names:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            try:
                ds = parsed(files[name])
                change(ds)
                files[name] = written(ds)
            except Exception:  # pydicom's own, of many kinds
                continue


def header(files: Files, chance: Chance) -> str:
    """Another value of an attribute, or none."""
    inner = chance.random() < 0.3
    keyword = chance.choice([*(IN_DRUG if inner else TAGS)])
    value = chance.choice([*(IN_DRUG if inner else TAGS)[keyword], None])
    scope, names = some(files, chance)

    def change(ds: Dataset) -> None:
        at = ds[DRUG].value[0] if inner else ds
        if value is None:
            if keyword in at:
                delattr(at, keyword)
            return
        _put(at, keyword, value, chance)

    rewritten(files, names, change)
    told = "gone" if value is None else repr(value[:24])
    return f"{keyword} {scope} {told}"


def _put(at: Dataset, keyword: str, value: str, chance: Chance) -> None:
    if value[:1] in "×÷" and value:
        by = float(value[1:]) if value[0] == "×" else 1 / float(value[1:])
        old = at.get(keyword)
        many = list(old) if hasattr(old, "__iter__") and not isinstance(old, str) else [old or 0]
        one = chance.randrange(len(many))
        new = [f"{float(v) * by if k == one else float(v):.10g}" for k, v in enumerate(many)]
        setattr(at, keyword, new if len(new) > 1 else new[0])
    elif keyword in BINARY:
        setattr(at, keyword, int(value) if value not in ("", "x") else None)
    elif keyword == "RadionuclideCodeSequence":
        at.RadionuclideCodeSequence = Items([])
    else:
        setattr(at, keyword, value.split("\\") if "\\" in value else value)


def private(files: Files, chance: Chance) -> str:
    """A vendor's own attribute."""
    group, element = chance.choice(BLOCKS)
    value = chance.choice([*NUMBERS[:16], *MOMENTS, None])
    scope, names = some(files, chance)

    def change(ds: Dataset) -> None:
        tag = (group, element)
        if tag in ds and value is None:
            del ds[tag]
        elif tag in ds:
            ds[tag].value = value

    rewritten(files, names, change)
    return f"private ({group:04x},{element:04x}) {scope} {value!r}"


def drugs(files: Files, chance: Chance) -> str:
    """No tracer, two of them, or another one."""
    how = chance.choice(("none", "two", "empty", "deep"))
    scope, names = some(files, chance)

    def change(ds: Dataset) -> None:
        items = list(ds[DRUG].value)
        if how == "none":
            del ds[DRUG]
        elif how == "two":
            ds.RadiopharmaceuticalInformationSequence = Items([*items, *items])
        elif how == "empty":
            ds.RadiopharmaceuticalInformationSequence = Items([Dataset()])
        else:
            for _ in range(3):
                outer = Dataset()
                outer.RadionuclideCodeSequence = Items(items)
                items = [outer]
            ds.RadiopharmaceuticalInformationSequence = Items(items)

    rewritten(files, names, change)
    return f"drug {scope} {how}"


def moved(files: Files, chance: Chance) -> str:
    """Slices that lie elsewhere, along or across."""
    axis, by = chance.randrange(3), chance.choice((0.02, 0.3, 1.0, 2.5, 5.0, 60.0, -5.0))
    scope, names = some(files, chance)

    def change(ds: Dataset) -> None:
        place = [float(v) for v in ds.ImagePositionPatient]
        place[axis] += by
        ds.ImagePositionPatient = [f"{v:.5f}" for v in place]

    rewritten(files, names, change)
    return f"moved {scope} {'xyz'[axis]} {by:g} mm"


def gone(files: Files, chance: Chance) -> str:
    """Slices that were never copied."""
    names = sorted(n for n in files if n.startswith("PT"))
    if not names:
        return "gone nothing"
    where = chance.choice(("first", "last", "middle", "ends", "every other", "all but one", "some"))
    out = {
        "first": names[: chance.randrange(1, 4)],
        "last": names[-chance.randrange(1, 4) :],
        "middle": names[4 : 4 + chance.randrange(1, 4)],
        "ends": [names[0], names[-1]],
        "every other": names[::2],
        "all but one": names[1:],
        "some": [n for n in names if chance.random() < 0.3],
    }[where]
    for name in out:
        files.pop(name, None)  # the first may be the last
    return f"gone {where}"


def copied(files: Files, chance: Chance) -> str:
    """The same file again under another name, at times with another UID or other pixels."""
    how = chance.choice(("exact", "folder", "new uid", "other pixels", "zip"))
    names = sorted(n for n in files if n.startswith("PT"))
    if not names:
        return "copied nothing"
    for name in chance.sample(names, chance.choice((1, min(3, len(names)), len(names)))):
        other = f"copy/{name}" if how in ("folder", "zip") else f"PT9{name[2:]}"
        files[other] = files[name]
        if how == "new uid":
            rewritten(files, [other], _renamed)
        if how == "other pixels":
            rewritten(files, [other], lambda ds: setattr(ds, "PixelData", bytes(len(ds.PixelData))))
    return f"copied {how}"


def _renamed(ds: Dataset) -> None:
    ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.9"


def torn(files: Files, chance: Chance) -> str:
    """A file cut off, emptied, or rotten."""
    how = chance.choice(("cut", "empty", "rot", "rot", "zeros", "text", "doubled", "no preamble"))
    scope, names = some(files, chance)
    for name in names[:3]:
        data = bytearray(files[name])
        if not data:
            continue
        at = chance.randrange(len(data))
        if how == "cut":
            data = data[:at]
        elif how == "empty":
            data = bytearray()
        elif how == "rot":
            for _ in range(chance.choice((1, 1, 4, 64))):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        elif how == "zeros":
            data[at : at + 400] = bytes(len(data[at : at + 400]))
        elif how == "text":
            data = bytearray(b"this is no image\n" * 20)
        elif how == "doubled":
            data = data + data[132:]
        elif how == "no preamble":
            data = data[132:]
        files[name] = bytes(data)
    return f"torn {how} {scope}"


def pixels(files: Files, chance: Chance) -> str:
    """Other pixels: too few, too many, other bits, a slice of nothing."""
    how = chance.choice(
        ("short", "long", "blank", "high bits", "12 bits", "unsigned", "gone", "max")
    )
    scope, names = some(files, chance)

    def change(ds: Dataset) -> None:
        if ds.file_meta.TransferSyntaxUID.is_compressed:
            ds.decompress()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = ds.PixelData
        values = np.frombuffer(data, "<i2")
        if how == "short":
            ds.PixelData = data[: len(data) // 2]
        elif how == "long":
            ds.PixelData = data + data[:100]
        elif how == "blank":
            ds.PixelData, ds.RescaleSlope = bytes(len(data)), "0"
        elif how == "high bits":
            ds.BitsStored, ds.HighBit = 15, 14
            ds.PixelRepresentation = 0
            ds.PixelData = (values.astype("<u2") | 0x8000).tobytes()
        elif how == "12 bits":
            ds.BitsStored, ds.HighBit = 12, 11
        elif how == "unsigned":
            ds.PixelRepresentation = 0
        elif how == "gone":
            del ds.PixelData
        else:
            ds.PixelData = np.full(values.shape, 32767, "<i2").tobytes()

    rewritten(files, names, change)
    return f"pixels {how} {scope}"


def strangers(files: Files, chance: Chance) -> str:
    """What else lies in such folders."""
    names = sorted(n for n in files if n.startswith("PT"))
    if not names:
        return "stranger nothing"
    how = chance.choice(("text", "dicomdir", "hidden", "csv", "mip", "scout", "capture", "nac",
                         "patient", "no number", "deep", "between", "above"))  # fmt: skip
    plain = {"text": "readme.txt", "dicomdir": "DICOMDIR", "hidden": ".DS_Store", "csv": "list.csv"}
    if how in plain:
        files[plain[how]] = b"case,pet\nx,y\n" * 9
        return f"stranger {how}"
    if how == "deep":
        for name in names:
            files[f"a/b/{'c' * 60}/{name}"] = files.pop(name)
        return "stranger deep"
    every = names if how in ("nac", "patient", "between", "above") else names[:1]
    for name in every:
        files[f"X{name[2:]}"] = files[name]
    own = [f"X{name[2:]}" for name in every]
    rewritten(files, own, lambda ds: _strange(ds, how))
    return f"stranger {how}"


def _strange(ds: Dataset, how: str) -> None:
    ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.77"
    if how in ("mip", "scout"):
        word = "MIP" if how == "mip" else "LOCALIZER"
        ds.ImageType = ["DERIVED", "SECONDARY", word]
    elif how == "capture":
        ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        ds.ImageType = ["DERIVED", "SECONDARY"]
        del ds.ImagePositionPatient, ds.ImageOrientationPatient
    elif how == "nac":
        ds.SeriesInstanceUID, ds.CorrectedImage = "1.2.826.7.44", ["DECY"]
        ds.PixelData = bytes(len(ds.PixelData))
    elif how in ("between", "above"):  # another series, under the same UID
        place = np.array([float(v) for v in ds.ImagePositionPatient])
        cosines = np.array([float(v) for v in ds.ImageOrientationPatient])
        normal = np.cross(cosines[:3], cosines[3:])
        place += normal * SPACING[0] * (0.5 if how == "between" else SHAPE[0])
        ds.ImagePositionPatient = [f"{v:.5f}" for v in place]
        ds.RescaleSlope = f"{float(ds.RescaleSlope) * 1.5:.9g}"
    elif how == "patient":
        ds.SeriesInstanceUID, ds.StudyInstanceUID = "1.2.826.9.2", "1.2.826.9"
        ds.PatientID = "F2"
    else:
        del ds.InstanceNumber


def scans(files: Files, chance: Chance) -> str:
    """Something with the CT, of which no SUV depends."""
    bend = chance.choice((gone, torn, moved))
    own = {n.replace("CT", "PT"): d for n, d in files.items() if n.startswith("CT")}
    if not own:
        return "no scan"
    told = bend(own, chance)
    for name in [n for n in files if n.startswith("CT")]:
        del files[name]
    files.update({n.replace("PT", "CT"): d for n, d in own.items()})
    return f"CT {told}"


assert SHAPE[0] == 12, "slices are numbered for twelve"
