"""What options of the command line may be set to. Imports nothing, so that `--help` is quick."""

from typing import Literal

SearchName = Literal["random", "grid", "tpe"]
SchedulerName = Literal["asha", "median", "pbt", "none"]
