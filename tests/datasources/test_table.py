"""The table of datasources, and a site's own one by its dotted name."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from lightinit import datasources
from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.errors import ProvisioningError
from lightinit.settings import datasource_section


@pytest.mark.parametrize("name", sorted(datasources.DATASOURCES))
def test_the_section_of_a_datasource_is_named_as_its_module(name: str) -> None:
    module = datasources.DATASOURCES[name].partition(":")[0]
    assert (module + ".").startswith("lightinit.datasources.%s." % name) and name == name.lower()
    assert datasource_section(name) == name


@pytest.mark.parametrize(
    "name, section",
    [
        ("mysite.cloud:Cloud", "cloud"),
        ("mysite.cloud.Cloud", "cloud"),
        ("mysite.clouds.MyCloud:Source", "mycloud"),
        ("cloud:Cloud", "cloud"),
        ("cloud.Cloud", "cloud"),
    ],
)
def test_the_section_of_a_sites_own_datasource(name: str, section: str) -> None:
    assert datasource_section(name) == section


def test_datasources_by_name() -> None:
    assert datasources.load("azure") is AzureDatasource
    for place in (
        "lightinit.datasources.azure.datasource:AzureDatasource",
        "lightinit.datasources.azure.datasource.AzureDatasource",
    ):
        assert datasources.load(place) is AzureDatasource
    with pytest.raises(ProvisioningError, match="unknown datasource .*name=azur, nearest=azure"):
        datasources.load("azur")


@pytest.mark.parametrize(
    "line, said",
    [
        ("raise RuntimeError('no licence')", "error=RuntimeError: no licence"),
        ("import sys; sys.exit(3)", "error=SystemExit: 3"),
        ("def broken(:", "error=SyntaxError: "),
        ("1 / 0", "error=ZeroDivisionError: "),
        ("raise MemoryError()", "error=MemoryError: "),
        ("X = 1", "error=AttributeError: "),
    ],
)
def test_whatever_a_sites_datasource_raises_is_an_error_of_ours(
    tmp_path: Any, line: str, said: str
) -> None:
    name = "site_%d" % abs(hash(str(tmp_path)))
    (tmp_path / (name + ".py")).write_text(line + "\n")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ProvisioningError, match="datasource cannot be imported") as caught:
            datasources.load(name + ".Source")
    finally:
        sys.path.remove(str(tmp_path))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["no.such.module:X", "lightinit.datasources.azure.datasource:Nothing", "json.", ".x", "a.b:"],
)
def test_places_without_a_datasource(name: str) -> None:
    with pytest.raises(ProvisioningError, match="datasource cannot be imported"):
        datasources.load(name)


@pytest.mark.parametrize("line", ["Source = 5", "def Source(): pass", "class Source: pass"])
def test_what_is_no_datasource_is_refused(tmp_path: Any, line: str) -> None:
    name = "other_%d" % abs(hash(str(tmp_path)))
    (tmp_path / (name + ".py")).write_text(line + "\n")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ProvisioningError, match="not a datasource .*base.Datasource"):
            datasources.load(name + ".Source")
    finally:
        sys.path.remove(str(tmp_path))
