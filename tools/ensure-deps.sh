#!/bin/sh
# Makes sure that the programs which the build and the tests start are there:
# Go, a C compiler (the race detector links with it), redis-server, redis-cli.
# On Debian and Ubuntu as root it installs what is missing. Anywhere else it
# says in one line what to install, and fails.
set -eu

redis_floor=7

fail() {
	echo "ensure-deps: $*" >&2
	exit 1
}

missing=""
need() { # need <program> <Debian packages that hold it>
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

# The tests start servers of their own on free ports. The package would start
# one more as a system service: a policy-rc.d that says no prevents that. One
# that is there already belongs to the machine and stays as it is.
install() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# shellcheck disable=SC2086 # a list of package names
	apt-get install -q -y --no-install-recommends $missing
}

command -v go >/dev/null 2>&1 || fail "install Go 1.26 or newer"
need cc "gcc libc6-dev"
need redis-server redis-server
need redis-cli redis-tools

if [ -n "$missing" ]; then
	if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
		install
	else
		fail "install$missing (on Debian or Ubuntu, as root: apt-get install$missing)"
	fi
fi

version=$(redis-server --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p')
case "${version%%.*}" in
'' | *[!0-9]*) fail "cannot read the version in: $(redis-server --version)" ;;
esac
[ "${version%%.*}" -ge "$redis_floor" ] || fail "redis-server is $version, the tests need $redis_floor.0 or newer"
