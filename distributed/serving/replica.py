"""A replica of Ray Serve: a process that holds the model and the index, and answers batches."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from siamese.serving.answer import Answer
from siamese.serving.requests import Request
from siamese.serving.served import Served

# Seconds between looks at the model and the index: on a disk, and at a URI, where each look costs.
REFRESH, REFRESH_URI = 1.0, 10.0
# Batches that a replica is given at once: one that it answers, and one that is there when it ends.
AT_ONCE = 2

_log = logging.getLogger("ray.serve")


class Replica:
    """Answers batches of requests with what is on disk.

    Args:
        model: a model folder or its URI.
        index: an index folder or its URI, if there is one.
        gpus: of this replica; below 1 its memory is capped to that share.
    """

    def __init__(self, model: str, index: str | None = None, gpus: float = 0.0) -> None:
        if gpus:
            from distributed.cluster.gpu_memory import cap_worker_memory

            cap_worker_memory(None, gpus)
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # Ray leaves all visible without one
        self._served = Served(model, index)
        # One batch after the other, each on all of this replica's cores.
        self._threads = ThreadPoolExecutor(1)
        is_remote = "://" in f"{model} {index}"
        interval = REFRESH_URI if is_remote else REFRESH
        threading.Thread(target=self._refresh, args=(interval,), daemon=True).start()

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer a batch of requests, all with the same model and index."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._served.desk.answer, requests)

    async def status(self) -> dict[str, Any]:
        """Say which model and index answer, and what the page needs to know of them."""
        return {**self._served.status(), "scale": self._served.desk.scale()}

    def _refresh(self, interval: float) -> None:
        problem = ""
        while True:
            time.sleep(interval)
            try:
                if self._served.refresh():
                    _log.info("a new model or index is served: %s", self._served.status())
            except Exception:
                _log.exception("the model and the index on disk could not be looked at")
            if self._served.problem != problem:
                problem = self._served.problem
                if problem:
                    _log.error("the old model and index stay: %s", problem)
