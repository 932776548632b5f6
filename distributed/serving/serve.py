"""`siamese serve`: check everything, start the replicas, listen, and end all of it on Ctrl-C."""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from distributed.serving.plan import Door, Plan
from siamese.errors import RunError, UserError

if TYPE_CHECKING:
    from distributed.serving.application import Replicas

_OBJECT_STORE_BYTES = 256 << 20  # requests and answers are small
_GRACE_SECONDS = 10  # for requests that are being answered when the server ends
_IDLE_SECONDS = 75  # that a connection may be: longer than proxies keep theirs
_LOOK_SECONDS = 2.0  # between looks at what the replicas serve


def serve(plan: Plan, door: Door, verbose: bool = False) -> None:
    """Serve a model until this process is ended.

    Requests come to this process, which hands them to the replicas in batches: one more hop through
    a proxy of Ray Serve's would lose those that a replica has when it dies.

    Args:
        plan: what is served, and by how many replicas.
        door: where requests come in.
        verbose: show what Ray and the replicas write.

    Raises:
        UserError: the model, the index, the token or the port cannot be used, the replicas do not
            fit the cluster, or a package is missing.
        RunError: the replicas do not start.
    """
    _check_packages()
    _check_token(door.token)
    with _listening(door) as listener:
        url = _url(listener, door.host)
        what = _check_served(plan)
        _warn_of_strangers(door)
        with _replicas(
            plan, f"siamese-{socket.gethostname()}-{url.rpartition(':')[2]}", verbose
        ) as (replicas):
            print(f"{what}\n{_how_many(plan)} ready at {url} (Ctrl-C ends it)", flush=True)
            _serve_http(replicas, plan, door, listener)


def _check_packages() -> None:
    missing = [name for name in ("uvicorn", "starlette", "fastapi") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"siamese serve needs Ray Serve ({', '.join(missing)} missing): "
            "pip install 'siamese-ray[serve]'"
        )


def _check_token(token: str | None) -> None:
    if token is not None and (not token or not token.isascii() or not token.isprintable()):
        raise UserError("--token: give at least one character, of ASCII, and no line breaks.")


def _warn_of_strangers(door: Door) -> None:
    if door.token is None and not _is_loopback(door.host):
        print(
            f"warning: whoever reaches {door.host} may ask this server: give it a --token",
            file=sys.stderr,
        )


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@contextlib.contextmanager
def _listening(door: Door) -> Iterator[socket.socket]:
    """Take the port, before anything is started; whoever connects waits until all is ready."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            door.host, door.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--host {door.host}: no address of this machine ({reason}).") from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise UserError(f"--host {door.host}: no address of this machine.") from None
            raise UserError(
                f"port {door.port} of {door.host} cannot be listened at ({error.strerror}). "
                "Give another --port; 0 takes any that is free."
            ) from None
        listener.setblocking(False)
        yield listener


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _check_served(plan: Plan) -> str:
    """Load the model and the index as a replica will, and say what they are."""
    from siamese.serving.served import Served

    return _said(Served(plan.model, plan.index).status())


def _said(status: dict[str, Any]) -> str:
    """Say what is served in a line."""
    model, index = status["model"], status["index"]
    said = f"serving {model['name']} ({model['fingerprint'][:12]})"
    if index:
        said += f", index of {index['entries']:,} entries (version {index['version'][:12]})"
    return said


def _how_many(plan: Plan) -> str:
    least, most = plan.replicas
    if least < most:
        return f"{least} to {most} replicas"
    return "1 replica" if most == 1 else f"{most} replicas"


@contextlib.contextmanager
def _replicas(plan: Plan, name: str, verbose: bool) -> Iterator["Replicas"]:
    """Start the replicas, in the cluster that is there or on this machine."""
    from distributed.cluster.connect import connect
    from distributed.cluster.preflight import Request, preflight
    from siamese.training.execution import Execution

    connect(verbose, _OBJECT_STORE_BYTES)
    execution = Execution(plan.replicas, plan.gpus, plan.cpus)
    options = ("--replicas", "--cpus-per-replica", "--gpus-per-replica")
    read = [plan.model, plan.index] if plan.index else [plan.model]
    preflight(Request(execution, options), read=read, run=None)

    from ray import serve

    from distributed.serving.application import Replicas, application

    if not verbose:
        for logger in ("ray.serve", "ray"):
            logging.getLogger(logger).setLevel(logging.ERROR)
    # No proxy of Ray Serve's: this process is in front.
    serve.start(proxy_location="Disabled", logging_config={"enable_access_log": False})
    try:
        handle = serve.run(application(plan), name=name, route_prefix=None)
    except RuntimeError as error:
        raise RunError(f"the replicas do not start: {error}") from None
    try:
        yield Replicas(handle)
    finally:
        serve.delete(name)
        handle.shutdown()  # or its thread would look for a cluster when this one has been left


def _serve_http(replicas: "Replicas", plan: Plan, door: Door, listener: socket.socket) -> None:
    """Answer requests until a signal ends this process."""
    import uvicorn

    from distributed.serving.replica import AT_ONCE
    from siamese.serving.app import build_app
    from siamese.serving.batching import Batching

    batching = Batching(replicas.answer, AT_ONCE * plan.replicas[1], door.queue)
    config = uvicorn.Config(
        build_app(replicas, batching, door.token),
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )

    async def work() -> None:
        telling = asyncio.create_task(_tell(replicas))
        try:
            await uvicorn.Server(config).serve(sockets=[listener])
        finally:
            telling.cancel()

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(work())


async def _tell(replicas: "Replicas") -> None:
    """Say when another model or index is served, and why one that lies on disk is not."""
    from siamese.serving.answer import RequestError

    told: list[str] = []
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            status = await replicas.status()
        except RequestError:
            continue
        said = [_said(status)]
        if status["problem"]:
            said.append(f"warning: the old model and index stay: {status['problem']}")
        # With several replicas one is asked that may not have seen yet what another has.
        for line in said if told else ():
            if line not in told:
                print(
                    line, file=sys.stderr if line.startswith("warning") else sys.stdout, flush=True
                )
        told = [*told, *said][-4:]
