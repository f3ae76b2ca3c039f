"""The model beside published and simulated numbers."""

from dse.validation.cats2026 import notes
from dse.validation.rows import Row, validate

__all__ = ["Row", "notes", "validate"]
