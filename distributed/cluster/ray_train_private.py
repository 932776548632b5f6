"""What is not the public API of Ray Train: a trainer with few processes. See `ray_private.py`.

Each of Ray's processes imports `ray.train`, for a second and more of a core, before the workers of
a run can begin. A run here needs one of them, in which workers wait for each other. It has no use
for what hands out shares of Ray Data's data sets; and what Ray Train starts to look after the rest
is of no use where all of it runs in the process that waits for the run, and ends with it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from distributed.cluster.ray_private import is_started_here


def tensorflow_trainer(
    backend_config: Any,
    train_loop: Callable[..., None],
    growth: Any = None,
    **options: Any,
) -> Any:
    """Make a `ray.train.tensorflow.TensorflowTrainer` whose controller is in this process.

    Its `fit` raises KeyboardInterrupt on a SIGINT, once the workers have been ended. The public
    module and constructor import TensorFlow, for a default that is not used here: 4 s in the
    process that starts a run. And `fit` starts six processes besides the workers. Without it: the
    public class, and some ten seconds more.

    Args:
        backend_config: how the workers are set up, in the place of Ray's `TensorflowConfig`.
        train_loop: what every worker runs.
        growth: of an elastic run (`distributed.keras.growth.Growth`); see `elastic_policy`.
        options: as of `TensorflowTrainer`.
    """
    import ray
    from ray.train.v2._internal.callbacks import DatasetsCallback
    from ray.train.v2._internal.callbacks.placement_group_callback import (
        PlacementGroupCleanerCallback,
    )
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
    from ray.train.v2.tensorflow.tensorflow_trainer import TensorflowTrainer

    unused: tuple[type, ...] = (DatasetsCallback,)
    if ray.get_runtime_context().get_actor_id() is None:
        # Places are free again when the job of this process has ended. Those that an actor took, as
        # a sweep's trial, would be kept until then, though the actor were ended long before.
        unused += (PlacementGroupCleanerCallback,)

    class Trainer(TensorflowTrainer):
        def __init__(self) -> None:
            DataParallelTrainer.__init__(self, train_loop, backend_config=backend_config, **options)

        def _create_default_callbacks(self) -> list[Any]:
            return [c for c in super()._create_default_callbacks() if not isinstance(c, unused)]

        def _initialize_and_run_controller(self, **parts: Any) -> Any:
            if growth:
                parts["scaling_policy"] = elastic_policy(self.scaling_config, growth)
            return _control(parts)

    return Trainer()


def _control(parts: dict[str, Any]) -> Any:
    """Run Ray Train's controller in this process, not in an actor; returns its result.

    Without it: `DataParallelTrainer._initialize_and_run_controller`.
    """
    from ray.train.v2._internal.execution.controller import TrainController

    placement_groups: list[Any] = []

    class Controller(TrainController):
        worker_group_cls = _worker_group(placement_groups)

    if is_started_here():
        parts = {**parts, "scaling_policy": _unannounced(parts["scaling_policy"])}
    controller = Controller(**parts)
    # Not `asyncio.run`: a SIGINT must interrupt what waits for Ray, and not be kept for later.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(controller.run())
    except BaseException:
        # As `TrainController.abort`, which would end the process of an actor.
        controller._controller_callback_manager.invoke_best_effort("before_controller_abort")
        if group := controller.get_worker_group():
            with suppress(Exception):
                group.abort()
        for places in placement_groups:  # also of workers that were just being started
            with suppress(Exception):
                places.shutdown()
        raise
    finally:
        loop.close()
    return controller.get_result()


def _worker_group(placement_groups: list[Any]) -> type[Any]:
    """Make the class of the workers' group, which knows that the controller is no actor.

    Without it: `WorkerGroup`.

    Args:
        placement_groups: is given those that are made.
    """
    from ray.train.v2._internal.execution.worker_group import WorkerGroup

    class Group(WorkerGroup):
        def _create_placement_group(self, *args: Any) -> Any:
            placement_groups.append(super()._create_placement_group(*args))
            return placement_groups[-1]

        @staticmethod
        def _get_worker_runtime_env(custom_runtime_env: Any) -> Any:
            return custom_runtime_env  # Ray Train's settings are for the controller

        def _init_train_context_on_workers(
            self, workers: list[Any], sync_actor: Any, arguments: dict[str, list[Any]]
        ) -> None:
            import ray

            ray.get(
                [
                    worker.actor.init_train_context.remote(
                        train_run_context=self._train_run_context,
                        distributed_context=worker.distributed_context,
                        synchronization_actor=sync_actor,
                        storage_context=self._storage_context,
                        worker_callbacks=self._worker_callbacks_to_propagate,
                        controller_actor=None,  # only asked for checkpoints, which are our own
                        **{name: values[i] for name, values in arguments.items()},
                    )
                    for i, worker in enumerate(workers)
                ]
            )
            self._decorate_worker_log_file_paths(workers)

    return Group


def _unannounced(policy: Any) -> Any:
    """Make a policy of a fixed number of workers that asks no autoscaler for their places.

    Ray Train has an actor for that, for all runs of a cluster. An elastic policy asks that actor
    for more. Without it: the policy as it is, and the actor.
    """
    from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy

    class Unannounced(FixedScalingPolicy):
        def after_controller_start(self, train_run_context: Any) -> None:
            pass

        def _maybe_send_resource_request(self) -> None:
            pass

    if isinstance(policy, FixedScalingPolicy):
        return Unannounced(policy.scaling_config)
    return policy


def elastic_policy(scaling_config: Any, growth: Any) -> Any:
    """Make the policy by which Ray Train's controller chooses the number of workers.

    Ray's own ends the workers of an elastic run as soon as it sees room for more, wherever they
    are: the steps since their last checkpoint are taken twice. And it knows no numbers between the
    least and the most that do not suit. Without it: `create_scaling_policy`, with these flaws.

    Args:
        scaling_config: of the trainer.
        growth: has `fitting` and `larger`, as `distributed.keras.growth.Growth`.
    """
    from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy, NoopDecision

    class Policy(ElasticScalingPolicy):
        def _count_possible_workers(self, reserved_resources: Any) -> int:
            return growth.fitting(super()._count_possible_workers(reserved_resources))

        def make_decision_for_running_worker_group(
            self, worker_group_state: Any, worker_group_status: Any
        ) -> Any:
            self._maybe_send_resource_request()  # of an autoscaler
            workers = growth.larger(worker_group_state.num_workers)
            return self._get_resize_decision(workers) if workers else NoopDecision()

    return Policy(scaling_config)
