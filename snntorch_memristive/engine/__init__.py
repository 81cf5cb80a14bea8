"""Kernels generated from the physics: equal to functional, and fast."""

from . import threads as threads  # notes the process, before any fork
from .choice import choose_engine, is_usable, kernel_keys, untraceable

__all__ = ["choose_engine", "is_usable", "kernel_keys", "untraceable"]
