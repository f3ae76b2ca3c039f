"""Search driver and command line: Pareto-optimal plans for Transformers on linked microcontrollers."""

__version__ = "0.1.0"
