"""How Sphinx builds the documentation: `python -m sphinx -W -b html docs build/html`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

project = "Supervisor"
author = "The Supervisor reimplementation authors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = (ROOT / "supervisor" / "version.txt").read_text(encoding="ascii").strip()

extensions = ["myst_parser", "generated"]
exclude_patterns = ["examples", "_ext"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
suppress_warnings = ["myst.header"]  # manual pages and parts begin deeper than one level

html_theme = "alabaster"
html_theme_options = {
    "description": "A process control system",
    "page_width": "64rem",
    "font_family": "system-ui, sans-serif",
    "show_related": True,
}
html_logo = "../supervisor/ui/images/icon.png"
html_show_sphinx = False

man_pages = [
    ("man/supervisord", "supervisord", "start programs and watch over them", author, 1),
    ("man/supervisorctl", "supervisorctl", "control what supervisord runs", author, 1),
    ("man/supervisord.conf", "supervisord.conf", "what supervisord is to do", author, 5),
]
