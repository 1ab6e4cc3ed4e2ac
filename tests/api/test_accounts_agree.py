"""What the ledger has of a call is what the vendor's own account has of it, by whatever path it was made."""

from collections.abc import Iterator

import pytest

from tests import agreeing
from tests.agreeing import PATHS, STREAMS, Path, Stage
from tests.gateway import Gateway


@pytest.fixture(scope="module")
def stage(gateway: Gateway, staff_token: str, user_token: str) -> Iterator[Stage]:
    with agreeing.stage(gateway, staff_token, user_token) as made:
        yield made


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_whole_answers(stage: Stage, path: Path) -> None:
    stage.whole(path)


@pytest.mark.parametrize("path", [path for path in PATHS if path.priced], ids=str)
def test_a_zero_stays_a_zero(stage: Stage, path: Path) -> None:
    stage.whole(path, "zero")


@pytest.mark.parametrize("path", STREAMS, ids=str)
def test_the_client_leaves(stage: Stage, path: Path) -> None:
    stage.left(path)


@pytest.mark.parametrize("path", STREAMS, ids=str)
def test_the_vendor_breaks_off(stage: Stage, path: Path) -> None:
    stage.broken_off(path)
