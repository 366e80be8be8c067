"""Reports: one folder of a run, read back and drawn as a page that opens offline.

`collect` reads a run folder into plain data (no backend needed), `report` writes the page and its
pictures, `result_rows` gives the result table as text for a terminal.
"""

from __future__ import annotations

from trimtab.reporting._channel_maps import draw_channels
from trimtab.reporting._collect import collect
from trimtab.reporting._data import ReportData
from trimtab.reporting._report import report
from trimtab.reporting._sensitivity import draw_sensitivity
from trimtab.reporting._table import result_rows

__all__ = ["ReportData", "collect", "draw_channels", "draw_sensitivity", "report", "result_rows"]
