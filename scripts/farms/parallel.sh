# GNU parallel over ssh: two machines with an sshd and a key of their own, of which one is killed.

try_parallel() {
    if ! command_of parallel parallel || ! command_of sshd openssh-server openssh-client; then
        echo "skipped: GNU parallel and sshd could not be installed here"
        return
    fi
    mkdir -p ssh /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f ssh/host
    ssh-keygen -q -t ed25519 -N '' -f ssh/user
    cp ssh/user.pub ssh/authorized
    cat >ssh/config <<END
Host one two
    HostName 127.0.0.1
    User root
    IdentityFile $work/ssh/user
    IdentitiesOnly yes
    StrictHostKeyChecking accept-new
    UserKnownHostsFile $work/ssh/known
    ServerAliveInterval 5
    LogLevel ERROR
Host one
    Port 2201
Host two
    Port 2202
END
    local two port
    start_sshd one 2201
    start_sshd two 2202
    two=$!
    for port in 2201 2202; do wait_until 20 "sshd on $port" bash -c "</dev/tcp/127.0.0.1/$port"; done
    # With a space in its name.
    local batch='many pictures'
    fresh "$batch"
    printf '1/one\n1/two\n' >hosts.parallel
    export PARALLEL_SSH="ssh -F $work/ssh/config" THREADS=1
    mkdir parallel-home
    PARALLEL_HOME=$work/parallel-home "$repository/farms/parallel/paint.sh" "$batch" hosts.parallel >parallel.out 2>&1 </dev/null &
    local farm=$!
    wait_for_done "$batch" 3
    cut_power $two
    echo "killed one of two machines after $(done_in "$batch") pictures"
    wait $farm || { cat parallel.out; return 1; }
    echo "tries by machine: $(tail -n +2 "$batch/parallel.log" | cut -f2 | sort | uniq -c | xargs)"
    rm "$batch/parallel.log"
    expect_all_done "$batch"
    end_machines
}

# NAME PORT
start_sshd() {
    machine "$1" "$(PATH=$PATH:/usr/sbin command -v sshd)" -D -e -f /dev/null -p "$2" -h "$work/ssh/host" -o ListenAddress=127.0.0.1 \
        -o "AuthorizedKeysFile=$work/ssh/authorized" -o StrictModes=no -o PermitRootLogin=prohibit-password -o UsePAM=no \
        -o PidFile=none -o "SetEnv=PATH=$PATH" 2>"$1-sshd.log"
}
