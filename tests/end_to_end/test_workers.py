"""More than one process and more than one machine: the same answers, whoever dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from costmodel.errors import RunError
from dse.workers import Cluster, InLine, Pool, workers_of
from tests.commands import Command, assert_refused, said
from tests.dask_cluster import Started, cluster

FRONT = ("pareto.csv", "plan.json", "trials.csv")
RATIOS = "prune=" + ",".join(f"{i / 12:.2f}" for i in range(12))
RADIO = ("--workload", "cats-block", "--platform", "nrf52840-mixer")
# Exact fronts of parts, of blocks of a product, and of a list; each of several tasks.
SEARCHES = {
    "parts": (*RADIO, "--set", "n_chips=2,4,6,8,10", "--set", RATIOS),
    "blocks": ("--space", "cats", "--set", "n_chips=2,3,4,5", "--set", "prune=0,0.3,0.6,0.9"),
    "list": ("--space", "head_wise", "--set", "n_chips=1..9", "--exact-seconds", "60"),
}
FEW = ("--objective", "latency", "--objective", "energy", "--budget", "40")


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with cluster(tmp_path_factory.mktemp("dask"), n_workers=2) as started:
        yield started


def asked(name: str, *more: str) -> tuple[str, ...]:
    return ("search", *SEARCHES[name], *FEW, *more)


@pytest.mark.parametrize("name", SEARCHES)
def test_the_answer_does_not_depend_on_who_works(dse: Command, dask: Started, name: str) -> None:
    said(dse(*asked(name, "--out", "alone")))
    said(dse(*asked(name, "--workers", "2", "--out", "two")))
    said(dse(*asked(name, "--scheduler", dask.address, "--out", "many")))
    for file in FRONT:
        expected = Path("alone", file).read_bytes()
        assert Path("two", file).read_bytes() == expected
        assert Path("many", file).read_bytes() == expected


def dies_once(task: tuple[str, int]) -> int:
    """Square a number; of one, whoever is first is killed."""
    marker, number = task
    if number == 3:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return number**2
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def dies(_task: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_costs_no_result(tmp_path: Path) -> None:
    tasks = [(str(tmp_path / "died"), i) for i in range(8)]
    with workers_of(2, None) as workers:
        assert isinstance(workers, Pool)
        assert list(workers.each(dies_once, tasks)) == [i**2 for i in range(8)]
    assert (tmp_path / "died").exists()


def test_work_that_kills_whoever_does_it_is_given_up() -> None:
    with workers_of(2, None) as workers, pytest.raises(RunError, match="workers died 3 times in a row"):
        list(workers.each(dies, [1]))


def test_one_worker_is_this_process() -> None:
    with workers_of(1, None) as workers:
        assert isinstance(workers, InLine)
        assert list(workers.each(os.getpid.__class__, [])) == []


def test_a_dask_worker_that_is_killed_in_a_search_costs_no_result(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "dse"), *asked("blocks")]
    subprocess.run([*command, "--out", "alone"], cwd=tmp_path, check=True, capture_output=True)
    with cluster(tmp_path, n_workers=2) as started:
        search = subprocess.Popen(
            [*command, "--scheduler", started.address, "--out", "killed"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        journal = tmp_path / "killed" / "run.json"
        while not journal.exists():
            assert search.poll() is None
            time.sleep(0.01)
        started.workers[0].kill()
        _, err = search.communicate(timeout=120)
        assert (search.returncode, err) == (0, b"")
    for file in FRONT:
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "alone" / file).read_bytes()


def test_killed_dask_workers_are_done_without(tmp_path: Path) -> None:
    tasks = [(str(tmp_path / "died"), i) for i in range(8)]
    with cluster(tmp_path, n_workers=2) as started, workers_of(1, started.address) as workers:
        assert isinstance(workers, Cluster)
        assert list(workers.each(pow_of_two, tasks)) == [2**i for i in range(8)]
        started.workers[1].kill()
        assert list(workers.each(pow_of_two, tasks)) == [2**i for i in range(8)]


def pow_of_two(task: tuple[str, int]) -> int:
    return 2 ** task[1]


def test_what_cannot_be_used_is_refused_in_a_line(dse: Command, tmp_path: Path) -> None:
    assert_refused(dse(*asked("parts", "--workers", "0")), "--workers 0 must be 1 to 256")
    assert_refused(dse(*asked("parts", "--workers", "two")), "'two' is no whole number")
    assert_refused(dse(*asked("parts", "--workers", "2", "--scheduler", "tcp://a:1")), "give one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    for address in (nobody, "tcp://", "here"):
        assert_refused(dse(*asked("parts", "--scheduler", address, "--out", "run")), "no Dask scheduler")
    with cluster(tmp_path, n_workers=0) as started:
        refused = dse(*asked("parts", "--scheduler", started.address, "--out", "run"))
        assert_refused(refused, "has no workers")
    assert not Path("run").exists()
