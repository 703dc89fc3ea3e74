"""Womb and ovaries, or prostate and testes; the rectum and what closes it."""

from __future__ import annotations

import numpy as np

from tmtv_engine.phantom.build import SIDES, Build
from tmtv_engine.phantom.canvas import Canvas
from tmtv_engine.phantom.paint import level, paint


def draw_pelvis(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """The organs of one sex and what of them lies outside, and the rectum."""
    _outside(canvas, r, build)
    (_female if build.sex == "F" else _male)(canvas, r)
    gut = level(r, "rectum")
    for low, high in ((-25, -60), (-60, -95)):
        part = canvas.rod((0, 50, low), (0, 40, high), r.uniform(10, 19))
        paint(canvas, part, gut * r.uniform(0.4, 1.2), r, hu=20, structure="bowel")
    anus = canvas.ellipsoid((0, 42, -118), (12, 14, 16))
    paint(canvas, anus, level(r, "rectum"), r, hu=40, structure="bowel")


def _female(canvas: Canvas, r: np.random.Generator) -> None:
    womb = level(r, "womb")
    at = (r.uniform(-18, 18), r.uniform(-5, 20), r.uniform(-45, -5))
    large = r.uniform(0.7, 1.5)
    whole = canvas.ellipsoid(at, (24 * large, 20 * large, 22 * large))
    paint(canvas, whole, womb * 0.7, r, hu=50, structure="genital")
    paint(canvas, canvas.ellipsoid(at, (9, 8, 12)), womb, r, hu=45, structure="genital")
    for side in SIDES:
        at = (side * r.uniform(30, 60), r.uniform(-5, 20), r.uniform(-35, 5))
        ovary = canvas.ellipsoid(at, (12, 10, 14))
        paint(canvas, ovary, level(r, "ovary"), r, hu=30, structure="genital")


def _male(canvas: Canvas, r: np.random.Generator) -> None:
    real, suv, testis = canvas.organ("prostate"), level(r, "prostate"), level(r, "testis")
    drawn = canvas.ellipsoid((0, -5, -95), (20, 16, 16))
    paint(canvas, drawn if real is None else real, suv, r, hu=40, structure="genital")
    high, wide = r.uniform(-185, -130), r.uniform(12, 24)
    for side in SIDES:
        own = testis * r.uniform(0.7, 1.2)
        at = (side * wide, -62 + r.uniform(-15, 10), high + r.uniform(-8, 8))
        shape = canvas.ellipsoid(at, (13, 14, 18))
        paint(canvas, shape, own, r, hu=30, structure="genital")


def _outside(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Scrotum and penis, or vulva: broad and mild."""
    suv, large = r.uniform(0.6, 2.8), r.uniform(0.7, 1.3)
    low = -150.0 if build.sex == "M" else -118.0
    radii = np.array((30, 26, 38) if build.sex == "M" else (18, 26, 20)) * large
    at = (r.uniform(-4, 4), -48 + r.uniform(-12, 8), low + r.uniform(-12, 12))
    shape = canvas.ellipsoid(at, (float(radii[0]), float(radii[1]), float(radii[2])))
    if r.random() < 0.7:
        paint(canvas, shape, suv, r, hu=30, structure="genital")
