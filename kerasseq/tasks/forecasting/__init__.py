"""Forecasting: the task and its Run."""

from __future__ import annotations

from kerasseq.tasks.forecasting.run import ForecastRun
from kerasseq.tasks.forecasting.task import Forecasting

__all__ = ["ForecastRun", "Forecasting"]
