"""`make mutation`: changes what decides and acts one place at a time; the tests must notice.

mutmut wants its sources below `src`, so the modules and their tests are laid out anew in build/mutation. It has an
environment of its own, for nothing else needs it. `run.py state plan` tries these modules alone. Ends with 1 if fewer
than 95% of the mutants are noticed, or if one that is not is missing from docs/mutation.md.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = ROOT / "build" / "mutation"
REASONS = ROOT / "docs" / "mutation.md"
PYTHON = ROOT / ".venv" / "bin" / "python"
MUTMUT = "mutmut==3.8.1"
ENVIRONMENT = HERE / MUTMUT
MODULES = (
    *(f"handshake_acceptor/policy/{name}" for name in ("decide", "documents", "snapshot", "store")),
    *(f"handshake_acceptor/{name}" for name in ("evidence", "observed", "plan", "reconcile", "state")),
    *(f"handshake_core/{name}" for name in ("errors", "handshake", "json_reader", "json_schema", "mistakes", "retry")),
)
TESTS = (
    *(f"unit/test_policy_{name}" for name in ("decide", "documents", "handshake", "properties", "store")),
    *(f"unit/test_{name}" for name in ("errors", "evidence", "json_reader", "observed", "reconcile", "retry", "state")),
    "faults/test_faults",
)
NEEDED = (
    *(f"unit/{name}" for name in ("naive_policy", "bad_documents")),
    *(f"faults/{name}" for name in ("fault_world", "judge", "virtual_time", "broken", "interleavings")),
)
TOO_SLOW = ("judge", "killed_anywhere", "met_by_every_fault", "work_grows", "every_mistake_is_counted")
"""Parts of the names of tests that are left out: what they notice others notice sooner."""
LEAST_NOTICED = 0.95
NOTICED = ("killed", "timeout", "segfault")

CONFIGURATION = """
[tool.pytest.ini_options]
pythonpath = [".", "src"]
addopts = "-p no:cacheprovider"
[tool.mutmut]
source_paths = ["src"]
only_mutate = {modules}
also_copy = ["local"]
pytest_add_cli_args_test_selection = ["tests"]
pytest_add_cli_args = ["-q", "-x", "-k", "{tests}"]
"""


def main(names: Sequence[str]) -> int:
    """Runs mutmut and says what survived; `names` are the last parts of the modules' names, all if there are none."""
    modules = [each for each in MODULES if not names or Path(each).name in names]
    began = time.monotonic()
    _lay_out(modules)
    print("this takes long; mutmut's own words are in build/mutation/mutmut.log", file=sys.stderr)
    children = os.environ.get("CHILDREN", "2")
    with (HERE / "mutmut.log").open("w") as log:
        command = [_mutmut(), "run", "--max-children", children]
        ended = subprocess.run(command, cwd=HERE, env=_environment(), stdout=log, stderr=log)
    results = dict(_results())
    if ended.returncode or not results:
        print(f"mutmut ended with {ended.returncode}: see build/mutation/mutmut.log", file=sys.stderr)
        return 1
    for module in modules:
        own = [result for name, result in results.items() if name.startswith(f"{module.replace('/', '.')}.")]
        print(f"{module:40} {sum(result in NOTICED for result in own):5} of {len(own):5} noticed")
    noticed = sum(result in NOTICED for result in results.values())
    survivors = [name for name, result in results.items() if result not in NOTICED]
    unnamed = [name for name in survivors if not _is_named(name)]
    minutes = (time.monotonic() - began) / 60
    print(f"{noticed} of {len(results)} mutants noticed in {minutes:.0f} minutes; docs/mutation.md names the others")
    for name in unnamed:
        print(f"not in docs/mutation.md ({results[name]}):\n{_shown(name)}")
    return 0 if noticed >= LEAST_NOTICED * len(results) and not unnamed else 1


def _mutmut() -> Path:
    return ENVIRONMENT / "bin" / "mutmut"


def _environment() -> dict[str, str]:
    return os.environ | {"FAULT_RUNS": "60"}


def _results() -> Iterator[tuple[str, str]]:
    """Every mutant's name and what became of it."""
    answer = subprocess.run(
        [_mutmut(), "results", "--all", "true"], cwd=HERE, env=_environment(), capture_output=True, text=True
    )
    yield from re.findall(r"^ *(\S+): (.+)$", answer.stdout, re.MULTILINE)


def _shown(mutant: str) -> str:
    return subprocess.run(
        [_mutmut(), "show", mutant], cwd=HERE, env=_environment(), capture_output=True, text=True
    ).stdout


def _is_named(mutant: str) -> bool:
    """Whether docs/mutation.md shows the lines that it has and the code has not."""
    added = [line[1:].strip() for line in _shown(mutant).splitlines() if re.match(r"\+(?!\+\+)", line)]
    told = REASONS.read_text("utf-8")
    return bool(added) and all(line in told for line in added)


def _lay_out(modules: Sequence[str]) -> None:
    for folder in ("src", "tests", "local", "mutants"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    if not _mutmut().exists():
        subprocess.run([PYTHON, "-m", "venv", ENVIRONMENT], check=True)
        # The project's own environment comes along, for its tests need what is in it.
        site = next((ENVIRONMENT / "lib").glob("python*")) / "site-packages" / "project.pth"
        site.write_text(str(next((ROOT / ".venv" / "lib").glob("python*")) / "site-packages"))
        subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "-q", MUTMUT], check=True)
    ignore = shutil.ignore_patterns("__pycache__")
    for package in ("handshake_acceptor", "handshake_core"):
        shutil.copytree(ROOT / "lambda" / package, HERE / "src" / package, ignore=ignore)
    shutil.copytree(ROOT / "local", HERE / "local", ignore=ignore)
    for samples in ("handshakes", "field"):
        shutil.copytree(ROOT / "tests" / samples, HERE / "tests" / samples)
    for folder in ("unit", "faults"):
        (HERE / "tests" / folder).mkdir()
        (HERE / "tests" / folder / "__init__.py").touch()
    (HERE / "tests" / "__init__.py").touch()
    for name in (*TESTS, *NEEDED):
        shutil.copy(ROOT / "tests" / f"{name}.py", HERE / "tests" / f"{name}.py")
    (HERE / "pyproject.toml").write_text(
        CONFIGURATION.format(
            modules=json.dumps([f"src/{each}.py" for each in modules]),
            tests=" and ".join(f"not {each}" for each in TOO_SLOW),
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
