"""``python -m snntorch_memristive``: train a fully memristive classifier beside a digital one.

``python -m snntorch_memristive spice`` writes the trained one as a circuit for ngspice.
"""

import sys
from importlib.util import find_spec

NEEDED = {
    "matplotlib": "matplotlib",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "tqdm": "tqdm",
}


def main() -> int:
    """Run the demonstration, or say what it lacks; returns the exit code."""
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        print(
            f"The demonstration needs {', '.join(missing)}: "
            'run `pip install "snntorch-memristive[demo]"`.',
            file=sys.stderr,
        )
        return 2
    argv = sys.argv[1:]
    if argv[:1] == ["spice"]:
        from .demo.export import run as export

        return export(argv[1:])
    from .demo.command import run

    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
