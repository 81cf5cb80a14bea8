"""The demonstration that ``python -m snntorch_memristive`` runs: a leaf, nothing imports it."""
