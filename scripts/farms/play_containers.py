#!/usr/bin/env python3
"""Plays Kubernetes or AWS Batch: runs the command that farms/ names, an index a container, on this machine.

    play_containers.py kubernetes|aws-batch ROOT SHARED      as root; ROOT is the image's file system, SHARED the volume /shared

A container has its own processes (impasto is number 1), the user that the file names, no capabilities, and nothing that it may write but
/shared. One is killed with its node, one is told to stop; what ends otherwise than well is tried again by the file's own rules. The
index after the last is played too, whose task there is not.
"""

import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

FARMS = Path(__file__).resolve().parents[2] / "farms"

# In the container's own mounts: the volume, /proc, /dev; then the root can no more be written.
CONTAINER = """
mount --bind "$ROOT" "$ROOT" && mkdir -p "$ROOT/shared" && mount --bind "$SHARED" "$ROOT/shared" &&
mount -t proc proc "$ROOT/proc" && mount --rbind /dev "$ROOT/dev" && mount -o remount,bind,ro "$ROOT" &&
exec chroot "$ROOT" env -i $GIVEN setpriv --reuid="$USER_NUMBER" --regid="$GROUP_NUMBER" --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all "$@"
"""


class Kubernetes:
    """The rules of a Job."""

    def __init__(self):
        job = yaml.safe_load((FARMS / "kubernetes/job.yaml").read_text())["spec"]
        pod = job["template"]["spec"]
        [container] = pod["containers"]
        self.size = job["completions"]
        self.limit = job["backoffLimitPerIndex"]
        self.rules = job["podFailurePolicy"]["rules"]
        self.user = (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"])
        self.command = container["command"]
        assert container["securityContext"]["readOnlyRootFilesystem"] and pod["restartPolicy"] == "Never"
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/shared"]
        self.index_name = "JOB_COMPLETION_INDEX"

    def expanded(self, index):
        """The command, with $(NAME) filled in as a kubelet does: names that it does not know stay as they are."""
        given = {self.index_name: str(index)}
        known = lambda match: "$" if match[0] == "$$" else given.get(match[1], match[0])
        return [re.sub(r"\$\$|\$\(([^)]*)\)", known, word) for word in self.command]

    def again(self, failures, status, is_disrupted):
        """Whether there is another try, and how many failures count by now."""
        for rule in self.rules:
            if is_disrupted and any(found["type"] == "DisruptionTarget" for found in rule.get("onPodConditions", [])):
                return rule["action"] == "Ignore", failures
            if status in rule.get("onExitCodes", {}).get("values", []):
                return rule["action"] != "FailIndex", failures + 1
        return failures + 1 <= self.limit, failures + 1


class AwsBatch:
    """The rules of a job definition."""

    def __init__(self):
        definition = json.loads((FARMS / "aws-batch/job-definition.json").read_text())
        job = json.loads((FARMS / "aws-batch/job.json").read_text())
        container = definition["containerProperties"]
        self.size = job["arrayProperties"]["size"]
        self.strategy = definition["retryStrategy"]
        self.user = container["user"].split(":")
        self.command = container["command"]
        self.parameters = {**definition["parameters"], **job["parameters"]}
        assert container["readonlyRootFilesystem"]
        assert [mount["containerPath"] for mount in container["mountPoints"]] == ["/shared"]
        self.index_name = "AWS_BATCH_JOB_ARRAY_INDEX"

    def expanded(self, _index):
        return [self.parameters[word[5:]] if word.startswith("Ref::") else word for word in self.command]

    def again(self, failures, status, is_disrupted):
        reason = "Host EC2 (instance i-00000000) terminated." if is_disrupted else "Essential container in task exited"
        for rule in self.strategy["evaluateOnExit"]:
            by_code = fnmatch.fnmatchcase(str(status), rule.get("onExitCode", "*"))
            if by_code and fnmatch.fnmatchcase(reason, rule.get("onStatusReason", "*")):
                return rule["action"] == "RETRY" and failures + 1 < self.strategy["attempts"], failures + 1
        return failures + 1 < self.strategy["attempts"], failures + 1


def begin(farm, index, root, shared):
    given = f"PATH=/usr/local/bin:/usr/bin:/bin {farm.index_name}={index} IMPASTO_ISA={os.environ['IMPASTO_ISA']}"
    user, group = farm.user
    variables = {"ROOT": root, "SHARED": shared, "GIVEN": given, "USER_NUMBER": str(user), "GROUP_NUMBER": str(group)}
    command = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "bash", "-c", CONTAINER, "container"]
    return subprocess.Popen(command + farm.expanded(index), env={**os.environ, **variables})


def stop(container):
    """SIGTERM to the container's first process, as `docker stop` does."""
    [first] = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)


def status_of(code):
    return 128 - code if code < 0 else code


def is_painting(shared, index):
    """Whether the task of an index has come to its evaluations."""
    return any(run.is_dir() for run in Path(shared, "batch/running").glob(f"{index + 1:06}*"))


def main():
    name, root, shared = sys.argv[1:]
    farm = {"kubernetes": Kubernetes, "aws-batch": AwsBatch}[name]()
    waiting, running, tries, failures, failed = list(range(farm.size + 1)), {}, {}, {}, {}
    kill, stopped = 4, 7
    begun = {}
    while waiting or running:
        while waiting and len(running) < 2:
            index = waiting.pop(0)
            running[index] = begin(farm, index, root, shared)
            tries[index] = tries.get(index, 0) + 1
            begun[index] = time.monotonic()
        for index, container in list(running.items()):
            # In the middle of a task: half a second after its run has begun.
            is_first = tries[index] == 1 and time.monotonic() - begun[index] > 0.5 and is_painting(shared, index)
            lost = False
            if index == kill and is_first:
                container.kill()
                lost, kill = True, None
            elif index == stopped and is_first:
                stop(container)
                stopped = None
            code = container.wait() if lost else container.poll()
            if code is None:
                continue
            del running[index]
            status = status_of(code)
            if status:
                more, failures[index] = farm.again(failures.get(index, 0), status, lost)
                what = "lost with its node" if lost else f"exit status {status}"
                print(f"{name}: index {index}: {what}; {'again' if more else 'not again'}")
                if more:
                    waiting.insert(0, index)
                else:
                    failed[index] = status
        time.sleep(0.05)
    assert kill is None and stopped is None, "no task was caught in its middle"
    assert failed == {farm.size: 2} and tries[farm.size] == 1, (failed, tries)
    assert sum(tries.values()) == farm.size + 3, tries


main()
