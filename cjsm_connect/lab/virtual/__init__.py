"""A host with a kernel of its own, in qemu: for clocks, encrypted disks and new kernels, which a container cannot show.

One at a time: it takes 768 MB, and without hardware virtualisation as much of a core as it can get.
"""

from cjsm_connect.lab.virtual.guest import Guest
from cjsm_connect.lab.virtual.time_server import TimeServer

__all__ = ["Guest", "TimeServer"]
