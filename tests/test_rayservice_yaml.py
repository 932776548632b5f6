"""`rayservice.yaml` against the fields of KubeRay's own, and Ray Serve's schema."""

from typing import Literal

import pytest
import yaml
from kuberay import Fields, Metadata, RayClusterSpec, Text
from manifests import JOB, SERVICE, changed, no_secrets
from paths import ROOT
from pydantic import ValidationError
from ray import serve
from ray.serve.schema import ServeDeploySchema

from distributed.serving import ingress


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
