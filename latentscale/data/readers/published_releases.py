"""Settings of one release whose features differ: a fit takes them for several releases.

`latentscale.data.releases` decides which rows are one release.
"""

from __future__ import annotations

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.readers.efforts import SETTINGS
from latentscale.data.readers.model_names import parse_name
from latentscale.dims import MODEL
from latentscale.errors import listed
from latentscale.markup import counted


def torn_releases(models: pd.DataFrame) -> list[Finding]:
    """Name settings of one release, by their names, that differ in a date or another feature.

    Parameters
    ----------
    models
        One row a model, with family and features.
    """
    parsed = [parse_name(name) for name in models["model"]]
    names = pd.Series([name.version.casefold() for name in parsed], models.index)
    settings = pd.Series([name.setting for name in parsed], models.index)
    columns = [name for name in models.columns if name not in (MODEL, *SETTINGS)]
    shown, differing = [], dict.fromkeys(columns, 0)
    for _, rows in models.groupby([names, models["family"]], sort=False):
        apart = [name for name in columns if rows[name].nunique(dropna=False) > 1]
        if settings[rows.index].nunique() > 1 and apart:  # names alike in all are other uploads
            shown.append(f"{' and '.join(rows['model'].head(2))} ({', '.join(apart)})")
            differing.update({name: differing[name] + 1 for name in apart})
    if not shown:
        return []
    where = ", ".join(f"{name} of {count}" for name, count in differing.items() if count)
    message = (
        f"settings of {counted(len(shown), 'release')} differ in more than reasoning and effort "
        f"({where}): {listed(shown, 3)}. A fit takes them for several releases, which then say "
        "less of one another: give all settings of a release the same cells."
    )
    return [Finding("warning", "torn-releases", "rows", message)]
