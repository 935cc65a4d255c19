"""How a benchmark says a figure."""

from __future__ import annotations

import json


def figure(bench: str, value: float, unit: str, baseline: float) -> None:
    """One JSON line on standard output; `ratio` is `value` over `baseline`, null where that is 0."""
    ratio = round(value / baseline, 4) if baseline else None
    line = {"bench": bench, "value": round(value, 4), "unit": unit, "baseline": round(baseline, 4), "ratio": ratio}
    print(json.dumps(line), flush=True)
