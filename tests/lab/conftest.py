"""One lab for all tests of this folder, apart from those that need their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cjsm_connect.lab.laboratory import Lab


@pytest.fixture(scope="package")
def lab(labs_of_its_own: None) -> Iterator[Lab]:
    laboratory = Lab("tests-lab")
    laboratory.down()
    laboratory.up()
    yield laboratory
    laboratory.down()
