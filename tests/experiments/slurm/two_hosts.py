"""Two hosts on one machine: network namespaces, joined by a cable of their own and by nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

ADDRESSES = ("10.77.77.1", "10.77.77.2")


class TwoHosts:
    """The namespaces, from :meth:`start` to :meth:`stop`. Their disk is the machine's, as on a cluster."""

    def __init__(self) -> None:
        self.names = [f"seqlab-{os.getpid()}-{number}" for number in (1, 2)]

    def start(self) -> str:
        """Makes them; why that cannot be, or nothing."""
        if shutil.which("ip") is None:
            return "no ip here (Debian: iproute2)"
        if os.geteuid() != 0:
            return "network namespaces need root"
        first, second = self.names
        commands = [
            f"netns add {first}",
            f"netns add {second}",
            f"link add eth0 netns {first} type veth peer name eth0 netns {second}",
        ]
        for name, address in zip(self.names, ADDRESSES, strict=True):
            commands += [f"-n {name} addr add {address}/24 dev eth0"]
            commands += [f"-n {name} link set {device} up" for device in ("lo", "eth0")]
        for command in commands:
            done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
            if done.returncode:
                self.stop()
                return f"ip {command}: {done.stderr.strip()}"
        return ""

    def stop(self) -> None:
        """Removes them."""
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def run(self, commands: Sequence[Sequence[str]], timeout: float) -> list[subprocess.CompletedProcess[str]]:
        """Runs a command on each host, both at the same time.

        Args:
            commands: The first host's and the second's.
            timeout: Seconds, after which both are killed.
        """
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "eth0", "TP_SOCKET_IFNAME": "eth0"}
        processes = [
            subprocess.Popen(
                ["ip", "netns", "exec", name, *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
            )
            for name, command in zip(self.names, commands, strict=True)
        ]
        try:
            outputs = [process.communicate(timeout=timeout)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
        return [
            subprocess.CompletedProcess(process.args, process.returncode, output)
            for process, output in zip(processes, outputs, strict=True)
        ]
