# Sourced by every template, on the node, in the project's folder. The template's words are those of
# make at the front door, or `--batch FOLDER`: what bin/submit.py left there for this task.
set -uo pipefail
[ -f slurm/job.sh ] || { echo "error: $PWD: submit from the project's folder" >&2; exit 2; }
export HYDRA_LAUNCHER=fork HYDRA_RMK=user # MPICH of the environment: ranks on this node, without srun
scratch=${TMPDIR:-/tmp}/dpchannel-$SLURM_JOB_ID
trap 'rm -rf "$scratch"' EXIT
batch='' words=("$@") targets=() container=() restarts=20
made='' out_of_time=''
trap 'out_of_time=yes; [ -z "$made" ] || kill -INT -- "-$made"' USR1

# start NAME COMMAND ...: put a program of that name first on PATH, which runs the command
start() {
    mkdir -p "$scratch/bin"
    printf '#!/bin/bash\nexec %s "$@"\n' "${*:2}" >"$scratch/bin/$1"
    chmod +x "$scratch/bin/$1"
    case $PATH in "$scratch/bin":*) ;; *) PATH=$scratch/bin:$PATH ;; esac
}

# under_mpi FILE: the program that inputs/FILE names, on all ranks of the job, unless the site's
# binaries or the file itself say how it is started
under_mpi() {
    local found
    set -- "$(sed -n 's/^command = \["\([^"]*\)".*/\1/p' "inputs/$1" | head -n 1)"
    case $1 in
        mpirun | mpiexec | srun) return 0 ;;
        */*) [ "$SLURM_NTASKS" = 1 ] && return 0
            echo "error: $1: a path has one rank; put its folder on PATH, or use binaries" >&2
            exit 2 ;;
    esac
    [ "$SLURM_NTASKS" -gt 1 ] && [ ! -e "$scratch/bin/$1" ] || return 0
    found=$(command -v "$1") || { echo "error: $1: not on PATH of $HOSTNAME" >&2; exit 4; }
    start "$1" srun --ntasks="$SLURM_NTASKS" --cpus-per-task="$SLURM_CPUS_PER_TASK" "$found"
}

if [ "${1-}" = --batch ]; then
    batch=$2
    set +u # what others wrote may read what is not set
    source "$batch/site.sh" || exit 2 # modules, binaries, container, restarts
    set -u
    mapfile -t words <"$batch/words"
    IFS=$'\t' read -ra targets < <(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$batch/tasks.tsv")
    # a request that SLURM took after it was given up, and made anew, is one array too many
    ( set -C; echo "$SLURM_ARRAY_JOB_ID" >"$batch/taken" ) 2>/dev/null
    if [ "$(<"$batch/taken")" != "$SLURM_ARRAY_JOB_ID" ]; then
        echo "array $SLURM_ARRAY_JOB_ID: $batch belongs to $(<"$batch/taken"); nothing done"
        exit 0
    fi
    if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then # what was finished before stays, even with FORCE=1
        left=()
        for target in "${targets[@]}"; do
            [ "$target" -nt "$batch/tasks.tsv" ] || left+=("$target")
        done
        targets=("${left[@]}")
        words=("${words[@]/#RETRY=*/RETRY=}") # refused labels were forgotten at the first start
        [ ${#left[@]} -gt 0 ] || exit 0
        echo "start $((SLURM_RESTART_COUNT + 1)): going on from what is there"
    fi
fi

# Make what is missing, with the processes in a group of their own that a Ctrl-C reaches. Every
# engine of the project keeps what it has when it is interrupted. Then queue again.
make_here() {
    local code
    set -m
    "${container[@]}" make --keep-going --no-print-directory "${words[@]}" \
        RUNNER=local CORES="$cores" "${targets[@]}" &
    made=$!
    set +m
    [ -z "$out_of_time" ] || kill -INT -- "-$made"
    while kill -0 "$made" 2>/dev/null; do wait "$made"; done # a signal ends a wait early
    wait "$made"
    code=$?
    if [ -z "$out_of_time" ] || [ "$code" = 0 ]; then
        exit "$code"
    elif [ "${SLURM_RESTART_COUNT:-0}" -ge "$restarts" ]; then
        echo "error: out of time after $restarts restarts; raise time_h in slurm/profiles.toml" >&2
        exit "$code"
    fi
    echo "time is up: queued again"
    for _ in 1 2 3 4 5 6 7 8; do # the controller may be busy
        scontrol requeue "$SLURM_JOB_ID" && exit 0
        sleep 5
    done
    exit "$code"
}
