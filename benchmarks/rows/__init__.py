"""What the benchmarks share: the parts of ``learning.py``, and results that are kept."""
