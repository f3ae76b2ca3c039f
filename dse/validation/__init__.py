"""The model beside published and simulated numbers."""

from dse.validation.rows import Row, validate

__all__ = ["Row", "validate"]
