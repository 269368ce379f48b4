"""A host of the cell, for the tests: answers, asks, or goes on asking over one connection."""

import select
import socket
import sys
import time

PATIENCE_S = 1.5


def serve(specs):
    """Echoes on tcp/PORT and udp/PORT, IPv4 and IPv6, until it is killed."""
    waiting = []
    for spec in specs:
        kind, port = spec.split("/")
        stream = kind == "tcp"
        sock = socket.socket(
            socket.AF_INET6, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        )
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("::", int(port)))
        if stream:
            sock.listen(16)
        waiting.append((sock, stream))
    listeners = {sock: stream for sock, stream in waiting}
    open_ones = []
    print("serving", flush=True)
    while True:
        ready, _, _ = select.select(list(listeners) + open_ones, [], [])
        for sock in ready:
            try:
                if listeners.get(sock) is True:
                    open_ones.append(sock.accept()[0])
                elif listeners.get(sock) is False:
                    data, sender = sock.recvfrom(65535)
                    sock.sendto(data, sender)
                else:
                    data = sock.recv(65535)
                    if not data:
                        raise OSError("closed")
                    sock.sendall(data)
            except OSError:
                if sock in open_ones:
                    open_ones.remove(sock)
                    sock.close()


def bound(kind, address, source):
    """A socket for asking there, from a port where others may answer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(family, kind)
    sock.settimeout(PATIENCE_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", source))
    return sock


def ask(kind, address, port, size="4", source="0"):
    """Whether an echo of so many bytes comes back."""
    question = b"?" * int(size)
    sock = bound(kind, address, int(source))
    try:
        sock.connect((address, int(port)))
        sock.send(question)
        answer = b""
        while len(answer) < len(question):
            part = sock.recv(65535)
            if not part:
                raise OSError("closed")
            answer += part
    except OSError as error:
        print(f"silent: {error}")
        return
    print("answered")


def hold(address, port):
    """Goes on asking over one connection, and says with the time what comes of each question."""
    sock = bound("tcp", address, 0)
    sock.connect((address, int(port)))
    owed = 0
    while True:
        owed += sock.send(b"?")
        before = owed
        try:
            owed -= len(sock.recv(65535))
        except OSError:
            pass
        word = "answered" if owed < before else "silent"
        print(f"{word} {time.time():.3f}", flush=True)
        if word == "answered":
            time.sleep(0.05)


{"serve": lambda *specs: serve(specs), "ask": ask, "hold": hold}[sys.argv[1]](*sys.argv[2:])
