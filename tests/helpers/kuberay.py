"""The fields of RayCluster and Pod that the manifests use.

As the Go types of KubeRay and Kubernetes name and type them. The API server drops a field that it
does not know; here it is an error.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class Metadata(Fields):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?$")]
