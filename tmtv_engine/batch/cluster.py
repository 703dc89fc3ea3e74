"""A model loaded once in each worker of a cluster."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable

from tmtv_engine.model.finders import Finder

_LOADED: dict[bytes, Finder] = {}
_LOADING = threading.Lock()


def loaded(load: Callable[[], Finder]) -> Finder:
    """What ``load`` gives, called once in this process."""
    key = pickle.dumps(load)
    with _LOADING:
        if key not in _LOADED:
            _LOADED[key] = load()
        return _LOADED[key]
