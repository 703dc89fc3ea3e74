"""The bundled network: its size, its record, and that it finds lymphoma it has never seen."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks.digital_table import accepted
from tmtv_engine.lesion.rules import vote
from tmtv_engine.model.checkpoint import read_model
from tmtv_engine.model.infer import BUNDLED, load_model
from tmtv_engine.phantom.draw import draw_patient
from tmtv_engine.phantom.person import TRAINING_SEEDS
from tmtv_engine.report.agreement import dice
from tmtv_engine.train.source import DIGITAL

pytestmark = pytest.mark.skipif(not BUNDLED.is_dir(), reason="no weights are bundled")


def test_it_fits_the_package_and_says_what_it_is() -> None:
    assert sum(p.stat().st_size for p in BUNDLED.iterdir()) < 25e6
    record = read_model(BUNDLED)[2]
    assert record["trained_on"] == DIGITAL
    assert record["seeds"][0] >= TRAINING_SEEDS
    assert len(record["sha256"]) == 64


def test_it_finds_the_disease_of_patients_it_has_not_seen() -> None:
    """What is accepted of four patients, cut by nothing: none is left out for being hard."""
    segment = load_model("vnet", "cpu")
    scores = []
    for seed in range(4):
        patient = draw_patient(seed)
        found = segment(patient.suv)
        taken = accepted(vote(found.probability, patient.suv), patient.suv, found.naming)
        truth = (patient.rois.array > 0) & (patient.suv.array > 2.5)
        scores.append(dice(taken.labels().array > 0, truth) or 0.0)
    assert np.mean(scores) > 0.4


def test_threads_move_nothing_but_last_digits() -> None:
    """Sums in another order: 1e-6 at most, and the same label map (README)."""
    suv = draw_patient(1, spacing_mm=8.0).suv
    segment, before = load_model("vnet", "cpu"), torch.get_num_threads()
    try:
        told = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            told.append(segment(suv))
    finally:
        torch.set_num_threads(before)
    one, two = (found.probability.array for found in told)
    assert float(np.abs(one - two).max()) <= 1e-6
    taken = [accepted(vote(f.probability, suv), suv, f.naming).labels().array for f in told]
    assert taken[0].any()
    assert (taken[0] == taken[1]).all()


def test_loading_the_network_does_not_load_torch_s_compiler() -> None:
    """It was a third of all that imports took: drawing weights that are replaced at once."""
    code = "import sys; from tmtv_engine.model.infer import load_model; load_model('vnet', 'cpu')\n"
    code += "sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
