#!/usr/bin/env python3
"""A batch of impasto by Ray: a task of the batch is a task of Ray.

    python3 paint.py BATCH                        on this machine
    RAY_ADDRESS=auto python3 paint.py BATCH       on the cluster that this machine belongs to
    ray job submit --working-dir farms/ray -- python3 paint.py BATCH       from outside of it; KubeRay too

BATCH has the same path on all nodes, in a folder that they share. See docs/farms.md.
"""

import argparse
import json
import os
import subprocess
import sys

import ray

# impasto's exit status where trying again is no use.
USAGE = 2


class Unfinished(Exception):
    """A task that another try may finish."""


# Retries are for nodes that are lost too.
@ray.remote(max_retries=5, retry_exceptions=[Unfinished])
def paint(program, batch, number, threads, *before):
    """Paints one task when those before it are done, and gives impasto's exit status."""
    if any(before):
        return USAGE
    command = [program, "batch", "run", batch, "--index", str(number), "--device", "cpu", "--threads", str(threads)]
    status = subprocess.run(command + ["--quiet"]).returncode
    if status not in (0, USAGE):
        raise Unfinished(f"task {number}: exit status {status}")
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("batch", help="the folder that `impasto batch plan` wrote")
    parser.add_argument("--threads", type=int, default=2, help="of each task [default: 2]")
    parser.add_argument("--program", default="impasto", help="on every node")
    options = parser.parse_args()

    with open(os.path.join(options.batch, "tasks.jsonl"), encoding="utf-8") as lines:
        tasks = {task["number"]: task for task in map(json.loads, lines)}
    # The instruction set that a portable batch is for is the same on all nodes.
    isa = {name: os.environ[name] for name in ["IMPASTO_ISA"] if name in os.environ}
    ray.init(runtime_env={"env_vars": isa})
    begun, batch = {}, os.path.abspath(options.batch)
    # Who waits stands behind the task that it waits for.
    for number, task in tasks.items():
        before = [begun[task["after"]]] if task.get("after") else []
        needs = {"num_cpus": options.threads, "memory": int(task["memory_mib"] * 2**20), "name": f"task {number}"}
        begun[number] = paint.options(**needs).remote(options.program, batch, number, options.threads, *before)

    failed = 0
    for number, painted in begun.items():
        try:
            status = ray.get(painted)
        except ray.exceptions.RayError as error:
            status = str(error).strip().splitlines()[-1]
        if status:
            failed += 1
            print(f"task {number}: {status}", file=sys.stderr)
    print(f"{len(tasks) - failed} of {len(tasks)} pictures are done")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
