# Ray: a head and two nodes, of which one is killed; then a head that is lost with its queue.

try_ray() {
    if ! python_with ray ray; then
        echo "skipped: Ray could not be installed here"
        return
    fi
    export RAY_USAGE_STATS_ENABLED=0
    # A token of its own: Ray's commands do not agree whether one that a user has in ~/.ray counts.
    export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
    RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
    start_cluster
    fresh ray
    RAY_ADDRESS=127.0.0.1:6399 nice -n 5 "$installed/ray/bin/python" "$repository/farms/ray/paint.py" ray --threads 1 >ray.out 2>&1 &
    local farm=$!
    wait_for_done ray 3
    cut_power $second
    echo "killed one of two nodes after $(done_in ray) pictures"
    wait $farm || { tail -n 30 ray.out; return 1; }
    grep 'pictures are done' ray.out
    expect_all_done ray

    fresh ray-head
    RAY_ADDRESS=127.0.0.1:6399 nice -n 5 "$installed/ray/bin/python" "$repository/farms/ray/paint.py" ray-head --threads 1 >head.out 2>&1 &
    farm=$!
    wait_for_done ray-head 2
    cut_power $head
    echo "killed the head after $(done_in ray-head) pictures"
    cut_power $first
    kill $farm 2>/dev/null || true
    wait $farm && return 1
    start_cluster
    RAY_ADDRESS=127.0.0.1:6399 "$installed/ray/bin/python" "$repository/farms/ray/paint.py" ray-head --threads 1 >again.out 2>&1
    grep 'pictures are done' again.out
    expect_all_done ray-head
    end_machines
}

# Sets `head`, `first` and `second`.
start_cluster() {
    local ray=$installed/ray/bin/ray
    local node=("$ray" start --block --disable-usage-stats --object-store-memory=80000000 --memory=1000000000)
    machine head "${node[@]}" --head --port=6399 --num-cpus=0 --include-dashboard=false --node-ip-address=127.0.0.1 \
        --temp-dir="$work/r" >head.log 2>&1
    head=$!
    wait_until 60 "Ray's head" "$ray" status --address=127.0.0.1:6399
    machine n1 "${node[@]}" --address=127.0.0.1:6399 --num-cpus=1 --node-ip-address=127.0.0.2 >first.log 2>&1
    first=$!
    machine n2 "${node[@]}" --address=127.0.0.1:6399 --num-cpus=1 --node-ip-address=127.0.0.3 >second.log 2>&1
    second=$!
}
