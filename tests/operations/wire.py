"""Runs in the namespace of the lab's bridges until its standard input ends: hears every frame of the lab (packet(7))
and prints how many there were, and between whom these words passed in clear text. Standard library only."""

import json
import select
import socket
import sys

ETH_P_ALL = 3


def main():
    words = [word.encode() for word in sys.argv[1:]]
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    frames, heard = 0, set()
    print("ready", flush=True)
    while True:
        readable = select.select([sys.stdin, listener], [], [])[0]
        if sys.stdin in readable:
            break
        if listener in readable:
            frame = listener.recv(65536)
            frames += 1
            if any(word in frame for word in words):
                ends = [socket.inet_ntoa(frame[at : at + 4]) for at in (26, 30)]  # IPv4 header behind 14 bytes Ethernet
                heard.add(" > ".join(ends))
    print(json.dumps({"frames": frames, "heard": sorted(heard)}))


if __name__ == "__main__":
    main()
