"""Partition strategies: one file each."""
