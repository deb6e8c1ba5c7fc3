"""`python -m tests.fuzz MACHINE [SECONDS]`: fuzz a machine, guided by what it covers.

It needs `pip install atheris`. What has led to new places is kept in `tests/fuzz/corpus/MACHINE`,
what has failed in the file that is named at the end; put that into the corpus, and the tests try
it from then on.
"""

from __future__ import annotations

import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Fuzz until a failure, or until the time is over."""
    import atheris

    with atheris.instrument_imports():
        from tests.fuzz.machines import MACHINES
    if len(sys.argv) < 2 or sys.argv[1] not in MACHINES:
        sys.exit(f"usage: python -m tests.fuzz MACHINE [SECONDS], of: {', '.join(MACHINES)}")
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    options = [sys.argv[0], str(CORPUS / name), f"-max_total_time={seconds}", "-max_len=400"]
    atheris.Setup(options, MACHINES[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
