#!/usr/bin/env python3
"""Holds the files of farms/ to the schemas of those who read them; exit status 1 where one does not.

    pip install openjd-model kubernetes-validate botocore pyyaml
    scripts/farms/check_files.py

OpenJD's own model reads the template, Kubernetes' published schemas its files (strictly: no field that they do not know), and botocore's model of
RegisterJobDefinition and SubmitJob those of AWS Batch. Scripts are parsed. No program is run and nothing is sent.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import botocore.session
import botocore.validate
import kubernetes_validate
import openjd.model
import yaml

FARMS = Path(__file__).resolve().parents[2] / "farms"


def check_openjd(path):
    template = openjd.model.decode_job_template(template=yaml.safe_load(path.read_text()))
    # With a parameter of every kind that a user gives: the range is read only then.
    given = {"Batch": "/shared/batch", "Tasks": "1-12", "Threads": "1"}
    here = {"job_template_dir": path.parent, "current_working_dir": Path("/")}
    values = openjd.model.preprocess_job_parameters(job_template=template, job_parameter_values=given, environment_templates=None, **here)
    job = openjd.model.create_job(job_template=template, job_parameter_values=values)
    tasks = openjd.model.StepParameterSpaceIterator(space=job.steps[0].parameterSpace)
    numbers = [task["Task"].value for task in tasks]
    assert numbers == [str(number) for number in range(1, 13)], numbers


def check_kubernetes(path):
    version = kubernetes_validate.latest_version()
    for document in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(document, version, strict=True)
        if document["kind"] == "Job":
            check_job(document["spec"])


def check_job(job):
    """What the schema does not say and a cluster demands of these fields."""
    pod = job["template"]["spec"]
    assert job["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never", "backoffLimitPerIndex and podFailurePolicy need both"
    assert job["parallelism"] <= 100_000, "the most for an Indexed job"
    names = {container["name"] for container in pod["containers"]}
    for rule in job["podFailurePolicy"]["rules"]:
        assert rule["action"] in ("FailIndex", "Ignore", "Count", "FailJob"), rule
        assert ("onExitCodes" in rule) != ("onPodConditions" in rule), rule
        assert rule.get("onExitCodes", {}).get("containerName") in names | {None}, rule
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} <= volumes


def check_aws(path, operation):
    model = botocore.session.Session().get_service_model("batch").operation_model(operation)
    value = json.loads(path.read_text())
    report = botocore.validate.ParamValidator().validate(value, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    complaints = list(unknown(value, model.input_shape, path.name))
    assert not complaints, complaints


def unknown(value, shape, where):
    """Fields that a shape has not and values that an enumeration has not, which botocore lets pass."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name in shape.members:
                yield from unknown(inner, shape.members[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is unknown"
    elif shape.type_name == "list":
        for inner in value:
            yield from unknown(inner, shape.member, where)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{where}: {value} is none of {shape.enum}"


def check_shell(path):
    subprocess.run(["bash", "-n", path], check=True)


def check_python(path):
    ast.parse(path.read_text())


CHECKS = {
    "aws-batch/job-definition.json": lambda path: check_aws(path, "RegisterJobDefinition"),
    "aws-batch/job.json": lambda path: check_aws(path, "SubmitJob"),
    "kubernetes/job.yaml": check_kubernetes,
    "kubernetes/volume.yaml": check_kubernetes,
    "openjd/template.yaml": check_openjd,
    "parallel/paint.sh": check_shell,
    "ray/paint.py": check_python,
    "slurm/impasto.sbatch": check_shell,
}

# Read by docker alone, which has no schema.
UNCHECKED = {"Containerfile", "Containerfile.dockerignore"}


def main():
    failed = 0
    found = {str(path.relative_to(FARMS)) for path in FARMS.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    for name in sorted(found ^ (set(CHECKS) | UNCHECKED)):
        print(f"farms/{name}: is not there, or nothing checks it")
        failed += 1
    for name, check in CHECKS.items():
        try:
            check(FARMS / name)
            print(f"farms/{name}: well")
        except Exception as error:  # Whatever a checker raises is what is wrong.
            sentence = " ".join(str(error).splitlines()[:3])
            print(f"farms/{name}: {type(error).__name__}: {sentence}")
            failed += 1
    return 1 if failed else 0


sys.exit(main())
