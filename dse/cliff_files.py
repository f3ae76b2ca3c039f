"""The files of ``dse cliff``: refused where they are there already, written whole."""

from __future__ import annotations

from pathlib import Path

from costmodel.errors import RunError
from dse.cliff import Cliff, cliff_table
from dse.cliff_plot import plot_cliff
from dse.plots import save
from dse.run_folder import new_files, owned

TABLE, PICTURES = "cliff.csv", ("cliff.svg", "cliff.png")


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse, before anything is costed, what is no folder, or has any of the files already.

    Raises
    ------
    RunError
        It is none, or has, and they may not be replaced.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} exists and is not a folder", "name another --out")
    for name in (TABLE, *PICTURES):
        if not overwrite and (folder / name).exists():
            raise RunError(f"{folder / name} exists already", "name another --out, or add --overwrite")


def write_cliff(folder: Path, found: Cliff) -> list[Path]:
    """Write table and figure into a folder, which is made if need be; give their paths.

    Raises
    ------
    RunError
        It cannot be written, or a search is running there.
    """
    with owned(folder), new_files(folder) as new:
        cliff_table(found).to_csv(new / TABLE, lineterminator="\n")
        figure = plot_cliff(found)
        for name in PICTURES:
            save(figure, new / name)
    return [folder / name for name in (TABLE, *PICTURES)]
