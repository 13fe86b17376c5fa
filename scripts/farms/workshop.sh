# What every farm of the series needs: a batch, machines that can be killed, and a look at what came of it. Sourced by farm_series.sh.

# Four photos after three paintings, some two seconds of processor time each; and what a plain run makes of them.
plan_batches() {
    mkdir "$work/images"
    cp "$repository"/assets/{astronaut.png,chelsea.png,coffee.png,rocket.jpg,glass.jpg,waves.jpg,whirls.jpg} "$work/images"
    cd "$work"
    impasto batch plan images/{astronaut.png,chelsea.png,coffee.png,rocket.jpg} --styles images/{glass,waves,whirls}.jpg \
        --out planned --size 48 --levels 1 --iterations "${IMPASTO_FARM_ITERATIONS:-250}" --style-layers conv1_1,conv2_1 \
        --content-layers conv2_1 --portable --device cpu --precision f32 >/dev/null
    cp -r planned plain
    nice -n 5 impasto batch run plain --device cpu --threads 1 --quiet
    cd "$repository"
    echo "a plain run: 12 pictures"
}

# An unpainted batch of a name.
fresh() {
    cp -r "$work/planned" "$work/$1"
}

# What has to be true of a batch that is done, however it was killed.
expect_all_done() {
    local batch=$work/$1 picture
    for picture in "$work"/plain/pictures/*; do
        cmp "$picture" "$batch/pictures/$(basename "$picture")"
    done
    expect "receipts" 12 "$(find "$batch/done" -name '*.json' | wc -l)"
    expect "entries in running/" 0 "$(find "$batch/running" -mindepth 1 | wc -l)"
    expect "failures" 0 "$(find "$batch/failed" -mindepth 1 | wc -l)"
    echo "$1: 12 pictures with the bytes of the plain run, 12 receipts, nothing in running/"
}

# WHAT WANTED FOUND
expect() {
    if [[ $2 != "$3" ]]; then
        echo "$1: $3, and not $2" >&2
        exit 1
    fi
}

done_in() {
    find "$work/$1/done" -name '*.json' | wc -l
}

# BATCH NUMBER: waits until as many tasks are done.
wait_for_done() {
    wait_until 300 "$1 has $2 pictures" enough_done "$1" "$2"
}
enough_done() {
    (($(done_in "$1") >= $2))
}

# SECONDS WHAT COMMAND...: waits until the command succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS > deadline)); then
            echo "waited in vain: $what" >&2
            exit 1
        fi
        sleep 0.2
    done
}

# NAME COMMAND...: a machine that runs the command. Its process, of which `$!` is the number, is all of it: killed, nothing is left.
# It has its own processes, host name and /dev/shm, and this machine's files.
machine() {
    local name=$1
    shift
    printf '127.0.0.1 localhost %s n1 n2\n' "$(hostname -s)" >"$work/hosts"
    unshare --pid --mount --uts --fork --mount-proc --kill-child nice -n 5 bash -c '
        hostname "$0" && mount --bind "$1/hosts" /etc/hosts && mount -t tmpfs tmpfs /dev/shm && shift && "$@" & wait' \
        "$name" "$work" "$@" &
}

# Ends the machine of a process number as a power cut does.
cut_power() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null || true
}

# Ends what of this script's own still runs.
end_machines() {
    local one
    for one in $(jobs -pr); do
        kill -KILL "$one" 2>/dev/null || true
    done
    wait 2>/dev/null
}

end_all() {
    local status=$?
    end_machines 2>/dev/null
    if [[ $status == 0 ]]; then rm -rf "$work"; else echo "failed; what is left lies in $work" >&2; fi
}

# FOLDER PACKAGE...: a Python environment with packages, below target/farms.
python_with() {
    local environment=$installed/$1
    shift
    if [[ ! -e $environment/complete ]]; then
        rm -rf "$environment"
        python3 -m venv "$environment" && timeout 300 "$environment/bin/pip" install --quiet --no-compile "$@" && touch "$environment/complete"
    fi
}

# COMMAND PACKAGE...: a program, of Debian's packages where it is not here.
command_of() {
    local command=$1
    shift
    PATH=$PATH:/usr/sbin command -v "$command" >/dev/null && return
    export DEBIAN_FRONTEND=noninteractive
    (apt-get update -qq && timeout 300 apt-get install -y -qq --no-install-recommends "$@") >/dev/null 2>&1
}
