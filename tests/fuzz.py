"""Coverage-guided fuzzing: `python -m tests.fuzz SECONDS`, with requirements/fuzz.txt installed.

Atheris chooses the examples of the properties in tests/small/test_fuzz.py by what they reach in the
program. One that breaks a property is kept by hypothesis: `make small` tries it first, and shows
it.
"""

import subprocess
import sys
import tempfile
from typing import Final

import atheris

with atheris.instrument_imports(include=["gcs_ci_lock"]):
    import tests.conftest  # noqa: F401 - hypothesis's profile
    from tests.small import test_fuzz

# Only what hypothesis alone gives its arguments to.
PROPERTIES: Final = [
    name
    for name, test in vars(test_fuzz).items()
    if hasattr(test, "hypothesis") and not hasattr(test, "pytestmark")
]


def fuzz(name: str, *limits: str) -> None:
    """Try one property; ends the process."""
    atheris.Setup(["fuzz", *limits], getattr(test_fuzz, name).hypothesis.fuzz_one_input)
    atheris.Fuzz()


def fuzz_all(seconds: float) -> int:
    """Try each property for its share of the time; return 1 if one is broken."""
    share = f"-max_total_time={seconds / len(PROPERTIES):.0f}"
    with tempfile.TemporaryDirectory() as folder:
        # Each in a process of its own, which atheris ends.
        command = [sys.executable, "-m", "tests.fuzz", share, f"-artifact_prefix={folder}/"]
        ended = {name: subprocess.call([*command, name]) for name in PROPERTIES}
    broken = [name for name, exit_code in ended.items() if exit_code]
    sys.stdout.write(f"{len(PROPERTIES)} properties tried, {len(broken)} broken: {broken}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    *options, last = sys.argv[1:]
    if last in PROPERTIES:
        fuzz(last, *options)
    sys.exit(fuzz_all(float(last)))
