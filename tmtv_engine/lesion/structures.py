"""The structures that a voxel may belong to: one row each, in the order of their label.

Label maps of digital patients, the network's second output, `case.json` and `--organs` all read
this table; a row added at its end appears everywhere.
"""

from __future__ import annotations

from typing import NamedTuple


class Structure(NamedTuple):
    """One row: its label (uint8), its name, and whether uptake in it is physiologic."""

    label: int
    name: str
    physiologic: bool


STRUCTURES = tuple(
    Structure(label, name, physiologic)
    for label, (name, physiologic) in enumerate(
        (
            ("other", False),  # whatever is below, air included; tumour too
            ("brain", True),
            ("throat", True),  # face, mouth and throat, less what has a name below
            ("tonsil", True),
            ("salivary gland", True),
            ("thyroid", True),
            ("lung", False),  # what is hot in a lung is not the lung
            ("heart", True),
            ("vessel", True),  # and blood pool
            ("liver", True),
            ("spleen", True),
            ("stomach", True),  # and oesophagus
            ("kidney", True),
            ("ureter", True),  # and renal pelvis and calyces
            ("bladder", True),
            ("bowel", True),
            ("genital", True),  # uterus, ovary, testis, prostate, urethra, urine on the skin
            ("marrow", True),  # and bone
            ("muscle", True),
            ("brown fat", True),
            ("injection site", True),
        )
    )
)
LABELS = {s.name: s.label for s in STRUCTURES}
"""The label of each structure's name."""
