#!/usr/bin/env bash
# A sweep on Slurm: starts Ray on the job's nodes, runs the sweep's command on the first one, and ends Ray.
#
#     sbatch docs/cluster/slurm.sh sweeps/digits_grid.py --storage file:///nfs/you/results    # from the project's folder
#
# All that follows slurm.sh is the sweep's; --address is added to it. The project, with its .venv (make install), lies in
# a folder that all nodes see, and so does the storage, as file://; or that is s3://. Two minutes before the time limit
# the sweep is stopped as by Ctrl-C: nothing is lost, and the same sbatch goes on.
#
# Why not `ray symmetric-run`: it refuses a node on which another Ray runs, and ends with `ray stop`, which on a shared
# node ends the Ray of your other jobs.

#SBATCH --job-name=kd-trainable
#SBATCH --nodes=2              # CHANGE: how many nodes
#SBATCH --ntasks-per-node=1    # one Ray a node
#SBATCH --cpus-per-task=8      # CHANGE: CPUs of each node
#SBATCH --gpus-per-node=1      # CHANGE: GPUs of each node; take the line out where there are none
#SBATCH --mem=32G              # CHANGE: memory of each node
#SBATCH --time=12:00:00        # CHANGE: the time limit
#SBATCH --signal=B:INT@120     # to this script alone, two minutes before the limit

set -euo pipefail
fail() { echo "slurm.sh: error: $1" >&2; exit 2; }
[ -n "${SLURM_JOB_ID:-}" ] || fail "it is a job: sbatch docs/cluster/slurm.sh sweeps/digits_grid.py ..."
[ $# -gt 0 ] || fail "no sweep is named, as in: sbatch docs/cluster/slurm.sh sweeps/digits_grid.py ..."
cd "$SLURM_SUBMIT_DIR"
export PATH="$PWD/.venv/bin:$PATH"
[ -f "$1" ] || fail "no file $1 in $PWD; submit from the project's folder"
command -v ray > /dev/null || fail "no ray in $PWD/.venv/bin; make install"

# Ray's token: whoever has none is refused, other users of the nodes too. It lies in the home that the nodes share.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$HOME/.ray/kd-trainable-token"
if [ ! -s "$RAY_AUTH_TOKEN_PATH" ]; then
    new="$RAY_AUTH_TOKEN_PATH.$SLURM_JOB_ID"
    mkdir -p "$HOME/.ray"
    (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$new")
    ln "$new" "$RAY_AUTH_TOKEN_PATH" 2> /dev/null || true # another job may have been first: then its token holds
    rm "$new"
fi
export RAY_USAGE_STATS_ENABLED=0 RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0 # at the end there is nothing to wait for

# Two ports by the job's number, so that jobs on one node do not meet; for all others Ray finds free ones itself.
# Below 32768, where those begin that Linux hands out.
port=$((20000 + SLURM_JOB_ID % 6000 * 2))
scratch=/tmp/ray-$SLURM_JOB_ID # short: Ray's sockets lie in it, and the path of one has 107 characters
log=ray-$SLURM_JOB_ID.log
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
# this script runs on the first of them
own=$(hostname --ip-address | tr ' ' '\n' | grep --max-count=1 -v -e '^127\.' -e :) \
    || fail "${nodes[0]} knows no address of its own: hostname --ip-address"
address=$own:$port
cpus=${SLURM_CPUS_PER_TASK:-1}
# the object store takes what Ray would give it of a machine of its own: 30 % of the job's memory, not of the node's
store=$((${SLURM_MEM_PER_NODE:-8192} * 1024 * 1024 * 3 / 10))
ray=(ray start --block --num-cpus="$cpus" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" --object-store-memory="$store"
    --temp-dir="$scratch" --log-style=record --log-color=false)

steps=()
: > "$log"
on() { # NODE COMMAND...; srun no longer takes --cpus-per-task over from sbatch, and would give Ray one CPU (22.05)
    srun --overlap --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$1" "${@:2}" >> "$log" 2>&1 &
    steps+=($!)
}
# shellcheck disable=SC2317  # the trap calls it
end() {
    trap '' INT TERM
    for _ in {1..60}; do # a Ray that is ended while it starts leaves processes behind
        [ "$(grep -c 'Ray runtime started' "$log")" -lt "${#steps[@]}" ] || break
        kill -0 "${steps[@]}" 2> /dev/null || break # all have ended
        sleep 1
    done
    for step in "${steps[@]}"; do kill -TERM "$step" 2> /dev/null || true; done
    for step in "${steps[@]}"; do wait "$step" || true; done
    srun --overlap --nodes="${#nodes[@]}" --ntasks="${#nodes[@]}" --ntasks-per-node=1 rm -rf "$scratch" || true
}
sweep=
trap end EXIT
trap '[ -n "$sweep" ] && kill -INT "$sweep" || exit 130' INT TERM # the sweep says how to go on, and its end is ours

echo "slurm.sh: Ray on ${nodes[*]}; head at $address; what it says: $PWD/$log"
on "${nodes[0]}" "${ray[@]}" --head --node-ip-address="$own" --port="$port" --ray-client-server-port=$((port + 1)) \
    --include-dashboard=false
until ray status --address="$address" > /dev/null 2>&1; do
    kill -0 "${steps[0]}" 2> /dev/null || fail "Ray's head has ended: $PWD/$log"
    sleep 1
done
for node in "${nodes[@]:1}"; do on "$node" "${ray[@]}" --address="$address"; done # they may join while the sweep runs

set -m # else bash would have the sweep ignore the interrupt
python "$@" --address "$address" < /dev/null &
sweep=$!
set +m
status=0
wait "$sweep" || status=$?
while kill -0 "$sweep" 2> /dev/null; do # a signal to this script ends the wait, not the sweep
    status=0
    wait "$sweep" || status=$?
done
exit "$status"
