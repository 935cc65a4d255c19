"""Runs every module of this folder, one after the other: one JSON line a figure on standard output.

A figure is `{"bench", "value", "unit", "baseline", "ratio"}`; `ratio` is `value` over `baseline`. Each module runs in a
process of its own, so that none warms up or fills the memory of the next. Names given are run alone:
`python -m bench policy_scale`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    folder = Path(__file__).parent
    known = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    if unknown := set(sys.argv[1:]) - set(known):
        print(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    wanted = sys.argv[1:] or known
    codes = [subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=folder.parent).returncode for name in wanted]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
