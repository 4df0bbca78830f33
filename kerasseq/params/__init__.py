"""Exact parameter counts, without a backend."""

from __future__ import annotations

from kerasseq.formatting.table import Table
from kerasseq.params.count import count
from kerasseq.params.count_result import Count
from kerasseq.params.matrix import cells
from kerasseq.params.report import Report, report
from kerasseq.params.size import Fit, compare, units_for

__all__ = ["Count", "Fit", "Report", "Table", "cells", "compare", "count", "report", "units_for"]
