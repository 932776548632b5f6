"""`cluster.yaml` against Ray's own schema, the others against the fields of KubeRay's own."""

import copy
import json
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
import ray.autoscaler
import typer
import yaml
from paths import ROOT
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray import serve
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.serve.schema import ServeDeploySchema

from distributed.cli.main import app
from distributed.serving import ingress

CLUSTER = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
JOB = yaml.safe_load((ROOT / "rayjob.yaml").read_text(encoding="utf-8"))
SERVICE = yaml.safe_load((ROOT / "rayservice.yaml").read_text(encoding="utf-8"))


def changed(config: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with the value at a dotted path replaced; without the key when it is None."""
    copied = copy.deepcopy(config)
    *above, last = path.split(".")
    inner: Any = copied
    for key in above:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copied


def check_cluster(config: dict[str, Any]) -> None:
    """What `ray up` checks before it starts anything, and what it lets pass."""
    # By itself `ray up` fills in what is missing and drops what is old: check what was written.
    folder = Path(ray.autoscaler.__file__).parent
    schema = json.loads((folder / "ray-schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(config, schema)
    missing = {"available_node_types", "head_node_type", "max_workers"} - set(config)
    assert not missing, f"missing: {missing}"
    validate_config(prepare_config(copy.deepcopy(config)))


def parse(command: list[str]) -> None:
    """Let the command line's parser judge a command, without running it."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    context = group.make_context("siamese", list(command))
    name, found, arguments = group.resolve_command(context, command)
    assert found is not None
    found.make_context(name, list(arguments), parent=context)


def no_secrets(text: str) -> bool:
    return not any(word in text for word in ("AKIA", "aws_secret", "password", "BEGIN "))


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


# The fields of RayJob, RayCluster and Pod that the manifest uses, as the Go types of KubeRay and
# Kubernetes name and type them. The API server drops a field that it does not know; here it is an
# error.
Count = Annotated[int, Field(ge=0, strict=True)]
Text = Annotated[str, Field(min_length=1, strict=True)]
Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$", strict=True)]


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Resources(Fields):
    limits: dict[str, Quantity]
    requests: dict[str, Quantity]


class SecretKey(Fields):
    name: Text
    key: Text


class ValueFrom(Fields):
    secretKeyRef: SecretKey  # noqa: N815


class Variable(Fields):
    name: Text
    valueFrom: ValueFrom  # noqa: N815


class Container(Fields):
    name: Text
    image: Text
    resources: Resources
    env: list[Variable] = []


class Toleration(Fields):
    key: Text
    operator: Literal["Exists", "Equal"]
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class PodSpec(Fields):
    containers: Annotated[list[Container], Field(min_length=1)]
    tolerations: list[Toleration] = []


class Template(Fields):
    spec: PodSpec


class HeadGroup(Fields):
    rayStartParams: dict[str, Text]  # noqa: N815
    template: Template


class WorkerGroup(Fields):
    groupName: Text  # noqa: N815
    replicas: Count
    minReplicas: Count  # noqa: N815
    maxReplicas: Count  # noqa: N815
    rayStartParams: dict[str, Text]  # noqa: N815
    template: Template


class AutoscalerOptions(Fields):
    idleTimeoutSeconds: Count  # noqa: N815


class RayClusterSpec(Fields):
    rayVersion: Text  # noqa: N815
    enableInTreeAutoscaling: Annotated[bool, Field(strict=True)]  # noqa: N815
    autoscalerOptions: AutoscalerOptions  # noqa: N815
    headGroupSpec: HeadGroup  # noqa: N815
    workerGroupSpecs: Annotated[list[WorkerGroup], Field(min_length=1)]  # noqa: N815


class RayJobSpec(Fields):
    entrypoint: Text
    runtimeEnvYAML: Text  # noqa: N815
    backoffLimit: Count  # noqa: N815
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]  # noqa: N815
    shutdownAfterJobFinishes: Annotated[bool, Field(strict=True)]  # noqa: N815
    ttlSecondsAfterFinished: Count  # noqa: N815
    rayClusterSpec: RayClusterSpec  # noqa: N815


class Metadata(Fields):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?$")]


class RayJob(Fields):
    apiVersion: Literal["ray.io/v1"]  # noqa: N815
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: RayJobSpec


GROUP = "spec.rayClusterSpec.workerGroupSpecs.0"


class TestRayJob:
    def test_has_the_fields_of_a_ray_job(self) -> None:
        RayJob.model_validate(JOB)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("apiVersion", "ray.io/v1alpha1"),
            ("kind", "RayCluster"),
            ("metadata.name", None),
            ("metadata.name", "siamese_train"),
            ("min_workers", 1),
            ("spec.entrypoint", None),
            ("spec.entryPoint", "python -m distributed train"),
            ("spec.shutdownAfterJobFinishes", "true"),
            ("spec.ttlSecondsAfterFinished", "600"),
            ("spec.rayClusterSpec", None),
            ("spec.rayClusterSpec.headGroupSpec", None),
            ("spec.rayClusterSpec.workerGroupSpecs", []),
            ("spec.rayClusterSpec.enableInTreeAutoscaling", None),
            (f"{GROUP}.groupName", None),
            (f"{GROUP}.min_replicas", 0),
            (f"{GROUP}.maxReplicas", "4"),
            (f"{GROUP}.rayStartParams", {"num-gpus": 1}),  # the operator takes strings only
            (f"{GROUP}.template.spec.containers", []),
            (f"{GROUP}.template.spec.containers.0.image", None),
            (f"{GROUP}.template.spec.containers.0.resources.limits", {"nvidia.com/gpu": 1.5}),
        ],
    )
    def test_a_stray_wrong_or_missing_key_is_refused(self, path: str, value: object) -> None:
        with pytest.raises(ValidationError):
            RayJob.model_validate(changed(JOB, path, value))

    def test_runs_a_command_that_exists(self) -> None:
        python, dash_m, module, *command = shlex.split(JOB["spec"]["entrypoint"])
        assert (python, dash_m, module) == ("python", "-m", "distributed")
        parse(command)

    def test_scales_gpu_workers_and_shuts_down(self) -> None:
        spec = RayJob.model_validate(JOB).spec
        (group,) = spec.rayClusterSpec.workerGroupSpecs
        assert spec.rayClusterSpec.enableInTreeAutoscaling
        assert group.minReplicas <= group.replicas <= group.maxReplicas
        assert group.template.spec.containers[0].resources.limits["nvidia.com/gpu"] == "1"
        assert spec.shutdownAfterJobFinishes

    def test_is_for_the_version_of_ray_that_is_pinned(self) -> None:
        version = JOB["spec"]["rayClusterSpec"]["rayVersion"]
        pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        assert f"ray=={version}" in pins

    def test_tells_what_to_edit_and_holds_no_secret(self) -> None:
        text = (ROOT / "rayjob.yaml").read_text(encoding="utf-8")
        assert text.count("EDIT") > 5
        assert no_secrets(text)


class RayServiceSpec(Fields):
    serveConfigV2: Text  # noqa: N815
    rayClusterConfig: RayClusterSpec  # noqa: N815


class RayService(Fields):
    apiVersion: Literal["ray.io/v1"]  # noqa: N815
    kind: Literal["RayService"]
    metadata: Metadata
    spec: RayServiceSpec


SERVED = yaml.safe_load(SERVICE["spec"]["serveConfigV2"])


class TestRayService:
    def test_has_the_fields_of_a_ray_service(self) -> None:
        RayService.model_validate(SERVICE)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("apiVersion", "ray.io/v1alpha1"),
            ("kind", "RayJob"),
            ("spec.serveConfigV2", None),
            ("spec.serveConfigV2", {"applications": []}),  # the operator takes a text
            ("spec.serveConfig", "applications: []"),
            ("spec.rayClusterConfig", None),
            ("spec.rayClusterSpec", {}),  # as a RayJob calls it
            ("spec.rayClusterConfig.workerGroupSpecs.0.maxReplicas", "4"),
            ("spec.rayClusterConfig.workerGroupSpecs.0.template.spec.containers.0.env.0.value", ""),
        ],
    )
    def test_a_stray_wrong_or_missing_key_is_refused(self, path: str, value: object) -> None:
        with pytest.raises(ValidationError):
            RayService.model_validate(changed(SERVICE, path, value))

    def test_its_configuration_is_one_of_ray_serve(self) -> None:
        ServeDeploySchema.model_validate(SERVED)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("applications", None),
            ("applications.0.import_path", None),
            ("applications.0.args", "model=best"),
            ("proxy_location", "Everywhere"),
        ],
    )
    def test_ray_serve_refuses_what_is_none(self, path: str, value: object) -> None:
        with pytest.raises(ValidationError):
            ServeDeploySchema.model_validate(changed(SERVED, path, value))

    def test_its_application_can_be_built_with_its_arguments(self) -> None:
        (served,) = SERVED["applications"]
        module, _, name = served["import_path"].partition(":")
        arguments = ingress.Arguments.model_validate(served["args"])
        assert arguments.min_replicas < arguments.max_replicas
        assert (module, name) == (ingress.__name__, ingress.build.__name__)
        assert isinstance(ingress.build(arguments), serve.Application)

    def test_a_wrong_argument_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="replicas"):
            ingress.Arguments.model_validate({"model": "best", "replicas": 2})

    def test_its_token_comes_from_a_secret(self) -> None:
        spec = RayService.model_validate(SERVICE).spec.rayClusterConfig
        (group,) = spec.workerGroupSpecs
        names = [variable.name for variable in group.template.spec.containers[0].env]
        assert names == [ingress.TOKEN]

    def test_has_room_for_its_replicas_and_outlives_a_pod(self) -> None:
        spec = RayService.model_validate(SERVICE).spec.rayClusterConfig
        (group,) = spec.workerGroupSpecs
        arguments = ingress.Arguments.model_validate(SERVED["applications"][0]["args"])
        cpus = int(group.template.spec.containers[0].resources.limits["cpu"])
        assert group.minReplicas >= 2
        assert arguments.fronts >= 2
        assert cpus * group.maxReplicas >= arguments.max_replicas + arguments.fronts

    def test_is_for_the_version_of_ray_that_is_pinned(self) -> None:
        job = JOB["spec"]["rayClusterSpec"]["rayVersion"]
        assert SERVICE["spec"]["rayClusterConfig"]["rayVersion"] == job

    def test_tells_what_to_edit_and_holds_no_secret(self) -> None:
        text = (ROOT / "rayservice.yaml").read_text(encoding="utf-8")
        assert text.count("EDIT") > 5
        assert no_secrets(text)


@pytest.mark.parametrize("name", ["cluster.yaml", "rayjob.yaml"])
def test_every_siamese_command_in_the_comments_parses(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    commands = [line.partition("siamese submit -- ")[2] for line in lines]
    for command in filter(None, commands):
        parse(shlex.split(command))
