"""Time of whole commands, start to end, against importing what none of them can do without.

CPU seconds of user and system, the best of several runs. Machines are noisy, so runs take turns; compare
the ratios inside one run. Run: ``make bench``.
"""

from __future__ import annotations

import resource
import subprocess
import sys

REPEATS = 10
IMPORTS = "import numpy, pydantic, typer"
DSE = "from dse.cli import main; main()"
COMMANDS = (
    ("--help",),
    ("list", "workloads"),
    ("list", "platforms"),
    ("list", "objectives"),
    ("evaluate", "--set", "n_chips=8"),
)


def seconds(code: str, *arguments: str) -> float:
    """Run code in a Python of its own; give its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a table."""
    runs = {IMPORTS: (IMPORTS,)} | {f"dse {' '.join(one)}": (DSE, *one) for one in COMMANDS}
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(REPEATS):
        for name, run in runs.items():
            least[name] = min(least[name], seconds(*run))
    print(f"{'process':34} {'CPU':>7} {'ratio':>6}")
    for name, taken in least.items():
        print(f"{name:34} {taken:5.2f} s {taken / least[IMPORTS]:6.2f}")


if __name__ == "__main__":
    main()
