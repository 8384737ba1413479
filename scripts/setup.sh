#!/bin/sh
# Makes everything that a make target needs, and nothing twice:
#
#   scripts/setup.sh venv     .venv with a working .venv/bin/goinst
#   scripts/setup.sh demo     the same, and a Go toolchain
#   scripts/setup.sh lint     the same as venv, and the development tools
#   scripts/setup.sh test     lint + demo, a Go that can fetch other Go releases, gcc with sys/sdt.h, strip and wrk
#   scripts/setup.sh bench    the same as demo, and wrk
#
# Packages are installed by apt only where something is missing; that is the only thing done as root (by sudo).
# What was set up is written to .venv/.setup-*; it is done again when pyproject.toml, this script, the
# folder's path or the system's Python change.
set -eu

cd "$(dirname "$0")/.."
goal=${1:-venv}
python=/usr/bin/python3 # not the first python3 on PATH: only the system's own sees the system's bcc module
minimum_go=18           # demo: Go 1.18
fetching_go=21          # tests: Go 1.21 is the first that fetches other releases by itself
fetched_go=1.26.8

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    printf 'setup: error: %s\n' "$*" >&2
    exit 1
}

case $goal in
venv | lint | demo | test | bench) ;;
*) fail "no such goal: $goal (venv, lint, demo, test or bench)" ;;
esac
case $goal in
lint | test) extra='[dev]' stamp=.venv/.setup-dev ;;
*) extra='' stamp=.venv/.setup-run ;;
esac

# Two make runs at once: the second waits for the first.
exec 9<.
if command -v flock >/dev/null; then flock 9; fi

# ---- packages of the system

missing=''
want() { missing="$missing $1"; }

# go_minor: prints N for Go 1.N on PATH; nothing without Go.
go_minor() {
    GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p'
}

[ -x $python ] || want python3
[ -x $python ] && $python -c 'import ensurepip; ensurepip.version' 2>/dev/null || want python3-venv
[ -x $python ] && $python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("bcc"))' ||
    want python3-bpfcc
case $goal in
demo | test | bench)
    PATH="$PWD/build/go/bin:$PATH"
    command -v go >/dev/null || want golang-go
    ;;
esac
case $goal in
test | bench) command -v wrk >/dev/null || want wrk ;;
esac
if [ "$goal" = test ]; then # strip(1), and programs with C
    command -v strip >/dev/null || want binutils
    command -v tmux >/dev/null || want tmux # the live view on a terminal
    # the report in a browser; 60 MB, and Debian's only: Ubuntu has no package of it, and there that test is skipped
    if grep -qs '^ID=debian' /etc/os-release; then
        command -v chromium >/dev/null || command -v chromium-headless-shell >/dev/null || want chromium-headless-shell
    fi
    command -v redis-server >/dev/null || want redis-server # a program without Go, for the cookbook
    command -v dwz >/dev/null || want dwz # DWARF that files share
    command -v gcc >/dev/null || want 'gcc libc6-dev'
    command -v g++ >/dev/null || want g++
    ls /usr/include/sys/sdt.h /usr/include/*/sys/sdt.h >/dev/null 2>&1 || want systemtap-sdt-dev # USDT probes in C
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

if [ -n "$missing" ]; then
    command -v apt-get >/dev/null ||
        fail "needs these packages (Debian's names):$missing; there is no apt-get here, so install them and run this again"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        fail "needs to install$missing, but this is not root and there is no sudo; as root: apt-get install$missing"
    say "installing$missing by apt"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
        fail "apt-get update failed (its words are above); mend that, or install$missing by hand, and run this again"
    # shellcheck disable=SC2086 # one word per package
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends $missing >&2 ||
        fail "apt-get install$missing failed (its words are above)"
fi

# ---- Python

version=$($python -c 'import sys; print(*sys.version_info[:3], sep=".")')
$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is Python $version; goinst needs 3.11 or later (Debian 12, Ubuntu 24.04 and later have it)"

inputs="$(cat pyproject.toml scripts/setup.sh | cksum) $version $PWD"
place=".venv/.setup-place" # the environment itself; it cannot be moved

if ! { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$inputs" ] && [ -x .venv/bin/goinst ]; }; then
    if ! { [ -f $place ] && [ "$(cat $place)" = "$version $PWD" ] && [ -x .venv/bin/python ]; }; then
        say "making .venv with $python ($version)"
        rm -rf .venv
        $python -m venv --clear --system-site-packages .venv ||
            fail "$python -m venv failed (its words are above)"
        printf '%s' "$version $PWD" >$place
    fi
    say "installing goinst$extra and what it needs from the Python package index (first time: about a minute)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$extra" >&2 ||
        fail "pip could not install goinst (its words are above); is the Python package index reachable?"
    # Made here, by the user: otherwise the first run as root leaves folders that only root can remove.
    .venv/bin/python -m compileall -q core plugins bpf
    .venv/bin/goinst --help >/dev/null ||
        fail ".venv/bin/goinst does not start (its words are above)"
    printf '%s' "$inputs" >"$stamp"
    if [ "$stamp" = .venv/.setup-dev ]; then printf '%s' "$inputs" >.venv/.setup-run; fi
    say ".venv/bin/goinst is ready"
fi

# ---- Go

case $goal in
demo | bench)
    minor=$(go_minor)
    [ "${minor:-0}" -ge $minimum_go ] ||
        fail "the go command on PATH is Go 1.${minor:-?}; the bundled server needs 1.$minimum_go: install a newer Go (https://go.dev/dl)"
    ;;
test)
    minor=$(go_minor)
    if [ "${minor:-0}" -lt $fetching_go ]; then
        say "the go command is Go 1.${minor:-?}: fetching Go $fetched_go through the Go module proxy"
        case $(uname -m) in
        x86_64) arch=amd64 ;;
        aarch64) arch=arm64 ;;
        *) fail "no Go toolchain for $(uname -m); goinst knows amd64 and arm64" ;;
        esac
        mkdir -p build
        work=$(mktemp -d)
        printf 'module fetch\n' >"$work/go.mod"
        root=$(cd "$work" &&
            GOFLAGS=-modcacherw go mod download -json "golang.org/toolchain@v0.0.1-go$fetched_go.linux-$arch" |
            sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
        rm -rf "$work"
        [ -n "$root" ] || fail "could not fetch Go $fetched_go; install Go 1.$fetching_go or later (https://go.dev/dl)"
        # The module cache keeps no execute permission.
        chmod -R u+w "$root"
        chmod +x "$root"/bin/* "$root"/pkg/tool/linux_$arch/*
        ln -sfn "$root" build/go
        say "Go $fetched_go is in build/go"
    fi
    ;;
esac
