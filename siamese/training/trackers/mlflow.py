"""MLflow: one run in the tracker for each run folder, however often it is stopped and resumed.

Needs the extra `mlflow`. MLflow's own variables say where figures go: `MLFLOW_TRACKING_URI`
(`mlflow.db` in the folder where the run is started, if it is not set) and `MLFLOW_EXPERIMENT_NAME`.
With workers on other machines the address must be one that they reach, and what it asks for
(`MLFLOW_TRACKING_TOKEN`, …) must be set there too.
"""

import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from siamese.config.recipe import Recipe, flat_settings
from siamese.errors import UserError
from siamese.storage.atomic import read_json, write_json
from siamese.training.run_folder import RunFolder

# Of the run in MLflow: the key that the run folder holds, and the folder.
KEY_TAG, FOLDER_TAG = "siamese_ray.key", "siamese_ray.run"
# A server that does not answer must not hold up the training for minutes, unless the user says so.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
# Figures that MLflow takes at once.
_AT_ONCE = 1000


class MLflow:
    """Logs the recipe as parameters and every figure as a metric, named `event/figure`.

    Should the tracker stop answering during the run, its figures wait until it answers again.

    Args:
        uri: of the tracker.
        experiment: the name of the experiment, which is created if there is none.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri = uri
        self._experiment = experiment
        self._client: Any = None
        self._run_id = ""
        self._known: set[tuple[str, int]] = set()
        self._waiting: list[Any] = []
        self._is_silent = False

    def start(self, run: RunFolder, recipe: Recipe, step: int) -> None:
        """Find the run in MLflow by the key in `RUN/mlflow.json`, or create both.

        Raises:
            UserError: the tracker cannot be used.
        """
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        import mlflow

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # says: creates tables
        key = _key_of(run)
        try:
            self._client = mlflow.MlflowClient(tracking_uri=self._uri)
            tracked = self._find_or_create(run, key)
            self._run_id = tracked.info.run_id
            if not tracked.data.params:
                self._log_recipe(recipe)
            self._known = {
                (name, point.step)
                for name in tracked.data.metrics
                for point in self._client.get_metric_history(self._run_id, name)
            }
            self._client.update_run(self._run_id, status="RUNNING")
        except Exception as error:  # MLflow passes on what its stores raise
            raise UserError(f"MLflow at {self._uri}: {_in_words(error)}") from None

    def log(self, event: str, values: Mapping[str, float], step: int) -> None:
        """Log the figures, but for those of a step that a stopped run had logged already."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for name, value in values.items():
            point = (f"{event}/{name}", step)
            if point not in self._known:
                self._known.add(point)
                self._waiting.append(Metric(point[0], float(value), now, step))
        self._attempt(self._send)

    def close(self, finished: bool) -> None:
        """Log what waits, and set the run's status."""
        self._attempt(self._send)
        status = "FINISHED" if finished else "FAILED"
        self._attempt(lambda: self._client.set_terminated(self._run_id, status))
        if self._waiting:
            print(
                f"MLflow at {self._uri}: {len(self._waiting):,} figures could not be logged. "
                "metrics.jsonl has them.",
                flush=True,
            )

    def _find_or_create(self, run: RunFolder, key: str) -> Any:
        experiment = self._client.get_experiment_by_name(self._experiment)
        number = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(self._experiment)
        )
        for found in self._client.search_runs([number], f"tags.`{KEY_TAG}` = '{key}'"):
            return found
        return self._client.create_run(
            number,
            run_name=run.location.rstrip("/").rsplit("/", 1)[-1],
            tags={KEY_TAG: key, FOLDER_TAG: run.location, "mlflow.source.name": "siamese-ray"},
        )

    def _log_recipe(self, recipe: Recipe) -> None:
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in flat_settings(recipe).items()]
        self._client.log_batch(self._run_id, params=params)

    def _send(self) -> None:
        while self._waiting:
            self._client.log_batch(self._run_id, metrics=self._waiting[:_AT_ONCE])
            del self._waiting[:_AT_ONCE]

    def _attempt(self, work: Callable[[], Any]) -> None:
        """Do what needs the tracker; say so once if it does not answer, and go on training."""
        try:
            work()
            self._is_silent = False
        except Exception as error:
            if not self._is_silent:
                print(
                    f"MLflow at {self._uri}: {_in_words(error)} The run goes on; its figures are "
                    "logged when the tracker answers again.",
                    flush=True,
                )
            self._is_silent = True


def build() -> MLflow:
    """Make the tracker from MLflow's environment variables.

    Raises:
        UserError: the package is not installed.
    """
    if find_spec("mlflow") is None:
        raise UserError(
            "the tracker mlflow needs the package MLflow: pip install 'siamese-ray[mlflow]'"
        )
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('mlflow.db').absolute()}"
    return MLflow(uri, os.environ.get("MLFLOW_EXPERIMENT_NAME") or "siamese-ray")


def _key_of(run: RunFolder) -> str:
    """Read the key of the run, or make one: kept before anything is sent to the tracker."""
    if run.mlflow_file.is_file():
        return str(read_json(run.mlflow_file)["key"])
    key = uuid.uuid4().hex
    write_json(run.mlflow_file, {"key": key})
    run.publish()
    return key


def _in_words(error: Exception) -> str:
    """Return the first sentence or so of an error."""
    lines = str(error).strip().splitlines()
    return f"{lines[0] if lines else type(error).__name__}"[:300]
