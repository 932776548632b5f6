"""How many workers a node has room for."""

import pytest

from distributed.cluster import capacity


@pytest.mark.parametrize(
    ("have", "need", "count"),
    [
        ({"CPU": 4}, {"CPU": 3}, 1),
        ({"CPU": 4}, {"CPU": 5}, 0),
        ({"CPU": 0.3}, {"CPU": 0.1}, 3),
        ({}, {"CPU": 1}, 0),
        ({"CPU": 8}, {"CPU": 1, "GPU": 1}, 0),
        ({"CPU": 8, "GPU": 2}, {"CPU": 1, "GPU": 1}, 2),
        ({"CPU": 8, "GPU": 2}, {"CPU": 1, "GPU": 0.5}, 4),
        ({"CPU": 8, "GPU": 2}, {"CPU": 1, "GPU": 0.6}, 2),
        ({"CPU": 8, "GPU": 1.5}, {"CPU": 1, "GPU": 0.5}, 3),
        ({"CPU": 1, "GPU": 2}, {"CPU": 1, "GPU": 0.5}, 1),
    ],
)
def test_a_worker_is_on_one_node_and_its_share_of_a_gpu_on_one_gpu(
    have: dict[str, float], need: dict[str, float], count: int
) -> None:
    assert capacity.fits(have, need) == count
