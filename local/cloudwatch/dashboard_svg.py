"""Draws a CloudWatch dashboard as SVG, by its own definition, from metrics, alarm states and log lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any

from local.cloudwatch.insights import Line, Table, ask
from local.cloudwatch.metrics import Datum, statistic

_COLUMN, _ROW, _GAP = 54, 44, 6
_COLOURS = ("#0972d3", "#e07941", "#688ae8", "#c33d69", "#2ea597", "#8456ce")
_STATES = {"OK": "#1d8102", "ALARM": "#d91515", "INSUFFICIENT_DATA": "#687078"}
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#16191f}.title{font-weight:600;font-size:13px}.small{font-size:10px;"
    "fill:#545b64}.head{font-weight:600;font-size:10px}.big{font-size:17px;font-weight:600}"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to draw between two times."""

    data: Sequence[Datum]
    lines: Sequence[Line]
    states: Mapping[str, str]
    """Of the alarms, by name."""
    begin: datetime
    end: datetime
    period: timedelta | None = None
    """Instead of the widgets' own periods, for a time shorter than these."""


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float
    height: float


def draw(body: str, seen: Seen) -> str:
    """The dashboard with this body, as an SVG document."""
    widgets = json.loads(body)["widgets"]
    height = max(each["y"] + each["height"] for each in widgets) * _ROW + _GAP
    parts = [part for widget in widgets for part in _widget(widget, seen)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * _COLUMN + _GAP} {height}"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#f2f3f3"/>{"".join(parts)}</svg>\n'
    )


def _widget(widget: dict[str, Any], seen: Seen) -> Iterator[str]:
    box = _Box(
        widget["x"] * _COLUMN + _GAP,
        widget["y"] * _ROW + _GAP,
        widget["width"] * _COLUMN - _GAP,
        widget["height"] * _ROW - _GAP,
    )
    properties = widget["properties"]
    yield f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" fill="#fff"/>'
    if title := properties.get("title"):
        yield _text(box.x + 10, box.y + 19, title, "title")
    match widget["type"]:
        case "text":
            yield from _markdown(properties["markdown"], box)
        case "alarm":
            yield from _alarms(properties["alarms"], seen, box)
        case "metric":
            yield from _graph(properties, seen, box)
        case "log":
            yield from _table(ask(properties["query"], seen.lines), box)


def _text(x: float, y: float, text: object, style: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{style}" text-anchor="{anchor}">{escape(str(text))}</text>'


def _markdown(markdown: str, box: _Box) -> Iterator[str]:
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown).replace("**", "").replace("`", "")
    heading, _, words = plain.partition("\n")
    yield _text(box.x + 12, box.y + 28, heading.lstrip("# "), "big")
    y, line = box.y + 56, ""
    for word in words.split():
        if len(line) + len(word) > box.width / 6.4:
            yield _text(box.x + 12, y, line)
            y, line = y + 20, ""
        line += f"{word} "
    yield _text(box.x + 12, y, line)


def _alarms(arns: Sequence[str], seen: Seen, box: _Box) -> Iterator[str]:
    width = (box.width - 20) / len(arns)
    for number, arn in enumerate(arns):
        name = arn.rpartition(":")[2]
        state = seen.states.get(name, "INSUFFICIENT_DATA")
        x = box.x + 10 + number * width
        yield (
            f'<rect x="{x:.0f}" y="{box.y + 32}" width="{width - 8:.0f}" height="{box.height - 44}" rx="4"'
            f' fill="{_STATES[state]}"/>'
        )
        for shift, text in ((52, name.removeprefix("handshake-acceptor-")), (70, state)):
            yield _text(x + 8, box.y + shift, text, "small").replace("<text", '<text style="fill:#fff"', 1)


def _graph(properties: dict[str, Any], seen: Seen, box: _Box) -> Iterator[str]:
    left, top, right, bottom = box.x + 44, box.y + 32, box.x + box.width - 44, box.y + box.height - 42
    yield f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#aab7b8"/>'
    length = (seen.end - seen.begin).total_seconds()
    series, most = [], dict[str, float]()
    for namespace, name, *dimensions, options in properties["metrics"]:
        points = _points((namespace, name, *dimensions), options["stat"], properties.get("period", 300), seen)
        side = options.get("yAxis", "left")
        series.append((side, options, points))
        if points:
            most[side] = max(most.get(side, 0), *(v for _, v in points))
    for side, at, anchor in (("left", left - 6, "end"), ("right", right + 6, "start")):
        if side in most:
            yield _text(at, top + 8, f"{most[side] or 1:.4g}", "small", anchor)
            yield _text(at, bottom, "0", "small", anchor)
    legend = left - 30
    for number, (side, options, points) in enumerate(series):
        colour = options.get("color", _COLOURS[number % len(_COLOURS)])
        placed = [
            (
                left + (right - left) * min(1, max(0, (time - seen.begin).total_seconds() / length)),
                bottom - (bottom - top) * v / (most[side] or 1),
            )
            for time, v in points
        ]
        if placed:
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
            yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed)
        yield f'<rect x="{legend:.0f}" y="{box.y + box.height - 18}" width="9" height="9" fill="{colour}"/>'
        yield _text(legend + 12, box.y + box.height - 10, options["label"], "small")
        legend += 24 + len(options["label"]) * 5
    for time, x, anchor in ((seen.begin, left, "start"), (seen.end, right, "end")):
        yield _text(x, bottom + 14, f"{time:%H:%M:%S}", "small", anchor)


def _points(metric: Sequence[str], name: str, period: int, seen: Seen) -> list[tuple[datetime, float]]:
    namespace, metric_name, *dimensions = metric
    wanted = tuple(sorted(zip(dimensions[::2], dimensions[1::2], strict=True)))
    length = seen.period or timedelta(seconds=period)
    buckets: dict[int, list[float]] = {}
    for datum in seen.data:
        if (datum.namespace, datum.name, datum.dimensions) == (namespace, metric_name, wanted):
            buckets.setdefault((datum.time - seen.begin) // length, []).append(datum.value)
    return [(seen.begin + number * length, statistic(name, buckets[number])) for number in sorted(buckets)]


def _table(rows: Table, box: _Box) -> Iterator[str]:
    if not rows:
        yield _text(box.x + 10, box.y + 44, "none", "small")
        return
    shown = [{name: _cell(name, cell) for name, cell in row.items()} for row in rows]
    sizes = [max(len(name), *(len(row[name]) for row in shown)) for name in shown[0]]
    total = max(1, sum(sizes) + 2 * len(sizes))
    x = box.x + 10
    for name, size in zip(shown[0], sizes, strict=True):
        width = (box.width - 20) * (size + 2) / total
        room = max(4, int(width / 5.6))
        yield _text(x, box.y + 42, _clipped(name, room), "head")
        for number, row in enumerate(shown[: int((box.height - 48) / 17)]):
            yield _text(x, box.y + 60 + number * 17, _clipped(row[name], room), "small")
        x += width


def _cell(name: str, cell: object) -> str:
    return "" if cell is None else str(cell)[: 19 if name.startswith("@") else 110]


def _clipped(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
