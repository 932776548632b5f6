"""What importing `KerasTrainer` loads, and what it never needs."""

import json
import subprocess
import sys

from paths import ROOT


def test_importing_it_loads_neither_ray_nor_tensorflow() -> None:
    heavy = "ray tensorflow keras numpy pydantic"
    code = (
        "import sys\nfrom distributed.keras import KerasTrainer\n"
        f"print(set('{heavy}'.split()) & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_nothing_of_the_encoder_is_needed_to_train_another_model() -> None:
    code = (
        "import sys\nimport distributed.keras.trainer, distributed.keras.context\n"
        "import distributed.keras.launch, distributed.keras.worker, distributed.keras.result\n"
        "import json\nprint(json.dumps(sorted(m for m in sys.modules if m.startswith('siamese.'))))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rooms = {".".join(name.split(".")[1:3]) for name in json.loads(done.stdout)}
    general = {"training", "training.execution", "training.gpu_memory", "config", "config.parts"}
    others = {room for room in rooms if room.partition(".")[0] not in ("storage", "errors")}
    assert others <= general | {"progress", "standard_error"}
