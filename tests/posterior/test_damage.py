"""Damaged, crafted and newer files give the same fit or an error that names the file.

Each test makes its file by hand.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.errors import DataError, FitError
from latentscale.posterior import netcdf, stream
from latentscale.posterior.fit import Fit
from latentscale.posterior.header import SCHEMA, FitHeader, sealed
from latentscale.posterior.heaps import refuse_endless_texts

GOLDEN = Path(__file__).parents[1] / "golden" / "590bc21" / "nuts_pooled_flops.nc"


@pytest.fixture(scope="module")
def saved(tiny_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_fit.save(tmp_path_factory.mktemp("fits") / "tiny.nc")


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.nc"
    path.write_bytes(saved.read_bytes())
    return path


def document_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return json.loads(netcdf.header_text(file, path))


def resealed(path: Path, document: dict[str, Any]) -> None:
    """Write a header that matches its hash, as a deliberately crafted file would have it."""
    with path.open("rb") as file:
        tree = netcdf.read_tree(file, path)
    document = {key: value for key, value in document.items() if key != "hash"}
    netcdf.write(path, netcdf.image(tree, sealed(document, tree), path))


def flips(path: Path, fit: Fit, same: Callable[[Fit, Fit], bool], count: int, at: Path) -> set[str]:
    whole, rng, met = path.read_bytes(), random.Random(5), set()
    for _ in range(count):
        spoiled = bytearray(whole)
        spoiled[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        at.write_bytes(spoiled)
        try:
            assert same(ls.load(at), fit)
            met.add("same")
        except (FitError, DataError) as error:
            assert str(at) in str(error)
            met.add("refused")
    return met


def test_a_flipped_bit_gives_the_same_fit_or_an_error(saved, tiny_fit, same, tmp_path) -> None:
    met = flips(saved, tiny_fit, same, 200, tmp_path / "flipped.nc")
    assert met == {"same", "refused"}


@pytest.mark.slow
def test_a_flipped_bit_in_an_old_file_gives_the_same_fit_or_an_error(same, tmp_path) -> None:
    assert flips(GOLDEN, ls.load(GOLDEN), same, 500, tmp_path / "flipped.nc")


def test_a_file_that_is_cut_short_is_refused(saved, tmp_path) -> None:
    whole, path = saved.read_bytes(), tmp_path / "short.nc"
    for share in np.linspace(0, 0.999, 25):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FitError, match=r"short\.nc"):
            ls.load(path)


def changes(document: Any, where: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Yield places in a header, each with an invalid value."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        for odd in (None, True, -1, 10**30, 0.5, float("nan"), "x", [], {}, [None], {"x": {}}):
            if type(odd) is not type(value):
                yield (*where, key), odd
        if isinstance(value, dict | list):
            yield from changes(value, (*where, key))


def put(document: Any, where: tuple, value: Any, drop: bool = False) -> Any:
    changed = copy.deepcopy(document)
    place = changed
    for key in where[:-1]:
        place = place[key]
    if drop:
        del place[where[-1]]
    else:
        place[where[-1]] = value
    return changed


def test_each_key_of_the_header_is_needed_and_has_a_type(saved, tmp_path) -> None:
    document = {key: value for key, value in document_of(saved).items() if key != "hash"}
    whole = FitHeader.from_dict(document, saved)
    refused, kept = 0, 0
    for where, odd in changes(document):
        for drop in (False, True):
            try:
                header = FitHeader.from_dict(put(document, where, odd, drop), saved)
            except FitError as error:
                assert str(saved) in str(error)
                refused += 1
            else:
                assert header.transform.names == whole.transform.names
                kept += 1
    assert refused > kept > 0  # a method's settings, and numbers of priors, may be any


@pytest.mark.parametrize("key", ["spec", "priors", "transform", "provenance", "status"])
@pytest.mark.parametrize("value", [None, 3, {"x": 0}, "x"])
def test_a_crafted_header_that_matches_its_hash_is_refused(copied, key, value) -> None:
    resealed(copied, document_of(copied) | {key: value})
    with pytest.raises(FitError, match=r"copy\.nc"):
        ls.load(copied)
    document = document_of(copied)
    del document[key]
    resealed(copied, document)
    with pytest.raises(FitError, match=rf'"{key}" in its header is missing'):
        ls.load(copied)


def test_an_unknown_key_is_refused_by_name(copied) -> None:
    resealed(copied, document_of(copied) | {"surprise": 1})
    with pytest.raises(FitError, match="surprise"):
        ls.load(copied)


@pytest.mark.parametrize("key", ["schema", "format"])
def test_a_file_of_a_newer_version_says_so(copied, key) -> None:
    document = {k: v for k, v in document_of(copied).items() if k != "schema"}
    resealed(copied, document | {key: SCHEMA + 1, "new": [1]})
    with pytest.raises(FitError, match=rf"newer version.*schema {SCHEMA + 1}.*up to {SCHEMA}"):
        ls.load(copied)


@pytest.mark.parametrize("schema", [0, -1, True, None, "2", 2.0, [2]])
def test_a_schema_that_is_no_number_is_refused(copied, schema) -> None:
    resealed(copied, document_of(copied) | {"schema": schema})
    with pytest.raises(FitError, match="schema"):
        ls.load(copied)


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, '{"schema": ' + "9" * 6000 + "}", '{"schema": 2}', "[]", "null", "{", "\ud800"],
    ids=["nested", "huge number", "empty", "list", "null", "cut short", "surrogate"],
)
def test_a_header_that_is_no_header_is_refused(copied, text) -> None:
    with h5py.File(copied, "r+") as file:
        file.attrs["latentscale"] = text.encode("utf-8", "surrogatepass")
    with pytest.raises(FitError, match=r"copy\.nc"):
        ls.load(copied)


@pytest.mark.parametrize("value", [np.arange(3), 7.5, np.zeros(0)])
def test_a_header_of_another_type_is_refused(copied, value) -> None:
    with h5py.File(copied, "r+") as file:
        file.attrs["latentscale"] = value
    with pytest.raises(FitError, match="not text"):
        ls.load(copied)


def bomb(file: h5py.File) -> None:
    """Declare 100 GB without storing anything."""
    file["posterior"].create_dataset(
        "huge", shape=(10**6, 12_500), dtype="f8", chunks=(1000, 125), compression="gzip"
    )


def chunk_bomb(file: h5py.File) -> None:
    file["posterior"].create_dataset(
        "huge", shape=(1,), maxshape=(None,), dtype="f8", chunks=(2**28,), compression="gzip"
    )


def stacked_filters(file: h5py.File) -> None:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((1000,))
    settings.set_deflate(9)
    settings.set_deflate(9)
    space = h5py.h5s.create_simple((1000,))
    h5py.h5d.create(file["posterior"].id, b"huge", h5py.h5t.IEEE_F64LE, space, settings)


def circle(file: h5py.File) -> None:
    file["posterior"]["again"] = file["/"]


def elsewhere(file: h5py.File) -> None:
    file["posterior"]["other"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft(file: h5py.File) -> None:
    file["posterior"]["other"] = h5py.SoftLink("/scores/score")


def wide_attribute(file: h5py.File) -> None:
    file["posterior"].attrs.create("wide", np.zeros(200_000))


def record_type(file: h5py.File) -> None:
    file["posterior"]["other"] = np.zeros(3, dtype=[("a", "f8")])


@pytest.mark.parametrize(
    "spoil",
    [bomb, chunk_bomb, stacked_filters, circle, elsewhere, soft, wide_attribute, record_type],
)
def test_a_file_that_latentscale_would_not_write_is_refused(copied, spoil) -> None:
    with h5py.File(copied, "r+", track_order=True, libver="latest") as file:
        spoil(file)
    assert copied.stat().st_size < 3e6
    with pytest.raises(FitError, match=r"copy\.nc cannot be read"):
        ls.load(copied)


def test_many_cells_that_name_one_long_text_are_refused(copied) -> None:
    with h5py.File(copied, "r+") as file:
        texts = np.array(["x" * 2**16, *["y"] * 999], dtype=object)
        made = file["posterior"].create_dataset("many", data=texts, dtype=h5py.string_dtype())
        start = made.id.get_offset()
    content = bytearray(copied.read_bytes())
    content[start : start + 16_000] = content[start : start + 16] * 1000  # 16 bytes a reference
    copied.write_bytes(content)
    with pytest.raises(FitError, match="exceed its size"):
        ls.load(copied)


def test_a_fit_larger_than_the_memory_is_refused(copied, monkeypatch) -> None:
    monkeypatch.setattr(netcdf, "_memory", lambda: 1000)
    with pytest.raises(FitError, match="larger machine"):
        ls.load(copied)


def test_running_out_of_memory_is_one_error(copied, monkeypatch) -> None:
    def failing(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(netcdf, "read_tree", failing)
    with pytest.raises(FitError, match="more memory"):
        ls.load(copied)


def test_defaults_that_change_later_do_not_change_a_fit(copied) -> None:
    document = document_of(copied)
    document["priors"]["intercept"] = {"dist": "Normal", "mu": 0.0, "sigma": 7.0}
    resealed(copied, document)
    assert ls.load(copied).spec.prior("intercept") == ls.Prior("Normal", mu=0, sigma=7)


@pytest.mark.parametrize("path", [3, None, "", "a\0b", b"fit.nc", "~nobody-of-this-name/fit.nc"])
def test_what_is_no_path_is_refused(tiny_fit, path) -> None:
    for call in (ls.load, ls.resume, tiny_fit.save):
        with pytest.raises(FitError):
            call(path)


def test_a_long_name_and_a_device_are_refused(tmp_path) -> None:
    for path in (tmp_path / ("x" * 400), Path("/dev/null")):
        with pytest.raises(FitError):
            ls.load(path)


def test_others_group_names_and_trees_are_read_as_they_are(tiny_fit, same, tmp_path) -> None:
    tree = tiny_fit.tree.copy()
    tree["extra/inner"] = xr.DataTree(xr.Dataset({"x": ("t", [True, False])}))
    fit = Fit(**{**vars(tiny_fit), "tree": tree})
    back = ls.load(fit.save(tmp_path / "extra.nc"))
    assert back.tree["extra/inner"].to_dataset().identical(tree["extra/inner"].to_dataset())


def test_a_file_of_schema_2_says_nothing_of_features_that_it_does_not_have(
    copied, tiny_fit, same
) -> None:
    document = document_of(copied)
    assert document["schema"] == SCHEMA and document["transform"].pop("features") == []
    resealed(copied, document | {"schema": 2})
    assert same(ls.load(copied), tiny_fit)
    resealed(copied, document)
    with pytest.raises(FitError, match="covariate transform has the fields"):
        ls.load(copied)


@pytest.mark.parametrize("zeros", [16, 512])
def test_a_block_of_zeros_among_texts_is_refused_and_not_read_for_ever(
    saved: Path, tmp_path: Path, zeros: int
) -> None:
    whole = bytearray(saved.read_bytes())
    start = whole.rfind(b"GCOL\x01\x00\x00\x00") + 16  # the texts of the last collection
    whole[start : start + zeros] = bytes(zeros)
    path = tmp_path / "zeros.nc"
    path.write_bytes(whole)
    with path.open("rb") as file, pytest.raises(FitError, match=r"zeros\.nc.*texts are damaged"):
        refuse_endless_texts(file, path)  # before HDF5, which would never return
    with pytest.raises(FitError, match="texts are damaged"):
        ls.load(path)


def test_numbers_of_another_width_are_refused(saved: Path, tmp_path: Path) -> None:
    whole = bytearray(saved.read_bytes())
    whole[13:15] = b"\x04\x04"
    path = tmp_path / "narrow.nc"
    path.write_bytes(whole)
    with pytest.raises(FitError, match="unusual width"):
        ls.load(path)


def test_other_labels_in_the_store_of_a_killed_run_are_refused(
    folder, prepared, store, begin
) -> None:
    run = begin(folder)
    store(run, prepared.scores.benchmarks, {0: 31, 1: 25, 2: 30})
    at = stream.zarr_folder(run) / "posterior"
    others = xr.Dataset(coords={"benchmark": ["alpha", "beta", "gamma", "delt"]})
    others.to_zarr(at, mode="a", consolidated=False)
    with pytest.raises(FitError, match=r'labels its "benchmark" .*"delt"'):
        ls.load(folder)
    with pytest.raises(FitError, match='labels its "benchmark"'):
        ls.resume(folder, progress=False)
    assert stream.zarr_folder(run).exists()  # nothing was sealed


def test_finished_draws_of_the_first_schema_say_that_they_have_no_hash() -> None:
    advice = ls.load(GOLDEN.parent / "store_pooled_flops").status.advice
    assert any("without a hash" in line for line in advice)


def test_a_table_in_place_of_a_fit_is_no_damaged_fit(tmp_path) -> None:
    table = tmp_path / "scores.csv"
    table.write_text("model,family,quiz\na,a,0.5\n", encoding="utf-8")
    with pytest.raises(FitError, match=r"scores\.csv is not a saved fit.*latentscale data"):
        ls.load(table)
