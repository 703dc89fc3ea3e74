"""SEG, SR and RTSTRUCT for three methods of a whole-body case, beside dcmqi's SEG converter.

545 slices of 168 × 168 with 60 lesions. Goal: under 6 s together on two cores, and at most 700
bytes a frame beyond the bit-packed pixels. dcmqi's itkimage2segimage writes the SEG of one method
from the same label map and slices, as many frames as ours, which is the side-by-side.

    python -m benchmarks.export [--small]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom import dcmread

from benchmarks.lesions import scene
from tmtv_engine.case.folder import Case
from tmtv_engine.export.objects import write_objects
from tmtv_engine.image.volume import Volume
from tmtv_engine.lesion.find import find_lesions
from tmtv_engine.lesion.origin import Origin, Source
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.phantom.dicom import write_patient
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.find import Study, find_studies

SHAPE, SPACING_MM, LESIONS = (545, 168, 168), (2.0, 4.07, 4.07), 60
SMALL = (90, 56, 56), 8


def make_case(folder: Path, shape: tuple[int, int, int], count: int) -> Case:
    """Write the PET as DICOM and measure its ``count`` lesions."""
    mask, suv = scene(shape, SPACING_MM, count + count // 7)
    write_patient(folder / "dicom", suv)
    (study,) = find_studies(folder / "dicom")
    assert isinstance(study, Study)

    def find(pet: Volume, ct: Volume | None) -> Found:
        found = find_lesions(mask, suv, split_over_ml=1e9)
        lesions = found.take(range(min(count, len(found))))
        own = replace(lesions, grid=pet.grid)
        return Found(own, (Origin(Source.MODEL),) * len(own))

    return run_case(study, Finder(find, {"name": "vnet", "sha256": "0" * 64}), CaseConfig(folder))


def overhead(path: Path) -> float:
    """Bytes a frame of a SEG beyond its bit-packed pixels."""
    seg = dcmread(path)
    return float((path.stat().st_size - len(seg.PixelData)) / int(seg.NumberOfFrames))


def dcmqi(case: Case, folder: Path, key: str) -> float | None:
    """Seconds that itkimage2segimage takes for the SEG of one method; None without it."""
    beside = Path(sys.executable).with_name("itkimage2segimage")
    program = shutil.which("itkimage2segimage") or str(beside)
    if not Path(program).exists():
        return None
    write_objects(case, ["nifti"])
    seg = dcmread(case.path / "export" / f"seg_{key}.dcm", stop_before_pixels=True)
    (folder / "meta.json").write_text(json.dumps(metadata_of(seg)))
    command = [program, "--inputImageList", str(case.path / "export" / f"labels_{key}.nii.gz")]
    command += ["--inputDICOMDirectory", str(folder / "dicom" / "PET"), "--skip", "1"]
    command += ["--outputDICOM", str(folder / "dcmqi.dcm")]
    command += ["--inputMetadata", str(folder / "meta.json")]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    took = time.perf_counter() - start
    theirs = dcmread(folder / "dcmqi.dcm", stop_before_pixels=True)
    assert theirs.NumberOfFrames == seg.NumberOfFrames
    return took


def metadata_of(seg: Any) -> dict[str, Any]:
    """What dcmqi wants to know of each segment."""
    names = {"CodingSchemeDesignator": "SCT"}
    kind = {**names, "CodeValue": "108369006", "CodeMeaning": "Neoplasm"}
    group = {**names, "CodeValue": "49755003", "CodeMeaning": "Morphologically Abnormal Structure"}
    segments = [
        {
            "labelID": int(segment.SegmentLabel.split()[1]),
            "SegmentDescription": segment.SegmentLabel,
            "SegmentAlgorithmType": "AUTOMATIC",
            "SegmentAlgorithmName": "tmtv",
            "SegmentedPropertyCategoryCodeSequence": group,
            "SegmentedPropertyTypeCodeSequence": kind,
        }
        for segment in seg.SegmentSequence
    ]
    about = {"ContentCreatorName": "tmtv", "SeriesNumber": "9", "InstanceNumber": "1"}
    return {**about, "segmentAttributes": [segments]}


def timed(case: Case, *kinds: str) -> float:
    """Seconds of an export, the better of two."""
    took = []
    for _ in range(2):
        start = time.perf_counter()
        write_objects(case, kinds)
        took.append(time.perf_counter() - start)
    return min(took)


def main() -> None:
    """Print our times, dcmqi's, and the ratio for one SEG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="90 slices, 8 lesions: see it run")
    shape, count = SMALL if parser.parse_args().small else (SHAPE, LESIONS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = make_case(folder, shape, count)
        write_objects(case, ["seg", "sr", "rtstruct"])  # imports are not what is measured
        together, segs = timed(case, "seg", "sr", "rtstruct"), timed(case, "seg")
        beyond = max(overhead(p) for p in (case.path / "export").glob("seg_*.dcm"))
        print(f"{len(case.raw['lesions'])} lesions, {shape[0]} slices, three methods")
        print(f"SEG, SR and RTSTRUCT {together:.2f} s (< 6), of which SEG {segs:.2f} s")
        print(f"{beyond:.0f} bytes a frame beyond the pixels (<= 700)")
        theirs = dcmqi(case, folder, "41")
        if theirs is not None:
            ours = segs / 3
            print(f"one SEG: ours {ours:.2f} s, dcmqi {theirs:.2f} s, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
