"""A Dask scheduler with worker processes of this machine, as its users start them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distributed import Client

CLI = (sys.executable, "-m", "distributed.cli")
QUIET = ("--no-dashboard",)
STARTED_S = 60


@dataclass(frozen=True)
class Started:
    """A scheduler and its workers: address and processes."""

    address: str
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def cluster(folder: Path, n_workers: int) -> Iterator[Started]:
    """Start a scheduler and so many workers, and wait for all of them."""
    file = folder / "scheduler.json"
    log = (folder / "dask.log").open("wb")

    def start(name: str, *options: str) -> subprocess.Popen[bytes]:
        command = (*CLI[:2], f"{CLI[2]}.{name}", "--scheduler-file", str(file), *QUIET, *options)
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)

    processes = [start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        processes += [start("dask_worker", "--nthreads", "1", "--no-nanny") for _ in range(n_workers)]
        while not file.exists():
            assert processes[0].poll() is None, "the scheduler stopped"
        with Client(scheduler_file=str(file), timeout=STARTED_S, set_as_default=False) as client:
            if n_workers:
                client.wait_for_workers(n_workers, timeout=STARTED_S)
            address = client.scheduler.address
        yield Started(address=address, workers=processes[1:])
    finally:
        for process in processes[::-1]:
            process.kill()
            process.wait()
        log.close()
