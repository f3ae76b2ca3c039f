"""Workers that do parts of a search: this process, others of this machine, or those of a Dask scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from costmodel.errors import RunError
from dse import __version__

T = TypeVar("T")
R = TypeVar("R")
MAX_WORKERS = 256
ATTEMPTS = 3  # times in a row that workers may die without any result
REACHED_S = 10  # in which a scheduler answers


class Workers(Protocol):
    """Whoever does work: in any order, but what comes of it comes in the order of the items."""

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Do work on each item.

        Raises
        ------
        RunError
            Workers died, again and again.
        """
        ...


class InLine:
    """No one but the process that asks."""

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Do work on each item, one after the other."""
        return map(work, items)


@dataclass(kw_only=True)
class Pool:
    """Processes of this machine, which are made anew where one dies."""

    n: int
    executor: Executor | None = None

    def _running(self) -> Executor:
        if self.executor is None:
            self.executor = ProcessPoolExecutor(self.n, mp_context=get_context("spawn"))
        return self.executor

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Do work on each item; what a worker had when it died is done again."""
        done = died = 0
        while done < len(items):
            try:
                for result in self._running().map(work, items[done:]):
                    done, died = done + 1, 0
                    yield result
            except BrokenProcessPool:
                self.close()
                died += 1
                if died == ATTEMPTS:
                    raise RunError(
                        f"workers died {ATTEMPTS} times in a row",
                        "memory may be short: take fewer --workers",
                    ) from None

    def close(self) -> None:
        """Let the processes go."""
        if self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)
            self.executor = None


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Workers of a Dask scheduler, which gives what a worker had when it died to others."""

    address: str
    client: Any

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Do work on each item."""
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        try:
            futures = self.client.map(work, items, pure=False)
            yield from (future.result() for future in futures)
        except KilledWorker:
            raise RunError(f"workers of {self.address} died again and again; memory may be short") from None
        except (CommClosedError, CancelledError, FutureCancelledError, OSError):
            raise RunError(f"the scheduler {self.address} is gone") from None


def _version() -> str:
    """Give the version that a worker has."""
    return __version__


@contextmanager
def _cluster(address: str) -> Iterator[Cluster]:
    """Use the workers of a scheduler.

    Raises
    ------
    RunError
        Nobody answers, there are no workers, or they have another version.
    """
    try:
        import distributed
    except ImportError:
        raise RunError("--scheduler needs Dask", "install dse[distributed]") from None
    dask: Any = distributed  # not typed
    try:
        client = dask.Client(address, timeout=REACHED_S, set_as_default=False)
    except (OSError, ValueError):
        raise RunError(
            f"--scheduler {address[:60]!r}: no Dask scheduler answers", "write it like tcp://host:8786"
        ) from None
    with client:
        try:
            versions = client.run(_version)
        except Exception as error:  # whatever is wrong with workers, it is theirs
            raise RunError(f"workers of {address} cannot run dse {__version__}: {error}") from None
        if not versions:
            raise RunError(f"{address} has no workers", f"start some: dask worker {address}")
        if other := {version for version in versions.values() if version != __version__}:
            raise RunError(f"workers of {address} have dse {min(other)}, this is {__version__}")
        yield Cluster(address=address, client=client)


@contextmanager
def workers_of(n: int, scheduler: str | None) -> Iterator[Workers]:
    """Use so many processes of this machine, or those of a scheduler.

    Raises
    ------
    RunError
        The scheduler cannot be used.
    """
    if scheduler is not None:
        with _cluster(scheduler) as cluster:
            yield cluster
    elif n == 1:
        yield InLine()
    else:
        pool = Pool(n=n)
        try:
            yield pool
        finally:
            pool.close()
