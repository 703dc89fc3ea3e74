"""The structures that a voxel may belong to: one row each, in the order of their label.

Label maps of digital patients, the network's second output, `case.json` and `--organs` all read
this table; a row added at its end appears everywhere.
"""

from __future__ import annotations

from typing import NamedTuple


class Structure(NamedTuple):
    """One row: its label (uint8), its name, whether uptake in it is physiologic, and its SNOMED CT
    code and meaning as DICOM's dictionary has them; None where it has none that fits."""

    label: int
    name: str
    physiologic: bool
    code: tuple[str, str] | None


STRUCTURES = tuple(
    Structure(label, name, physiologic, code)
    for label, (name, physiologic, code) in enumerate(
        (
            ("other", False, None),  # whatever is below, air included; tumour too
            ("brain", True, ("12738006", "Brain")),
            # throat: face, mouth and throat, less what has a name below
            ("throat", True, ("54066008", "Pharynx")),
            ("tonsil", True, ("303337002", "tonsil and adenoid")),
            ("salivary gland", True, ("385294005", "Salivary gland")),
            ("thyroid", True, ("69748006", "Thyroid")),
            ("lung", False, ("39607008", "Lung")),  # what is hot in a lung is not the lung
            ("heart", True, ("80891009", "Heart")),
            ("vessel", True, ("59820001", "Blood Vessel")),  # and blood pool
            ("liver", True, ("10200004", "Liver")),
            ("spleen", True, ("78961009", "Spleen")),
            ("stomach", True, ("69695003", "Stomach")),  # and oesophagus
            ("kidney", True, ("64033007", "Kidney")),
            ("ureter", True, ("87953007", "Ureter")),  # and renal pelvis and calyces
            ("bladder", True, ("89837001", "Bladder")),
            ("bowel", True, None),  # the dictionary has the small one and the large one only
            ("genital", True, None),  # uterus, ovary, testis, prostate, urethra, urine on the skin
            ("marrow", True, ("14016003", "Bone Marrow")),  # and bone
            ("muscle", True, ("127954009", "Skeletal muscle")),
            ("brown fat", True, ("55603005", "Fat")),
            ("injection site", True, None),
        )
    )
)
LABELS = {s.name: s.label for s in STRUCTURES}
"""The label of each structure's name."""
