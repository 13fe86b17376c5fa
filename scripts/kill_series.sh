#!/usr/bin/env bash
# Kills runs at random moments until KILLS of them were killed, in slices of 100 with a seed each, and goes on with every one:
# each has to end in the same bytes as the run that was never stopped. The last figures stand in docs/reliability.md, each series in docs/records/.
# Before it, ten thousand disks that fail, tear and lose power under a recorder; the tests try two thousand.
#
#     scripts/kill_series.sh [KILLS] [FIRST_SEED]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

IMPASTO_FAULTY_DISKS=10000 cargo test --quiet -p impasto --test disk -- --exact \
    recorder::whatever_the_disk_does_no_checkpoint_is_ahead_of_the_lines

kills=${1:-1000}
seed=${2:-1}
for ((done = 0; done < kills; done += 100, seed += 1)); do
    IMPASTO_KILLS=$((kills - done < 100 ? kills - done : 100)) IMPASTO_SEED=$seed \
        cargo test --quiet -p impasto-cli --test command -- --nocapture --exact \
        kill::wherever_a_run_is_killed_it_ends_in_the_same_bytes | grep 'same bytes'
done
