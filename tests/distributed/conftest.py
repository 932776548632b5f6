"""Shared by the tests of what carries training on Ray."""

import os
from pathlib import Path

import pytest
from faults import SAMPLE

from distributed.sharding.shard import shard

# Of this process and of all that it starts. What users get by default only notices things later.
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
}


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """The sample as a data set."""
    folder = tmp_path_factory.mktemp("sample") / "data"
    shard([str(SAMPLE / "df_train.json")], str(folder))
    return folder
