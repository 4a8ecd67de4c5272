"""Settings of the documentation site; `make docs` builds it without a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS / "_ext"), str(ROOT)]
# Pages are executed by kernels in processes of their own, which must import this checkout.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # a debugger's notice on stderr

import api_pages  # noqa: E402
import command_line  # noqa: E402
import executed  # noqa: E402
import grammar  # noqa: E402
import longer  # noqa: E402
import recipes  # noqa: E402

import latentscale as ls  # noqa: E402

project = "latentscale"
author = "the latentscale authors"
copyright = author
release = version = ls.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "alt_text",
    "defaults",
    "mathml",
    "measured",
    "thumbnails",
]
exclude_patterns = ["_build", "_ext", "_templates", "fits"]
templates_path = ["_templates"]
default_role = "autolink"

# Written anew at every build from the records, registries and public names; not tracked.
grammar.write(DOCS / "generated" / "grammar.md")
recipes.write(DOCS / "generated" / "recipes.md")
command_line.write(DOCS / "generated" / "command_line.md")
longer.write(DOCS / "generated" / "notebooks")
api_pages.write(DOCS / "api" / "index.md")

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings' parameters say what is taken
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline", "attrs_block"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(executed.cache(DOCS / "_build" / "executed"))
nb_execution_timeout = 300  # seconds a cell: the slowest takes some ten on an idle machine
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

html_theme = "pydata_sphinx_theme"
html_title = "latentscale"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "back_to_top_button": False,
}
_BROAD = ("index", "start", "comparison", "which_spec", "which_method")
html_sidebars = {page: [] for page in _BROAD}  # wide tables, or nothing to list
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
html_math_renderer = "mathml"
