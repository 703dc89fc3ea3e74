"""The characters that pictures are drawn with: blocks of two to eight dots, braille."""

from __future__ import annotations

# Octants that are no character of their own block: Unicode had them before, dot 1 the lowest bit
_QUADS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"  # bits: upper left 1, upper right 2, lower left 4, lower right 8
_OLD_OCTANTS = {
    0b00000001: 0x1CEA8,
    0b00000010: 0x1CEAB,
    0b01000000: 0x1CEA3,
    0b10000000: 0x1CEA0,
    0b00000011: 0x1FB82,
    0b00111111: 0x1FB85,
    0b11000000: 0x2582,
    0b11111100: 0x2586,
    0b00010100: 0x1FBE6,
    0b00101000: 0x1FBE7,
}


def _sextants() -> str:
    """The 64 characters of 3 × 2 dots, dot by dot from the upper left; U+1FB00 and four older."""
    old = {0: " ", 0b010101: "▌", 0b101010: "▐", 0b111111: "█"}
    new = (chr(code) for code in range(0x1FB00, 0x1FB3C))
    return "".join(old[bits] if bits in old else next(new) for bits in range(64))


def _octants() -> str:
    """The 256 characters of 4 × 2 dots; U+1CD00 and 26 older (Unicode 16)."""
    old = {bits: chr(code) for bits, code in _OLD_OCTANTS.items()}
    for bits, glyph in enumerate(_QUADS):
        upper, lower = bits & 3, bits >> 2
        old[upper | upper << 2 | lower << 4 | lower << 6] = glyph
    new = (chr(code) for code in range(0x1CD00, 0x1CDE6))
    return "".join(old[bits] if bits in old else next(new) for bits in range(256))


def _braille() -> str:
    """The 256 characters of 4 × 2 raised dots, ours counted line by line, Unicode's otherwise."""
    places = (0, 3, 1, 4, 2, 5, 6, 7)
    codes = (
        0x2800 + sum((bits >> k & 1) << place for k, place in enumerate(places))
        for bits in range(256)
    )
    return "".join(map(chr, codes))


BLOCKS = {"half": " ▀▄█", "quad": _QUADS, "sextant": _sextants(), "octant": _octants()}
BRAILLE = _braille()
OWN = frozenset("".join(BLOCKS.values()) + BRAILLE)
"""Characters that pictures are made of; Python's Unicode may be older than the newest of them."""
TURNED = {
    one: two for drawn in BLOCKS.values() for one, two in zip(drawn, reversed(drawn), strict=True)
}
"""Each block and the one with the other dots: in colours turned about they look the same."""
