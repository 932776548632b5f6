"""What `model.fit` does in two processes with Keras 3: python docs/examples/plain_fit.py."""

import json
import os
import socket
import subprocess
import sys

METHODS = ("fit", "train_on_batch", "evaluate", "predict")


def call(method):
    """Call a method of a model's under MultiWorkerMirroredStrategy, as `TF_CONFIG` has it."""
    import keras
    import numpy as np
    import tensorflow as tf

    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        model = keras.Sequential([keras.Input([8]), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    x, y = np.zeros([64, 8], np.float32), np.zeros([64, 1], np.float32)
    options = {} if method == "train_on_batch" else {"verbose": 0}
    try:
        getattr(model, method)(*([x] if method == "predict" else [x, y]), **options)
        print("works")
    except Exception as error:
        lines = str(error).splitlines()
        print(f"{type(error).__name__}: {lines[0]}{' … ' + lines[-1] if lines[1:] else ''}"[:110])


def start(method, rank, addresses):
    """Start one of the two processes."""
    task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = {**os.environ, **quiet, "TF_CONFIG": json.dumps(task)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    return subprocess.Popen([sys.executable, __file__, method], env=environment, **streams)


if __name__ == "__main__":
    if sys.argv[1:]:
        call(sys.argv[1])
    else:
        for method in METHODS:
            probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
            addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
            for probe in probes:
                probe.close()
            processes = [start(method, rank, addresses) for rank in range(2)]
            outputs = [process.communicate()[0] for process in processes]
            print(f"{method:14}  {outputs[0].strip()}", flush=True)
