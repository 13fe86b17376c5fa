# Kubernetes and AWS Batch: their files against their own schemas, and their commands as a kubelet and AWS Batch run them: an index a
# container, with the user, the read-only root and the limits that the files say, tried again by the files' own rules. There is no
# Docker's image: Debian's essential packages of the same release, and impasto.

try_containers() {
    if ! python_with checks openjd-model kubernetes-validate botocore pyyaml; then
        echo "skipped: the schemas could not be installed here"
        return
    fi
    "$installed/checks/bin/python" "$repository/scripts/farms/check_files.py"
    if ! command_of mmdebstrap mmdebstrap || ! debian_root; then
        echo "skipped: Debian's root could not be made here, so that no container was played"
        return
    fi
    local farm
    for farm in kubernetes aws-batch; do
        mkdir "$farm"
        cp -r images planned "$farm"
        mv "$farm/planned" "$farm/batch"
        chown -R 65532:65532 "$farm"
        nice -n 5 "$installed/checks/bin/python" "$repository/scripts/farms/play_containers.py" "$farm" "$work/root" "$work/$farm"
        expect_all_done "$farm/batch"
    done
}

debian_root() {
    if [[ ! -e $installed/root.tar ]]; then
        timeout 400 nice -n 5 mmdebstrap --variant=essential --quiet bookworm "$work/root.tar" 2>/dev/null && mv "$work/root.tar" "$installed"
    fi
    mkdir root && tar -x -f "$installed/root.tar" -C root && cp "$program" root/usr/local/bin/impasto
}
