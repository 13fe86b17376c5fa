#!/bin/bash
# A batch of impasto by GNU parallel, over ssh.
#
#     farms/parallel/paint.sh BATCH MACHINES
#
# MACHINES is a file with a machine a line, as ssh names it, with how many pictures it paints at once: 4/anna.example.org
# BATCH has the same path on all of them, in a folder that they share. See docs/farms.md.
set -euo pipefail
batch=$(realpath "${1:?paint.sh BATCH MACHINES}")

# A task that fails is tried on another machine. When parallel is stopped, tasks have a minute to write their checkpoints.
cut -d'"' -f5 "$batch/tasks.jsonl" | tr -d :, |
    parallel --quote --sshloginfile "${2:?paint.sh BATCH MACHINES}" --retries 3 --joblog "$batch/parallel.log" \
        --termseq TERM,60000,KILL,100 --env IMPASTO_ISA \
        impasto batch run "$batch" --index {} --device cpu --threads "${THREADS:-2}" --quiet
