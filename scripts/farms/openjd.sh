# Open Job Description: the template by OpenJD's own checker, and a job by its own runner on two machines, of which one is killed.

try_openjd() {
    if ! python_with openjd openjd-cli; then
        echo "skipped: openjd-cli could not be installed here"
        return
    fi
    local openjd=$installed/openjd/bin/openjd template=$repository/farms/openjd/template.yaml
    "$openjd" check "$template"
    fresh openjd
    local job=("$openjd" run "$template" --step Paint -p "Batch=$work/openjd" -p Threads=1)

    # Both have all tasks: who is killed leaves nothing to do that the other would not do.
    machine one "${job[@]}" -p Tasks=1-12 >one.log 2>&1
    local one=$!
    machine two "${job[@]}" -p Tasks=12-1:-1 >two.log 2>&1
    local two=$!
    wait_for_done openjd 3
    cut_power $one
    echo "killed one of two machines after $(done_in openjd) pictures"
    wait $two
    expect_all_done openjd

    # A runner that is told to stop gives a task its time.
    fresh openjd-stopped
    "$openjd" run "$template" --step Paint -p "Batch=$work/openjd-stopped" -p Threads=1 -p Tasks=1-12 >stopped.log 2>&1 &
    local runner=$!
    wait_for_done openjd-stopped 2
    kill -INT $runner
    wait $runner && return 1
    echo "stopped the runner after $(done_in openjd-stopped) pictures: $(count_states openjd-stopped)"
    "$openjd" run "$template" --step Paint -p "Batch=$work/openjd-stopped" -p Threads=1 -p Tasks=1-12 >again.log 2>&1
    expect_all_done openjd-stopped
}

# The last line of `batch status`.
count_states() {
    impasto batch status "$1" --json | tail -n 1
}
