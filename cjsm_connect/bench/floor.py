"""The floor: one fresh Python process that imports only paramiko, connects to the hosts in parallel and runs `true`.

Run as a program: `python floor.py KNOWN_HOSTS KEY USER ADDRESS...`. It imports nothing of ours on purpose.
"""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import paramiko


def true_on(address: str) -> int:
    """Connect with TCP_NODELAY, run `true`, return its exit code."""
    known_hosts, key, user = sys.argv[1:4]
    with paramiko.SSHClient() as client:
        client.load_host_keys(known_hosts)
        client.connect(address, username=user, key_filename=key, allow_agent=False, look_for_keys=False)
        transport = client.get_transport()
        assert transport is not None and isinstance(transport.sock, socket.socket)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, stdout, _ = client.exec_command("true")
        return stdout.channel.recv_exit_status()


if __name__ == "__main__":
    with ThreadPoolExecutor(len(sys.argv[4:])) as pool:
        sys.exit(max(pool.map(true_on, sys.argv[4:])))
