"""`make mutation`: changes policy, handshake and what they lean on one place at a time; the policy's tests must notice.

mutmut wants its sources below `src`, so the modules and their tests are laid out anew in build/mutation. It has an
environment of its own, for nothing else needs it. Ends with 1 if fewer than 95% of the mutants are killed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = ROOT / "build" / "mutation"
PYTHON = ROOT / ".venv" / "bin" / "python"
MUTMUT = "mutmut==3.8.1"
MODULES = ("policy", "policy_documents", "handshake", "schema")
TESTS = ("test_policy_decide", "test_policy_documents", "test_policy_handshake", "test_policy_properties")
LEAST_KILLED = 0.95

CONFIGURATION = """
[tool.pytest.ini_options]
pythonpath = [".", "src"]
addopts = "-p no:cacheprovider"
[tool.mutmut]
source_paths = ["src"]
only_mutate = {modules}
pytest_add_cli_args_test_selection = ["tests/unit"]
pytest_add_cli_args = ["-q", "-x"]
"""


def main() -> int:
    """Runs mutmut and says what survived."""
    _lay_out()
    command = HERE / "bin" / "mutmut"
    print("this takes some minutes; mutmut's own words are in build/mutation/mutmut.log", file=sys.stderr)
    with (HERE / "mutmut.log").open("w") as log:
        subprocess.run([command, "run", "--max-children", "2"], cwd=HERE, check=False, stdout=log, stderr=log)
    subprocess.run([command, "export-cicd-stats"], cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    counts = json.loads((HERE / "mutants" / "mutmut-cicd-stats.json").read_text())
    caught = counts["killed"] + counts["timeout"]
    subprocess.run([command, "results"], cwd=HERE, check=True)
    print(f"{caught} of {counts['total']} mutants killed; docs/mutation.md says why the others are equivalent")
    return 0 if caught >= LEAST_KILLED * counts["total"] else 1


def _lay_out() -> None:
    for folder in ("src", "tests", "mutants"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    if not (HERE / "bin" / "mutmut").exists():
        subprocess.run([PYTHON, "-m", "venv", "--system-site-packages", HERE], check=True)
        # The project's own environment comes along, for its tests need what is in it.
        site = next((HERE / "lib").glob("python*")) / "site-packages" / "project.pth"
        site.write_text(str(next((ROOT / ".venv" / "lib").glob("python*")) / "site-packages"))
        subprocess.run([HERE / "bin" / "pip", "install", "-q", MUTMUT], check=True)
    shutil.copytree(ROOT / "lambda" / "handshake_acceptor", HERE / "src" / "handshake_acceptor")
    shutil.copytree(ROOT / "tests" / "handshakes", HERE / "tests" / "handshakes")
    (HERE / "tests" / "unit").mkdir()
    for name in (*TESTS, "naive_policy", "bad_documents", "__init__"):
        shutil.copy(ROOT / "tests" / "unit" / f"{name}.py", HERE / "tests" / "unit")
    (HERE / "tests" / "__init__.py").touch()
    modules = [f"src/handshake_acceptor/{name}.py" for name in MODULES]
    (HERE / "pyproject.toml").write_text(CONFIGURATION.format(modules=json.dumps(modules)))


if __name__ == "__main__":
    sys.exit(main())
