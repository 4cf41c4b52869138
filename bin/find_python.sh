#!/bin/sh
# Prints the Python that builds .venv: 3.11 to 3.13 with the venv module. A shim that does not run is passed over.
fits='import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if "$python" -c "$fits" >/dev/null 2>&1; then
        echo "$python"
        exit 0
    fi
done
if [ -n "${PYTHON:-}" ]; then
    echo "error: PYTHON=$PYTHON is not a Python 3.11 to 3.13 with venv. Name another, or leave PYTHON out." >&2
else
    echo "error: no Python 3.11 to 3.13 with the venv module found. Install one (Debian: apt-get install python3-venv), or name it: PYTHON=/path/to/python3.12." >&2
fi
exit 4
