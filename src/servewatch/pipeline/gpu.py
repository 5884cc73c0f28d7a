"""GPUs as NVIDIA's management library (NVML) tells of them; the extra `gpu`.

The library of a driver that fails may keep a call for ever, and its first one takes
seconds where no daemon keeps the driver awake. So it is asked on a thread that lives
for one look, and the answer is fetched when it is there. Without a driver no thread is
started, and nothing but `ctypes` is imported.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

GPUS = 8
FAILURES = 3
REST_SECONDS = 60.0
_LIBRARY = "libnvidia-ml.so.1"
_OFF = "GPU metrics are off: "
_PERCENT, _MILLI = 1e-2, 1e-3
# nvml.h, nvmlClocksEventReasons: those that are set while a GPU is held back.
THROTTLES = {
    0x04: "power_cap",
    0x08: "hardware",
    0x10: "sync_boost",
    0x20: "software_thermal",
    0x40: "hardware_thermal",
    0x80: "power_brake",
}


class Gpu(NamedTuple):
    """One device at one look; None for what it does not tell.

    `utilisation` is the share of the last second or less, in [0, 1], in which a kernel
    ran; `own_memory_bytes` is what this process holds, as far as its id is known
    there: in a container it often is not.
    """

    number: int
    uuid: str
    name: str
    utilisation: float | None
    memory_used_bytes: float | None
    memory_total_bytes: float | None
    own_memory_bytes: float | None
    celsius: float | None
    watts: float | None
    throttles: Sequence[str] | None


class Gpus:
    """Looks at the GPUs of this machine, at most eight.

    `devices` are those of the last look and `off` says why there are none. Three
    failures in a row make it rest for a minute.

    >>> Gpus().off  # nobody has looked yet
    """

    def __init__(self) -> None:
        """Ask nothing yet."""
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew: a child has to set the library up by itself."""
        self.devices: Sequence[Gpu] = ()
        self.off: str | None = None
        self.busy_seconds = 0.0
        self._library: Any = None
        self._is_possible: bool | None = None
        self._is_ready = False
        self._thread: threading.Thread | None = None
        self._answer: Sequence[Gpu] | Exception | None = None
        self._asked = self._answered = 0.0
        self._failures = 0
        self._rests_until = float("-inf")

    def look(self, now: float) -> None:
        """Ask, unless that is of no use at the moment *now* (seconds)."""
        if self._is_possible is None:
            self.off = _missing()
            self._is_possible = self.off is None
        self.fetch(now)
        if not self._is_possible or self._thread is not None:
            return
        if now < self._rests_until:
            return
        self._asked = now
        self._thread = threading.Thread(
            target=self._ask, name="servewatch-nvml", daemon=True
        )
        self._thread.start()

    def fetch(self, now: float) -> None:
        """Take the answer that is there; say so where one has not come for long."""
        thread = self._thread
        if thread is None:
            return
        if thread.is_alive():
            if now - self._asked >= 2.0:
                self._fail(f"NVML has not answered for {now - self._asked:.0f} s")
            return
        self._thread = None
        answer, self._answer = self._answer, None
        if isinstance(answer, Exception):
            self._failures += 1
            if self._failures >= FAILURES:
                self._failures = 0
                self._rests_until = now + REST_SECONDS
            self._fail(f"NVML: {answer}")
        elif answer is not None:
            self._add_busy(answer, self._asked)
            self.devices, self.off, self._failures = answer, None, 0
            self._answered = self._asked

    def _fail(self, reason: str) -> None:
        self.devices, self.off = (), _OFF + reason

    def _add_busy(self, devices: Sequence[Gpu], at: float) -> None:
        """Add up the share of time that was used, from the look before to this one.

        Of GPUs on which this process holds memory; where none is known to be so, as in
        a container, of all that can be seen.
        """
        if not self.devices:
            return
        own = [each for each in devices if each.own_memory_bytes]
        share = sum(each.utilisation or 0.0 for each in own or devices)
        self.busy_seconds += share * max(at - self._answered, 0.0)

    def _ask(self) -> None:
        try:
            if self._library is None:
                self._library = importlib.import_module("pynvml")
            if not self._is_ready:
                self._library.nvmlInit()
                self._is_ready = True
            self._answer = devices(self._library)
        except Exception as error:  # noqa: BLE001 - a driver may fail in any way
            self._answer = error
            if self._is_ready:  # a driver that was loaded anew wants it anew
                self._is_ready = False
                with suppress(Exception):
                    self._library.nvmlShutdown()

    def close(self) -> None:
        """Let go of the library, unless a call is still in it."""
        if self._is_ready and self._thread is None:
            self._is_ready = False
            with suppress(Exception):
                self._library.nvmlShutdown()


def _missing() -> str | None:
    """Say what is missing for looking at GPUs at all."""
    if find_spec("pynvml") is None:
        return f"{_OFF}nvidia-ml-py is not installed; pip install 'servewatch[gpu]'"
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        return f"{_OFF}NVML: there is no driver ({_LIBRARY} is not found)"
    return None


def devices(nvml: Any) -> list[Gpu]:
    """Give all devices that *nvml* (pynvml) tells of; raise what it raises.

    What one device does not support is None; any other failure is raised.
    """
    count = min(nvml.nvmlDeviceGetCount(), GPUS)
    return [_device(nvml, number) for number in range(count)]


def _device(nvml: Any, number: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    told = partial(_told, nvml)
    rates = told(nvml.nvmlDeviceGetUtilizationRates, handle)
    memory = told(nvml.nvmlDeviceGetMemoryInfo, handle)
    watts = told(nvml.nvmlDeviceGetPowerUsage, handle)
    celsius = told(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
    reasons = told(nvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
    if reasons is None:  # drivers before 535 know it by another name
        reasons = told(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
    return Gpu(
        number=number,
        uuid=nvml.nvmlDeviceGetUUID(handle),
        name=nvml.nvmlDeviceGetName(handle),
        utilisation=None if rates is None else rates.gpu * _PERCENT,
        memory_used_bytes=None if memory is None else float(memory.used),
        memory_total_bytes=None if memory is None else float(memory.total),
        own_memory_bytes=_own_memory(told(_processes, nvml, handle)),
        celsius=None if celsius is None else float(celsius),
        watts=None if watts is None else watts * _MILLI,
        throttles=None if reasons is None else _throttles(reasons),
    )


def _told(nvml: Any, ask: Callable[..., Any], *given: Any) -> Any:
    try:
        return ask(*given)
    except (
        nvml.NVMLError_NotSupported,
        nvml.NVMLError_FunctionNotFound,
        nvml.NVMLError_NoPermission,
    ):
        return None


def _processes(nvml: Any, handle: Any) -> Sequence[Any]:
    """Give who computes on a device; raises for want of the function as others do."""
    try:
        found: Sequence[Any] = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLLibraryMismatchError as error:
        raise nvml.NVMLError(nvml.NVML_ERROR_FUNCTION_NOT_FOUND) from error
    return found


def _own_memory(processes: Sequence[Any] | None) -> float | None:
    own = [each for each in processes or () if each.pid == os.getpid()]
    return sum(float(each.usedGpuMemory or 0) for each in own) if own else None


def _throttles(reasons: int) -> list[str]:
    return [name for bit, name in THROTTLES.items() if reasons & bit]
