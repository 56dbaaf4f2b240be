"""The register of motions."""

from __future__ import annotations

import pytest

from cascade.models.errors import InvalidParameter
from cascade.workers.errors import ArtifactLost
from cascade.workers.servers import Servers
from cascade.workers.storage.motions import Motions


@pytest.fixture
def motions(connected: Servers) -> Motions:
    return Motions.of(connected)


def test_a_name_that_is_added_again_leaves_the_bytes_of_earlier_requests(motions: Motions) -> None:
    first = motions.add("shapes", "zigzag", b"adapter")
    second = motions.add("shapes", "zigzag", b"another")
    assert (motions.content(first), motions.content(second)) == (b"adapter", b"another")
    assert motions.find("shapes", "zigzag") == second
    assert motions.list() == motions.list("shapes") == [second]
    assert motions.list("show-1") == []
    assert motions.remove("shapes", "zigzag")
    assert not motions.remove("shapes", "zigzag")
    for motion in (first, second):
        with pytest.raises(ArtifactLost):
            motions.content(motion)


@pytest.mark.parametrize("name", ["", "../x", "Zig Zag", "a" * 65, "-x"])
def test_names_are_plain(name: str, motions: Motions) -> None:
    with pytest.raises(ValueError, match="no name"):
        motions.add("shapes", name, b"adapter")


@pytest.mark.parametrize("preset", ["wan", "dreams"])
def test_a_preset_without_such_a_stage_takes_none(preset: str, motions: Motions) -> None:
    with pytest.raises(InvalidParameter, match=preset):
        motions.add(preset, "zigzag", b"adapter")
