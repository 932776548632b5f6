"""The faults of a storm: what is done to a command while it runs, or before it is given again."""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Time as a program sees it, moved by the seconds that a mapped file holds. Waits until a time of
# day are moved with it, as the kernel would: those of glibc, and the futexes that gRPC waits on.
_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long moved(void) {
    static volatile long *by;
    if (!by) {
        const char *name = getenv("STORM_CLOCK");
        int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        if (file < 0) return 0;
        void *mapped = mmap(0, sizeof *by, PROT_READ, MAP_SHARED, file, 0);
        close(file);
        if (mapped == MAP_FAILED) return 0;
        by = mapped;
    }
    return *by;
}
static struct timespec of_kernel(const struct timespec *at) {
    struct timespec then = *at;
    if (then.tv_sec > 1000000000) then.tv_sec -= moved();  /* not of the monotonic clock */
    return then;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += moved();
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec at;
    int failed = clock_gettime(CLOCK_REALTIME, &at);
    now->tv_sec = at.tv_sec; now->tv_usec = at.tv_nsec / 1000;
    return failed;
}
time_t time(time_t *now) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (now) *now = at.tv_sec;
    return at.tv_sec;
}
int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *at) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    struct timespec then = of_kernel(at);
    return real(c, m, &then);
}
long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = dlsym(RTLD_NEXT, "syscall");
    long a[6];
    va_list given;
    va_start(given, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(given, long);
    va_end(given);
    struct timespec then;
    if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) && a[3]) {
        then = of_kernel((const struct timespec *)a[3]);
        a[3] = (long)&then;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
"""

# Given the process of the command, its folder, and what is random.
Strike = Callable[[subprocess.Popen[bytes], Path, random.Random], None]


def _signal(number: signal.Signals) -> Strike:
    def strike(process: subprocess.Popen[bytes], folder: Path, rng: random.Random) -> None:
        process.send_signal(number)

    return strike


def _stop_driver(process: subprocess.Popen[bytes], folder: Path, rng: random.Random) -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(rng.uniform(1, 15))
    process.send_signal(signal.SIGCONT)


def _signal_to(number: signal.Signals, *names: bytes) -> Strike:
    """Send a signal to one of the command's processes of such a name, as soon as there is one."""

    def strike(process: subprocess.Popen[bytes], folder: Path, rng: random.Random) -> None:
        while process.poll() is None:
            found = [pid for pid in descendants(process.pid) if _is_named(pid, names)]
            if found:
                os.kill(rng.choice(found), number)
                return
            time.sleep(0.05)

    return strike


def _move_clock(process: subprocess.Popen[bytes], folder: Path, rng: random.Random) -> None:
    with (folder / "clock").open("r+b") as file:  # which programs have mapped
        file.write(
            rng.choice([-90000, -3700, -61, 61, 3700, 90000]).to_bytes(8, "little", signed=True)
        )


WORKERS = (b"RayTrainWorker", b"ray::ImplicitFunc", b"ray::map", b"ray::_map")
STRIKES: dict[str, Strike] = {
    "driver killed": _signal(signal.SIGKILL),
    "driver stopped": _stop_driver,
    "interrupted": _signal(signal.SIGINT),
    "worker killed": _signal_to(signal.SIGKILL, *WORKERS),
    "worker stopped": _signal_to(signal.SIGSTOP, *WORKERS),
    "raylet killed": _signal_to(signal.SIGKILL, b"/raylet/raylet "),
    "checkpoint cut": _signal(signal.SIGKILL),
    "checkpoint altered": _signal(signal.SIGKILL),
    "checkpoint emptied": _signal(signal.SIGKILL),
    "clock jumps": _move_clock,
}


def damage(fault: str, folder: Path, rng: random.Random) -> str:
    """Damage a file of the newest checkpoint, if the fault is one of those; says which."""
    checkpoints = sorted((folder / "out" / "checkpoints").glob("step-*"))
    if not fault.startswith("checkpoint") or not checkpoints:
        return ""
    path = rng.choice([path for path in checkpoints[-1].rglob("*") if path.is_file()])
    data = bytearray(path.read_bytes())
    if fault == "checkpoint cut":
        data = data[: rng.randrange(len(data))]
    elif fault == "checkpoint emptied":
        data.clear()
    else:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return str(path.relative_to(checkpoints[-1]))


@contextmanager
def clock(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the variables of a process whose clock is moved by the seconds in `folder/clock`."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_CLOCK)
    (folder / "clock").write_bytes(bytes(8))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    yield {"LD_PRELOAD": str(library), "STORM_CLOCK": str(folder / "clock")}


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """Make a folder a disk of so many bytes; yields what makes it large."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    enlarge = ["mount", "-o", "remount,size=4g", str(folder)]
    try:
        yield lambda: subprocess.run(enlarge, check=True) and None
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def ports_taken(rng: random.Random) -> Iterator[None]:
    """Bind 3,000 of the ports that programs are given when they ask for any."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    with ExitStack() as stack:
        for port in rng.sample(range(low, high), 3000):
            try:
                stack.enter_context(socket.create_server(("", port)))
            except OSError:
                continue
        yield


def descendants(pid: int) -> list[int]:
    """List the processes that a process has started, and those that they have."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.name))
    found, left = [], [pid]
    while left:
        new = children.get(left.pop(), [])
        found += new
        left += new
    return found


def _is_named(pid: int, names: tuple[bytes, ...]) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return False
    return any(name in command for name in names)


def can(fault: str) -> str:
    """Say why a fault cannot be had on this machine; "" if it can."""
    if fault == "clock jumps":
        return "" if shutil.which("cc") else "no C compiler"
    if fault == "disk full":
        with tempfile.TemporaryDirectory() as name:
            try:
                with small_disk(Path(name) / "disk", 1 << 20):
                    return ""
            except (OSError, subprocess.CalledProcessError):
                return "no right to mount a disk"
    return ""


def end_all(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a command: a storm's next one must not wait for it."""
    for pid in descendants(process.pid):
        ctypes.CDLL(None).kill(pid, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
    process.wait()
