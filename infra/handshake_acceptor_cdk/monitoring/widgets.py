"""Header and graphs as both dashboards have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aws_cdk import aws_cloudwatch as cloudwatch

WIDTH: Final = 24
"""Of a whole row."""


def header(markdown: str) -> cloudwatch.TextWidget:
    """What a dashboard says first."""
    transparent = cloudwatch.TextWidgetBackground.TRANSPARENT
    return cloudwatch.TextWidget(markdown=markdown, width=WIDTH, height=3, background=transparent)


def axis(unit: str) -> cloudwatch.YAxisProps:
    """An axis that begins at 0."""
    return cloudwatch.YAxisProps(min=0, label=unit, show_units=False)


def graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    unit: str = "count",
    *,
    width: int = 8,
    height: int = 5,
    **more: Any,
) -> cloudwatch.GraphWidget:
    """A graph whose left axis has this unit; `more` is what else `GraphWidget` takes."""
    return cloudwatch.GraphWidget(title=title, left=left, left_y_axis=axis(unit), width=width, height=height, **more)
