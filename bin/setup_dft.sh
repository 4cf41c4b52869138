#!/bin/bash
# Installs CP2K and its data files from Debian's or Ubuntu's packages, where there are any, and
# OpenBLAS: with the reference BLAS, which CP2K would bring along, eigenvalues take four times as long.
set -euo pipefail

packages=(cp2k cp2k-data libopenblas0-openmp)
installed() { command -v dpkg >/dev/null && dpkg -s "$1" >/dev/null 2>&1; }
if command -v cp2k >/dev/null && [ -r "${CP2K_DATA_DIR:-/usr/share/cp2k}/BASIS_MOLOPT" ]; then
    # a CP2K of one's own brings its own BLAS
    if ! installed cp2k || installed libopenblas0-openmp; then
        exit 0
    elif [ "$(id -u)" != 0 ]; then
        echo "CP2K is here; faster with OpenBLAS: apt-get install libopenblas0-openmp, as root" >&2
        exit 0
    fi
fi
if ! command -v apt-get >/dev/null; then
    echo "error: no apt-get here. Install CP2K another way, put it on PATH as cp2k, and set program.data_folder in inputs/cp2k.toml." >&2
    exit 4
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: apt-get needs root: run as root: apt-get install ${packages[*]}" >&2; exit 4; }
    as_root=(sudo)
fi
echo "CP2K from the system's packages: about 0.2 GB to download, once" >&2
export DEBIAN_FRONTEND=noninteractive
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >/dev/null; then
    echo "error: apt-get could not install ${packages[*]}. Check the network, then call make again." >&2
    exit 4
fi
