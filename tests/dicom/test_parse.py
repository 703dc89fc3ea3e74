"""What is set in pydicom is set for a block only, whoever else is inside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pydicom import config

from tmtv_engine.dicom.parse import lenient


def test_the_setting_comes_back_when_the_last_thread_leaves() -> None:
    before = config.settings._reading_validation_mode
    inside, left = Barrier(2), Barrier(2)

    def first() -> int:
        with lenient():
            inside.wait()
        left.wait()
        return 0

    def second() -> int:
        with lenient():
            inside.wait()
            left.wait()  # the first has left
            return int(config.settings.reading_validation_mode)

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(first), pool.submit(second)
        assert (one.result(), two.result()) == (0, config.IGNORE)
    assert config.settings._reading_validation_mode == before


def test_an_error_inside_gives_it_back_too() -> None:
    before = config.settings._reading_validation_mode
    try:
        with lenient():
            raise KeyError
    except KeyError:
        pass
    assert config.settings._reading_validation_mode == before
