"""Parts of ``benchmarks/learning.py``: what a row is, its training, its measures, its report."""
