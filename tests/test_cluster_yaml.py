"""`cluster.yaml` against Ray's own schema."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
from manifests import CLUSTER, changed, no_secrets
from paths import ROOT
from ray.autoscaler._private.util import prepare_config, validate_config


def check_cluster(config: dict[str, Any]) -> None:
    """What `ray up` checks before it starts anything, and what it lets pass."""
    # By itself `ray up` fills in what is missing and drops what is old: check what was written.
    folder = Path(ray.autoscaler.__file__).parent
    schema = json.loads((folder / "ray-schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(config, schema)
    missing = {"available_node_types", "head_node_type", "max_workers"} - set(config)
    assert not missing, f"missing: {missing}"
    validate_config(prepare_config(copy.deepcopy(config)))


class TestCluster:
    def test_is_what_ray_up_takes(self) -> None:
        check_cluster(CLUSTER)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("min_workers", 1),  # `ray up` itself would drop it without a word
            ("gpu_workers", 1),
            ("max_workers", "many"),
            ("max_workers", -1),
            ("available_node_types.gpu_worker.max_worker", 4),
            ("available_node_types.gpu_worker.min_workers", "0"),
            ("available_node_types.gpu_worker.min_workers", 9),  # more than all may be
            ("available_node_types.gpu_worker.resources", {"GPU": "1"}),
            ("available_node_types.gpu_worker.resources", None),
            ("available_node_types.gpu_worker.node_config", None),
            ("available_node_types", None),
            ("head_node_type", None),
            ("head_node_type", "haed"),
            ("cluster_name", None),
            ("provider", None),
            ("provider.type", None),
            ("setup_commands", "pip install ."),
        ],
    )
    def test_a_stray_wrong_or_missing_key_is_refused(self, path: str, value: object) -> None:
        with pytest.raises((jsonschema.ValidationError, ValueError, AssertionError)):
            check_cluster(changed(CLUSTER, path, value))

    def test_ray_up_alone_lets_a_stray_key_pass(self) -> None:
        """Why `check_cluster` is more than Ray's two functions."""
        validate_config(prepare_config(changed(CLUSTER, "min_workers", 1)))

    def test_has_gpu_workers_in_a_range_and_a_head_without_work(self) -> None:
        types = CLUSTER["available_node_types"]
        head, gpu = types[CLUSTER["head_node_type"]], types["gpu_worker"]
        assert head["resources"] == {"CPU": 0, "GPU": 0}
        assert gpu["resources"]["GPU"] >= 1
        assert gpu["min_workers"] < gpu["max_workers"] <= CLUSTER["max_workers"]

    def test_set_up_installs_the_project_with_what_the_checkout_has(self) -> None:
        install = next(line for line in CLUSTER["setup_commands"] if "constraints.txt" in line)
        assert "'.[gpu]'" in install
        assert "." in CLUSTER["file_mounts"].values()
        assert (ROOT / "constraints.txt").is_file()

    def test_tells_what_to_edit_and_holds_no_secret(self) -> None:
        text = (ROOT / "cluster.yaml").read_text(encoding="utf-8")
        assert text.count("EDIT") > 5
        assert no_secrets(text)
