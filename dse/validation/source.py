"""Where the published and simulated numbers lie."""

from pathlib import Path

FOLDER = Path(__file__).parent
