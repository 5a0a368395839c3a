"""How Sphinx makes the site: ``sphinx-build -W docs site``."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "seqlab"
author = "the authors of seqlab"
version = release = version_of("seqlab")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference_pages"]
exclude_patterns = ["extend", "reference_pages", "notebooks/runs"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

nb_execution_mode = "off"  # their outputs are kept in them; a test runs them
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "seqlab"
html_static_path = ["_static"]
html_css_files = ["help.css"]
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
