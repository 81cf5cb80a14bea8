"""Kernels generated from the physics: equal to functional, and fast."""

from .choice import choose_engine, kernel_keys

__all__ = ["choose_engine", "kernel_keys"]
