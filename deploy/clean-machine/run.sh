#!/usr/bin/env bash
# Proves `make test` and `make demo ARGS=--once` on a machine that holds nothing of ours: a fresh
# Debian 12 root with python3, python3-venv, make, git and ca-certificates alone, once as root and
# once as a plain user. Prints a line per combination; exits non-zero if any failed.
#
#   deploy/clean-machine/run.sh [--only setup|test|demo] [--as root|user] [--run COMMAND] [--keep]
#
# Needs root (mounts, chroot) and debootstrap. What the commands read of the machine's own settings
# for apt, pip, npm and certificates is taken over at run time, so that registries are reached the
# same way; none of the machine's programs or packages are. The base is kept in
# ${CLEAN_MACHINE_CACHE:-/var/tmp/hcawatch-clean-machine} for the next run.
set -euo pipefail

cd "$(dirname "$0")/../.."
repository="$PWD"
cache="${CLEAN_MACHINE_CACHE:-/var/tmp/hcawatch-clean-machine}"
commands="test demo"
accounts="root user"
keep=""
other=""
while [ $# -gt 0 ]; do
    case "$1" in
        --only) commands="$2"; shift 2 ;;
        --as) accounts="$2"; shift 2 ;;
        --run) commands="other" other="$2"; shift 2 ;;
        --keep) keep=1; shift ;;
        *) echo "clean-machine: what is $1? The head of this file lists the options." >&2; exit 2 ;;
    esac
done
if [ "$(id -u)" != 0 ]; then
    echo "clean-machine: needs root, since it mounts and changes root" >&2
    exit 2
fi
if ! command -v debootstrap >/dev/null; then
    echo "clean-machine: needs debootstrap (apt-get install debootstrap)" >&2
    exit 2
fi
# Mounts live in a mount namespace of our own: they are gone when we are, even by kill -9. So are
# our processes, in a process namespace of their own.
if [ -z "${CLEAN_MACHINE_INSIDE:-}" ]; then
    args=(--only "$commands" --as "$accounts")
    [ -n "$other" ] && args+=(--run "$other")
    [ -n "$keep" ] && args+=(--keep)
    CLEAN_MACHINE_INSIDE=1 exec unshare --mount --pid --fork --kill-child --propagation private \
        bash "$0" "${args[@]}"
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || { echo "clean-machine: another one is at work in $cache" >&2; exit 2; }

base="$cache/base-bookworm"
root="$cache/root"
log_dir="$cache/logs"
mkdir -p "$log_dir"
cleanup() { [ -n "$keep" ] || rm -rf --one-file-system "$root"; }
trap cleanup EXIT
trap 'exit 130' INT TERM

# The first address of Debian's archive in the machine's own settings; debootstrap's default if none.
archive_address() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        sed -n -E 's/^(deb|URIs:)( \[[^]]*\])? +([a-z]+:[^ ]+).*/\3/p' | grep -m1 '/debian/\?$' || true
}

if [ ! -e "$base/.complete" ]; then
    echo "clean-machine: making the base, once" >&2
    rm -rf --one-file-system "$base"
    address="$(archive_address)"
    debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates \
        bookworm "$base" ${address:+"$address"} >"$log_dir/debootstrap.log" 2>&1 ||
        { tail -n 5 "$log_dir/debootstrap.log" >&2; exit 1; }
    rm -rf "$base"/var/cache/apt/archives/*.deb "$base"/var/lib/apt/lists/*
    touch "$base/.complete"
fi

# Copies a file or folder of the machine to the same place in the new root.
take_over() {
    local path
    for path in "$@"; do
        [ -e "$path" ] || continue
        mkdir -p "$root$(dirname "$path")"
        rm -rf --one-file-system "${root:?}$path"
        cp -aL "$path" "$root$path"
    done
}

# Environment that says how registries are reached: pip's, npm's, certificates, proxies.
registry_environment() {
    env -0 | grep -z -E '^(PIP_|NPM_CONFIG_|npm_config_|SSL_CERT_|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO|[A-Za-z]+_(proxy|PROXY)=)' || true
}

fresh_root() {
    rm -rf --one-file-system "$root"
    cp -a --reflink=auto "$base" "$root"
    take_over /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/auth.conf.d \
        /usr/share/keyrings /etc/apt/trusted.gpg.d /etc/ssl/certs /usr/local/share/ca-certificates \
        /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/xdg/pip
    # A settings file of the user's, for both accounts.
    chroot "$root" useradd --create-home --shell /bin/bash watcher
    local file
    for file in .config/pip/pip.conf .pip/pip.conf .npmrc; do
        [ -e "$HOME/$file" ] || continue
        install -D -m 644 "$HOME/$file" "$root/root/$file"
        install -D -m 644 "$HOME/$file" "$root/home/watcher/$file"
    done
    chroot "$root" chown -R watcher: /home/watcher
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    for file in null zero full random urandom tty; do
        touch "$root/dev/$file" && mount --bind "/dev/$file" "$root/dev/$file"
    done
    mkdir "$root/dev/shm" "$root/dev/pts"
    mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s /proc/self/fd/0 "$root/dev/stdin"
    ln -s /proc/self/fd/1 "$root/dev/stdout"
    ln -s /proc/self/fd/2 "$root/dev/stderr"
}

drop_root() {
    # Sessions that a failed command left behind would keep the mounts busy.
    umount --recursive --lazy "$root/dev" "$root/proc" 2>/dev/null || true
    [ -n "$keep" ] || rm -rf --one-file-system "$root"
}

# A clone of what is committed; nothing of the work tree.
put_clone() {
    local home="$1" owner="$2"
    git clone --quiet --no-hardlinks "file://$repository" "$root$home/hcawatch"
    chroot "$root" chown -R "$owner:" "$home/hcawatch"
}

run_as() {
    local account="$1" home="$2" command="$3"
    local -a settings=()
    mapfile -d '' settings < <(registry_environment)
    # What would point to files that the new root hasn't is left out: pip complains, and rightly.
    local -a usable=()
    local setting value
    for setting in "${settings[@]}"; do
        value="${setting#*=}"
        [[ "$value" != /* || -e "$root$value" ]] && usable+=("$setting")
    done
    local -a who=(setpriv --reuid "$account" --regid "$account" --init-groups)
    [ "$account" = root ] && who=()
    chroot "$root" /usr/bin/env -i HOME="$home" USER="$account" LANG=C.UTF-8 TERM=dumb \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${usable[@]}" \
        "${who[@]}" /bin/bash -c "cd ~/hcawatch && $command" </dev/null
}

failures=0
for account in $accounts; do
    if [ "$account" = root ]; then name=root home=/root; else name=watcher home=/home/watcher; fi
    for command in $commands; do
        case "$command" in
            setup) line="make setup" ;;
            test) line="make test" ;;
            demo) line='make demo ARGS="--once"' ;;
            other) line="$other" ;;
        esac
        log="$log_dir/$command-$account.log"
        began=$SECONDS
        fresh_root
        put_clone "$home" "$name"
        if run_as "$name" "$home" "$line" >"$log" 2>&1; then result=passed; else result="FAILED ($?)"; fi
        drop_root
        echo "clean-machine: $line as $account: $result in $((SECONDS - began)) s; $(tail -n 1 "$log" | cut -c1-300)"
        if [ "$result" != passed ]; then
            failures=$((failures + 1))
            tail -n 15 "$log" | sed 's/^/  | /'
        fi
    done
done
exit $((failures > 0))
