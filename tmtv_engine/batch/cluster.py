"""Cases on a Dask cluster: one that is there, or one of processes on this machine."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from tmtv_engine.errors import UsageError
from tmtv_engine.model.finders import Finder

LOCAL = "local"
AHEAD = 2  # cases queued for each that is in work: a thousand studies cost no memory
WAIT_S = 60.0
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Cluster:
    """Where cases are to run, and how a worker comes by its model.

    ``address``: ``local`` or a scheduler's (``tcp://host:8786``, ``tls://…``). ``load`` is pickled
    to the workers and called once in each: the model is loaded there, on the worker's own device.
    """

    address: str
    load: Callable[[], Finder]
    say: Callable[[str], None] = lambda text: None


def on_cluster(
    work: Callable[[T], R],
    todo: Sequence[T],
    cluster: Cluster,
    jobs: int,
    lost: Callable[[T, Exception], R],
) -> Iterator[R]:
    """What ``work`` makes of each of ``todo`` on the cluster, as it comes.

    A worker that is lost loses what it had in work, which another does again; what takes several
    workers with it is ``lost``. Workers that join are used. When the iterator is left early
    nothing more is begun. Raises `UsageError` where no scheduler answers or Dask is not there.
    """
    if not todo:
        return
    with _client(cluster, jobs) as client:
        from distributed import as_completed

        waiting = iter(todo)
        held: dict[Any, T] = {}
        queue = as_completed(loop=client.loop)

        def fill() -> None:
            room = AHEAD * max(1, sum(client.nthreads().values())) - len(held)
            for one in [x for _, x in zip(range(room), waiting, strict=False)]:
                future = client.submit(work, one, pure=False)
                held[future] = one
                queue.add(future)

        try:
            fill()
            while held:
                future = next(queue)
                one = held.pop(future)
                fill()
                try:
                    yield future.result()
                except Exception as error:  # the worker's: KilledWorker, or what it raised
                    yield lost(one, error)
                future.release()
        finally:
            client.cancel(list(held), force=True)


@contextmanager
def _client(cluster: Cluster, jobs: int) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        what = f"--scheduler needs Dask, and the module {error.name} is not here"
        raise UsageError(what, "Install the extra: pip install 'tmtv[cluster]'.") from error
    local = None
    if cluster.address == LOCAL:
        local = distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            security=distributed.Security.temporary(),  # no other user of the machine may join
        )
    try:
        client = distributed.Client(local or cluster.address, timeout=WAIT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        what = f"--scheduler {cluster.address}: no scheduler answers: {error}"
        raise UsageError(what, "Write local, or an address such as tcp://host:8786.") from error
    try:
        if local is None:
            cluster.say(f"dashboard: {client.dashboard_link}")
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=1)
        if local is not None:
            with suppress(Exception):
                local.close(timeout=1)


_LOADED: dict[bytes, Finder] = {}
_LOADING = threading.Lock()


def loaded(load: Callable[[], Finder]) -> Finder:
    """What ``load`` gives, called once in this process."""
    key = pickle.dumps(load)
    with _LOADING:
        if key not in _LOADED:
            _LOADED[key] = load()
        return _LOADED[key]
