"""Why a reader rejects: the reasons that are offered, one table. A journal takes any words."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """In the order of their keys, ``1`` to ``0``; those after the tenth are typed or offered by
    the structure's name."""

    BRAIN = "brain"
    HEART = "heart"
    KIDNEY = "kidney"
    BLADDER = "bladder"
    BOWEL = "bowel"
    MARROW = "marrow"
    MUSCLE = "muscle"
    BROWN_FAT = "brown fat"
    INJECTION_SITE = "injection site"
    INFLAMMATION = "inflammation"
    ARTEFACT = "artefact"
    OTHER = "other"
