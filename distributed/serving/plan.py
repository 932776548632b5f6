"""What is served, by how many replicas, and where."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Says what is served, and by how many.

    Attributes:
        model: a model folder or its URI.
        index: an index folder or its URI, if there is one.
        replicas: the least and the most.
        cpus: of each replica: reserved with Ray, and its threads.
        gpus: of each replica.
    """

    model: str
    index: str | None = None
    replicas: tuple[int, int] = (1, 1)
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Door:
    """Says where the server listens, and to whom.

    Attributes:
        host: a name or an address of this machine.
        port: 0: any that is free.
        token: that requests must bring; None: everybody is answered.
        queue: requests that wait at most.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    queue: int = 256
