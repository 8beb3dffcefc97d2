"""Collectors for what this machine and our processes on it take."""

import shutil
from collections.abc import Iterator

import psutil
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nextrade.ops import components, processes

psutil.cpu_percent()  # the first call has nothing to compare with


class Machine(Collector):
    """Bytes, and ratios of 0 to 1. CPU: of all cores, since this process was asked before."""

    def collect(self) -> Iterator[Metric]:
        yield from (self._memory(), self._cpu(), *self._disks())

    def _memory(self) -> Metric:
        family = GaugeMetricFamily(
            "nextrade_process_resident_memory_bytes",
            "Memory of a kind of process and its children (PSS: shared pages count once)",
            labels=["process"],
        )
        for role, size in sorted(processes.memory_bytes().items()):
            family.add_metric([role], size)
        return family

    def _cpu(self) -> Metric:
        return GaugeMetricFamily(
            "nextrade_cpu_usage_ratio", "Share of all cores in use", value=psutil.cpu_percent() / 100
        )

    def _disks(self) -> Iterator[Metric]:
        """As df has them: its Use% is used / (used + free), since some of the total is nobody's or root's."""
        usage = {str(path): shutil.disk_usage(path) for path in components.volumes()}
        for what in ("free", "used", "total"):
            family = GaugeMetricFamily(f"nextrade_disk_{what}_bytes", f"A volume of ours: {what}", labels=["path"])
            for path, size in usage.items():
                family.add_metric([path], getattr(size, what))
            yield family
