# Sourced by ./quickstart and ./check: Debian packages, installed only where they are missing.

# To build txgate.
BUILD_PACKAGES="gcc make autoconf automake pkg-config libc6-dev libuv1-dev libyaml-dev
libmsgpack-dev libmxml-dev libssh-dev libjansson-dev libsodium-dev"

# To test it as well.
CHECK_PACKAGES="git xz-utils libcunit1-dev python3 python3-pytest python3-venv clang libclang-rt-dev clang-format
valgrind musl-tools shellcheck busybox-static openssh-server openssh-client dropbear-bin csh fish mksh g++ libgtest-dev
libglib2.0-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf
libc6-dev-armhf-cross qemu-user-static"

# Real programs for `make check-long`.
LONG_PACKAGES="dpkg-dev dbus-tests libglib2.0-tests json-glib-tools libjson-glib-1.0-0 perl"

# Those of the given packages that are not installed, on one line.
packages_missing() {
    for package; do
        case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
        *' installed') ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# Installs what is missing of the given packages and says so. Returns 1, with the command that an
# administrator can give, where that is not allowed here.
packages_install() {
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "These Debian packages are needed, and this system has no apt-get: $missing" >&2
        echo "Install what holds the same things here, then try again." >&2
        return 1
    fi
    become=
    if [ "$(id -u)" -ne 0 ]; then
        become="sudo -n"
        if [ -t 0 ]; then
            become=sudo
        fi
        if ! command -v sudo >/dev/null || ! $become true 2>/dev/null; then
            echo "These Debian packages are missing: $missing" >&2
            echo "Ask an administrator of this machine to give the command:" >&2
            echo "    apt-get install --no-install-recommends $missing" >&2
            return 1
        fi
    fi
    echo "Installing with apt-get: $missing"
    # shellcheck disable=SC2086 # both are lists of words
    $become env DEBIAN_FRONTEND=noninteractive sh -c '
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' sh $missing \
        </dev/null >"${TMPDIR:-/tmp}/txgate-apt.$$" 2>&1 || {
        cat "${TMPDIR:-/tmp}/txgate-apt.$$" >&2
        rm -f "${TMPDIR:-/tmp}/txgate-apt.$$"
        echo "apt-get failed; what it said stands above." >&2
        return 1
    }
    rm -f "${TMPDIR:-/tmp}/txgate-apt.$$"
}
