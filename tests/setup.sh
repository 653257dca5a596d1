# Sourced by tests/run, tests/conformance/run and tests/interop/run: where things are, and how they get there.
# Everything lands in cargo's target directory; the source tree stays as it was cloned.
# A suite that lacks a tool calls `skip`, which ends its shell with status 77.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
skipped=77

skip() { # SUITE WHY
    echo "skipped: $1 ($2)"
    exit $skipped
}

has() { command -v "$1" >/dev/null 2>&1; }

# Only a root shell on Debian installs system packages, and only when a command is missing.
apt_install() {
    has apt-get && [ "$(id -u)" = 0 ] || return 1
    echo "installing $*"
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

# Cargo's own answer covers CARGO_TARGET_DIR, config files and the default alike.
target_dir() {
    cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# A python with the pinned packages; prints nothing when it is already there.
python_env() { # SUITE
    local wanted="$root/tests/requirements.txt"
    venv="$target/venv"
    cmp -s "$wanted" "$venv/installed.txt" && return
    has python3 || apt_install python3 python3-venv || skip "$1" "no python3"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "$1" "python3 is older than 3.10"
    # Debian ships the module without ensurepip, which only shows when a venv is made.
    rm -rf "$venv"
    python3 -m venv "$venv" >/dev/null 2>&1 ||
        { apt_install python3-venv && rm -rf "$venv" && python3 -m venv "$venv" >/dev/null; } ||
        skip "$1" "python3 cannot make a venv: install python3-venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$wanted" ||
        skip "$1" "pip could not install $(tr '\n' ' ' <"$wanted")"
    cp "$wanted" "$venv/installed.txt"
}

# The node programs run from a copy beside their modules, because node looks for `ws` upwards from the file.
node_env() { # SUITE
    local source="$root/tests/interop"
    node="$target/node"
    has node && has npm || apt_install nodejs npm || skip "$1" "no node or no npm"
    mkdir -p "$node"
    cp "$source"/*.mjs "$source/package.json" "$node/"
    cmp -s "$source/package-lock.json" "$node/installed.json" && return
    cp "$source/package-lock.json" "$node/"
    npm ci --prefix "$node" --silent --no-audit --no-fund || skip "$1" "npm could not install ws"
    cp "$source/package-lock.json" "$node/installed.json"
}

# Debian's own, because what browser makers offer for download is no package of a system.
browser_env() { # SUITE
    has chromium || apt_install --no-install-recommends chromium ||
        skip "$1" "no chromium, and no root on Debian to install it"
}

# Builds one example in release mode and leaves its path in $built.
release_example() { # SUITE NAME
    built="$target/release/examples/$2"
    grep -q "^name = \"$2\"" "$root/Cargo.toml" || [ -e "$root/examples/$2.rs" ] || skip "$1" "no example named $2"
    cargo build --quiet --manifest-path "$root/Cargo.toml" --release --all-features --example "$2"
}

target=$(target_dir)
