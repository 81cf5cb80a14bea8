"""Results that a benchmark keeps in a file, and shows again without measuring."""

import argparse
import json
from pathlib import Path
from typing import Any

from .report import write


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--json FILE`` keeps all results, ``--show FILE`` prints what was kept."""
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument("--show", type=Path, help="print the results in this file")


def read(path: Path) -> Any:
    """What :func:`keep` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def keep(path: Path | None, results: Any) -> None:
    """Write ``results`` whole or not at all, if a file is asked for."""
    if path is not None:
        write(path, results)
