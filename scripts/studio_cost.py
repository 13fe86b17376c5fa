#!/usr/bin/env python3
"""What looking on costs a run in the studio: the same run with nobody looking on, with a client that does what the page does, and
beside a hundred clients that ask and never read.

  studio_cost.py PROGRAM [--size 512] [--evaluations 24] [--rounds 3]

Prints for each: the processor's seconds an evaluation (of the whole program, by the system), seconds by the clock, the most memory,
and the SHA-256 of the picture's file. What is told are medians of the rounds, which take turns."""

import argparse
import hashlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse


class Studio:
    """A studio of its own, in a folder of its own."""

    def __init__(self, program, folder):
        command = [program, "studio", "--no-open", "--port", "0", "--device", "cpu", "--runs", str(folder / "runs")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = urllib.parse.urlsplit(self.process.stdout.readline().strip())
        self.host, self.port = address.hostname, address.port
        self.token = urllib.parse.parse_qs(address.query)["token"][0]

    def ask(self, method, path, body=None):
        """An answer's bytes."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        headers = {"Authorization": f"Bearer {self.token}", "X-Impasto": "1", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:200]}")
        return data

    def json(self, method, path, body=None):
        return json.loads(self.ask(method, path, body))

    def processor_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def look_on(studio, run, until):
    """What the page does: hears events, and fetches the newest picture, one at a time and at most two a second."""
    connection = socket.create_connection((studio.host, studio.port))
    connection.sendall(
        f"GET /api/events?run={run} HTTP/1.1\r\nHost: {studio.host}:{studio.port}\r\n"
        f"Authorization: Bearer {studio.token}\r\n\r\n".encode()
    )
    connection.settimeout(0.2)
    heard, fetched, revision = b"", 0.0, None
    while not until.is_set():
        try:
            heard += connection.recv(65536)
        except TimeoutError:
            continue
        *events, heard = heard.split(b"\n\n")
        for event in events:
            if b"event: preview" in event or b"event:preview" in event:
                revision = json.loads(event.split(b"data:", 1)[1].split(b"\n")[0])["revision"]
        if revision is not None and time.monotonic() - fetched > 0.5:
            fetched = time.monotonic()
            studio.ask("GET", f"/api/runs/{run}/preview/{revision}.jpg?long_edge=512")
            look_on.pictures += 1
            revision = None
    connection.close()


def stalled(studio, run):
    """A hundred connections of four kinds that send or read nothing more."""
    kinds = [
        f"GET /api/events?run={run} HTTP/1.1\r\nHost: {studio.host}:{studio.port}\r\nAuthorization: Bearer {studio.token}\r\n\r\n",
        f"GET /api/runs HTTP/1.1\r\nHost: {studio.host}:{studio.port}\r\nAuthorization: Bearer {studio.token}\r\n\r\n",
        "GET /api/runs HTTP/1.1\r\nHost: ",
        "",
    ]
    connections = []
    for number in range(100):
        try:
            connection = socket.create_connection((studio.host, studio.port), timeout=2)
            connection.sendall(kinds[number % len(kinds)].encode())
            connections.append(connection)
        except OSError:
            pass
    return connections


def paint(studio, arguments, kind):
    """One run; its seconds an evaluation, and what it came to."""
    example = studio.json("GET", "/api/studio")["examples"][0]
    recipe = {"size": str(arguments.size), "levels": 1, "iterations": arguments.evaluations}
    body = {"content": example["content"]["id"], "styles": [example["style"]["id"]], "recipe": recipe}
    run = studio.json("POST", "/api/runs", body)["id"]
    state = lambda: studio.json("GET", f"/api/runs/{run}")
    while state()["evaluation"] < 1:
        time.sleep(0.05)
    until = threading.Event()
    looking = threading.Thread(target=look_on, args=(studio, run, until)) if kind == "looked at" else None
    if looking:
        looking.start()
    connections = stalled(studio, run) if kind == "stalled" else []
    first, used = state(), studio.processor_s()
    memory = 0.0
    while True:
        time.sleep(0.5)
        now = state()
        memory = max(memory, studio.memory_mib())
        if now["state"] == "finished" or now["evaluation"] >= arguments.evaluations:
            break
        # A peer that was refused comes again.
        if kind == "stalled":
            connections = connections[-64:]
    evaluations = now["evaluation"] - first["evaluation"]
    figures = ((studio.processor_s() - used) / evaluations, (now["seconds"] - first["seconds"]) / evaluations, memory)
    until.set()
    if looking:
        looking.join()
    while state()["state"] != "finished":
        time.sleep(0.1)
    picture = studio.ask("GET", f"/api/runs/{run}/export?format=png8")
    for connection in connections:
        connection.close()
    return *figures, hashlib.sha256(picture).hexdigest()[:16]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--evaluations", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    look_on.pictures = 0
    rows = {"alone": [], "looked at": [], "stalled": []}
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(arguments.program, pathlib.Path(folder))
        try:
            while not studio.json("GET", "/api/studio")["examples"]:
                time.sleep(0.1)
            for turn in range(arguments.rounds):
                # Each is first, second and last in turn, so that a machine that slows down slows all of them.
                kinds = list(rows)[turn % 3 :] + list(rows)[: turn % 3]
                for kind in kinds:
                    rows[kind].append(paint(studio, arguments, kind))
                    print(kind, *(f"{figure:.3f}" for figure in rows[kind][-1][:3]), rows[kind][-1][3], flush=True)
        finally:
            studio.process.terminate()
    alone = [statistics.median(row[place] for row in rows["alone"]) for place in range(3)]
    for kind, of_kind in rows.items():
        used, clock, memory = (statistics.median(row[place] for row in of_kind) for place in range(3))
        print(
            f"{kind:10} {used:.3f} s of processor an evaluation ({used / alone[0]:.3f}), {clock:.3f} s by the clock "
            f"({clock / alone[1]:.3f}), {memory:.0f} MiB"
        )
    print(f"{look_on.pictures} pictures were fetched")
    if len({row[3] for of_kind in rows.values() for row in of_kind}) != 1:
        raise SystemExit("the pictures differ")


main()
