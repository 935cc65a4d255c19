"""Runs every module of this folder, one after the other: one JSON line a figure on standard output.

A figure is `{"bench", "value", "unit", "baseline", "ratio"}`; `ratio` is `value` over `baseline`. Each module runs in a
process of its own, so that none warms up or fills the memory of the next, and without the caller's AWS configuration:
a figure does not depend on it. Names given are run alone: `python -m bench policy_scale`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def main() -> int:
    folder = Path(__file__).parent
    known = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    if unknown := set(sys.argv[1:]) - set(known):
        print(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    wanted = sys.argv[1:] or known
    clean = environment(os.environ)
    commands = [[sys.executable, "-m", f"bench.{name}"] for name in wanted]
    codes = [subprocess.run(each, cwd=folder.parent, env=clean).returncode for each in commands]
    return 1 if any(codes) else 0


def environment(callers: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, of which nothing is left that says which AWS to call, how, or as whom."""
    kept = {name: value for name, value in callers.items() if not name.startswith("AWS_")}
    return kept | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


if __name__ == "__main__":
    sys.exit(main())
