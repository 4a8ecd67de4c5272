"""The Open LLM Leaderboard's table, fetched from the Hugging Face hub."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import pandas as pd

from latentscale.data.readers.parquet import read_parquet
from latentscale.errors import DataError

_REPOSITORY: Final = "open-llm-leaderboard/contents"
_FILE: Final = "data/train-00000-of-00001.parquet"
_PAGE: Final = f"https://huggingface.co/datasets/{_REPOSITORY}"


def download_leaderboard(
    *,
    revision: str = "main",
    folder: str | Path | None = None,
    endpoint: str | None = None,
    timeout: float = 10.0,
) -> pd.DataFrame:
    """Fetch the contents table of the Open LLM Leaderboard v2 from the Hugging Face hub.

    The hub's client keeps a copy for later calls, even without a network.

    Parameters
    ----------
    revision
        Branch, tag or commit of the dataset; name a commit for reproducible figures.
    folder
        Folder for the copy; the hub client's own by default.
    endpoint
        Address of a mirror of the hub.
    timeout
        Seconds to wait for the hub's first answer.

    Returns
    -------
    pandas.DataFrame
        The table as on the hub; `leaderboard_table` and `read_leaderboard` accept it.

    Raises
    ------
    DataError
        If huggingface_hub is not installed, or the hub cannot be reached and there is no copy.

    Examples
    --------
    >>> table = ls.readers.download_leaderboard()  # doctest: +SKIP
    """
    try:
        import huggingface_hub as hub
    except ImportError:
        raise DataError(
            "Fetching the leaderboard needs huggingface_hub: pip install 'latentscale[hub]'. "
            f"Or download {_FILE} from {_PAGE} and give its path to read_leaderboard."
        ) from None
    try:
        path = hub.hf_hub_download(
            _REPOSITORY,
            _FILE,
            repo_type="dataset",
            revision=revision,
            cache_dir=folder,
            endpoint=endpoint,
            etag_timeout=timeout,
            # The client itself would try six times, half a minute in total, before it reports this.
            local_files_only=not _reachable(endpoint, timeout),
        )
    except Exception as error:  # the client raises its own, its transport's and the system's
        raise DataError(
            f"{_REPOSITORY} could not be fetched from the Hugging Face hub "
            f"({type(error).__name__}), and there is no copy of it here. Check the network, or "
            f"download {_FILE} from {_PAGE} on another machine and give its path to "
            "read_leaderboard."
        ) from error
    return read_parquet(path)


def _reachable(endpoint: str | None, timeout: float) -> bool:
    """Return whether the hub answers at all; behind a proxy only the client knows."""
    address = urlsplit(endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if getproxies() or address.hostname is None:
        return True
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname, port), timeout=timeout).close()
    except OSError:
        return False
    return True
