#!/usr/bin/env bash
# The recipes of farms/ on this one machine, each with something killed in the middle. Afterwards every picture has the bytes that
# a plain `impasto batch run` gives. docs/records/ has the results.
#
#     scripts/farm_series.sh [FARM...]        openjd parallel ray slurm containers; all of them without a name
#
# with target/release/impasto built (or IMPASTO_PROGRAM), and as root: a machine is a process namespace here, and killing it kills all
# that runs in it at once. What is missing it installs, with pip into target/farms and with apt-get. What it cannot have it says and skips.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

repository=$PWD
program=$(realpath "${IMPASTO_PROGRAM:-target/release/impasto}")
installed=$repository/target/farms
# Names of sockets are short.
work=$(mktemp -d /tmp/farms.XXXX)
source scripts/farms/workshop.sh
trap end_all EXIT

if [[ $(id -u) != 0 ]] || ! unshare --pid --mount --uts --fork --mount-proc --kill-child true; then
    echo "skipped: machines cannot be played here, for that needs root and namespaces"
    exit 0
fi
farms=("$@")
[[ $# -gt 0 ]] || farms=(openjd parallel ray slurm containers)
mkdir -p "$installed" "$work/bin"
cp "$program" "$work/bin/impasto"
export PATH=$work/bin:$PATH
# One recipe's bytes, whatever the machine.
export IMPASTO_ISA=${IMPASTO_ISA:-avx2}
plan_batches
for farm in "${farms[@]}"; do
    source "scripts/farms/$farm.sh"
    printf '\n== %s\n' "$farm"
    cd "$work"
    "try_$farm"
    cd "$repository"
done
printf '\n== the series has passed\n'
