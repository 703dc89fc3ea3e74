"""Work on a Dask cluster: one that is there, or one of processes on this machine."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from threading import Event, Thread
from typing import Any, TypeVar

from tmtv_engine.errors import CaseError, TmtvError, UsageError

LOCAL = "local"
AHEAD = 2  # cases queued for each that is in work: a thousand studies cost no memory
WAIT_S = 60.0
LOOK_S = 2.0  # between looks for workers
ADDRESS = "Write local, or an address such as tcp://host:8786."
TLS = "Is its address right, and are DASK_DISTRIBUTED__COMM__TLS__… set (docs/cluster.md)?"
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Cluster:
    """Where work is to be done: ``local`` or a scheduler's address (``tcp://host:8786``, ``tls://…``).

    ``jobs``: how many processes a local one has. ``say`` is told the dashboard's address, ``warn``
    that there is no worker to wait for. ``client``: a connection that is `held`.
    """

    address: str
    jobs: int = 1
    say: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None
    client: Any = None


def on_cluster(
    work: Callable[[T], R],
    todo: Sequence[T],
    cluster: Cluster,
    lost: Callable[[T, Exception], R],
) -> Iterator[R]:
    """What ``work`` makes of each of ``todo`` on the cluster, as it comes.

    A worker that is lost loses what it had in work, which another does again; what takes several
    workers with it is ``lost``. Workers that join are used. When the iterator is left early
    nothing more is begun. Raises `UsageError` where no scheduler answers or Dask is not there.
    """
    if not todo:
        return
    with _client(cluster) as client:
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


def in_order(
    work: Callable[[T], R], todo: Sequence[T], cluster: Cluster, name: Callable[[T], str]
) -> Iterator[R]:
    """What ``work`` makes of each of ``todo``, in their order, whoever is done first.

    Raises what ``work`` refuses as an error of the same words, and `CaseError` with the ``name``
    of what the cluster gave up.
    """

    def lost(one: tuple[int, T], error: Exception) -> tuple[int, R]:
        what = f"{name(one[1])}: the cluster gave it up: {type(error).__name__}: {error}"
        raise CaseError(what, "See the worker's log.") from error

    early: dict[int, R] = {}
    wanted = 0
    for number, found in on_cluster(
        partial(_numbered, work=work), list(enumerate(todo)), cluster, lost
    ):
        if isinstance(found, _Refused):
            raise TmtvError(found.what, found.remedy)
        early[number] = found
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1


@dataclass(frozen=True)
class _Refused:
    """An error's words: our errors do not pickle."""

    what: str
    remedy: str


def _numbered(one: tuple[int, T], work: Callable[[T], R]) -> tuple[int, R | _Refused]:
    number, value = one
    try:
        return number, work(value)
    except TmtvError as error:
        return number, _Refused(error.what, error.remedy)


@contextmanager
def held(cluster: Cluster | None) -> Iterator[Cluster | None]:
    """The cluster with one connection for several pieces of work, a local one started once."""
    if cluster is None:
        yield None
        return
    with _client(cluster) as client:
        yield replace(cluster, client=client)


@contextmanager
def _client(cluster: Cluster) -> Iterator[Any]:
    if cluster.client is not None:
        yield cluster.client
        return
    try:
        import distributed

        local = _started(cluster.jobs) if cluster.address == LOCAL else None
    except ImportError as error:
        what = f"--scheduler {cluster.address} needs the module {error.name}, which is not here"
        raise UsageError(what, "Install the extra: pip install 'tmtv[cluster]'.") from error
    try:
        client = distributed.Client(local or cluster.address, timeout=WAIT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:  # TypeError: no certificates
        what = f"--scheduler {cluster.address}: no scheduler answers: {error}"
        raise UsageError(what, TLS if cluster.address.startswith("tls:") else ADDRESS) from error
    over = Event()
    try:
        if local is None:
            cluster.say(f"dashboard: {client.dashboard_link}")
            Thread(target=_look, args=(client, cluster, over), daemon=True).start()
        yield client
    finally:
        over.set()
        with suppress(Exception):
            client.close(timeout=1)
        if local is not None:
            with suppress(Exception):
                local.close(timeout=1)


OF_WORKERS: Mapping[str, Any] = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    "distributed.worker.profile.enabled": False,
}
"""Dask's own choices that cost more than they give here: every array of a case would be new pages
from the system (7 times the page faults), and nobody looks at a profile."""


def _started(jobs: int) -> Any:
    """A cluster of ``jobs`` processes on this machine, each with one case in work."""
    import dask
    import distributed

    import_module("cryptography")  # without it Dask's own error tells neither its name nor ours
    with dask.config.set(OF_WORKERS):  # workers take it as it is when they are started
        return distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # else 8787, taken or not
            security=distributed.Security.temporary(),  # no other user of the machine may join
        )


def _look(client: Any, cluster: Cluster, over: Event) -> None:
    """Warn, once each time, where two looks in a row find no worker, until ``over``.

    One look alone would also see a worker that is being started again.
    """
    without = 0
    with suppress(Exception, CancelledError):  # the scheduler is gone: the work itself tells that
        while not over.wait(LOOK_S):
            without = 0 if client.nthreads() else without + 1
            if without == 2 and not over.is_set():
                cluster.warn(
                    f"the scheduler at {cluster.address} has no worker: start one "
                    f"(dask worker {cluster.address}); waiting for it, Ctrl-C ends that"
                )
