# Slurm: a controller and two nodes. A node is killed; tasks are preempted; a task's time is over; a task fails for good.

try_slurm() {
    if ! command_of slurmctld slurmctld slurmd slurm-client munge || ! command_of munged munge; then
        echo "skipped: Slurm could not be installed here"
        return
    fi
    PATH=$PATH:/usr/sbin
    start_slurm
    lose_a_node
    preempt
    run_out_of_time
    fail_for_good
    end_machines
}

start_slurm() {
    mkdir -p site/{state,n1,n2,munge}
    head -c 1024 /dev/urandom >site/munge/key
    chmod 400 site/munge/key
    chmod 711 "$work" site site/munge
    machine controller munged --foreground --force --key-file="$work/site/munge/key" --socket="$work/site/munge/socket" \
        --pid-file="$work/site/munge/pid" --log-file="$work/site/munge/log" --seed-file="$work/site/munge/seed" >munged.log 2>&1
    export SLURM_CONF=$work/site/slurm.conf
    touch site/cgroup.conf
    cat >"$SLURM_CONF" <<END
ClusterName=farm
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=17001
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/site/munge/socket,cred_expire=20
CredType=cred/munge
StateSaveLocation=$work/site/state
SlurmdSpoolDir=$work/site/%n
SlurmctldPidFile=$work/site/slurmctld.pid
SlurmdPidFile=$work/site/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdTimeout=10
KillWait=20
ReturnToService=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeAddr=127.0.0.1 Port=17011 CPUs=1 RealMemory=2000
NodeName=n2 NodeAddr=127.0.0.1 Port=17012 CPUs=1 RealMemory=2000
PartitionName=low Nodes=n1,n2 Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=high Nodes=n1,n2 PriorityTier=10 MaxTime=INFINITE State=UP
END
    wait_until 20 "munge's socket" test -S site/munge/socket
    nice -n 5 slurmctld -D >slurmctld.log 2>&1 &
    start_node n1
    start_node n2
    wait_until 60 "two idle nodes" bash -c '[[ $(sinfo --noheader --Node --partition=low --states=idle | wc -l) = 2 ]]'
}

# NAME: starts it; its process's number is in `node`.
start_node() {
    machine "$1" slurmd -D -N "$1" >"$1.log" 2>&1
    node=$!
}

# BATCH ARRAY OPTION...: submits the recipe; prints the job's number.
submit() {
    local batch=$1 array=$2
    shift 2
    sbatch --parsable --array="$array" --cpus-per-task=1 --mem=500M --time=5 --output="$work/$batch-%a.out" "$@" \
        "$repository/farms/slurm/impasto.sbatch" "$work/$batch"
}

# JOB SECONDS: waits until nothing of it is left in the queue.
wait_for_job() {
    wait_until "$2" "the end of job $1" bash -c "[[ -z \$(squeue --noheader --jobs=$1 2>/dev/null) ]]"
}

lose_a_node() {
    fresh slurm
    local job
    job=$(submit slurm 1-12%2)
    wait_for_done slurm 3
    cut_power $node
    echo "killed one of two nodes after $(done_in slurm) pictures"
    wait_for_job "$job" 400
    expect_all_done slurm
    start_node n2
    wait_until 60 "two idle nodes" bash -c '[[ $(sinfo --noheader --Node --partition=low --states=idle | wc -l) = 2 ]]'
}

preempt() {
    fresh slurm-preempted
    local job other
    job=$(submit slurm-preempted 1-12)
    wait_for_done slurm-preempted 3
    other=$(sbatch --parsable --partition=high --array=1-2 --cpus-per-task=1 --mem=500M --output=/dev/null --wrap='sleep 10')
    wait_for_job "$other" 120
    echo "two preempted after $(done_in slurm-preempted) pictures: $(impasto batch status slurm-preempted --json | tail -n 1)"
    wait_for_job "$job" 400
    expect_all_done slurm-preempted
}

# A task longer than its time, which is told 50 s before the minute is over, in a batch of its own.
run_out_of_time() {
    impasto batch plan images/chelsea.png --styles images/waves.jpg --out long --size 48 --iterations 6000 --levels 1 \
        --style-layers conv1_1,conv2_1 --content-layers conv2_1 --portable --device cpu --precision f32 >/dev/null
    cp -r long long-plain
    local job
    job=$(submit long 1 --time=1 --signal=TERM@50)
    nice -n 5 impasto batch run long-plain --device cpu --threads 1 --quiet
    wait_for_job "$job" 500
    local stops
    stops=$(grep -c 'impasto: stopped' long-1.out || true)
    echo "out of time: stopped and queued again $stops times"
    ((stops > 0))
    cmp long/pictures/chelsea-waves.png long-plain/pictures/chelsea-waves.png
    expect "entries in running/" 0 "$(find long/running -mindepth 1 | wc -l)"
}

# There is no task 13: exit status 2, once.
fail_for_good() {
    local job
    job=$(submit slurm 13)
    wait_for_job "$job" 60
    expect "tries of what cannot be" 1 "$(grep -c 'the batch has tasks 1 to 12' slurm-13.out)"
    echo "exit status 2 was not tried again"
}
