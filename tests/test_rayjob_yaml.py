"""`rayjob.yaml` against the fields of KubeRay's own."""

import shlex
from typing import Annotated, Literal

import pytest
from kuberay import Count, Fields, Metadata, RayClusterSpec, Text
from manifests import JOB, changed, no_secrets, parse
from paths import ROOT
from pydantic import Field, ValidationError


class RayJobSpec(Fields):
    entrypoint: Text
    runtimeEnvYAML: Text  # noqa: N815
    backoffLimit: Count  # noqa: N815
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]  # noqa: N815
    shutdownAfterJobFinishes: Annotated[bool, Field(strict=True)]  # noqa: N815
    ttlSecondsAfterFinished: Count  # noqa: N815
    rayClusterSpec: RayClusterSpec  # noqa: N815


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
