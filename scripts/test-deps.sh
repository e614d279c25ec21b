#!/bin/sh
# Installs what the tests need and is not there yet: Debian packages (as root,
# or with sudo) and the npm packages of the lock files. Running it again does
# nothing but a quick look.
set -eu

cd "$(dirname "$0")/.."

missing=
need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need chromium chromium
need nginx nginx
need caddy caddy
need openssl openssl
need curl curl
need redis-server redis-server
# For a database whose clock is wrong, and servers that have little of something.
need faketime faketime
need unshare util-linux
need nsenter util-linux
# Debian keeps the server's programs out of the path.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
# For Go's race detector, and for the bare loop that bench/compare measures.
need cc "gcc libc6-dev"
# Debian's python3 cannot make a virtual environment without this package.
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3 python3-venv"

if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "test-deps: install these and try again:$missing" >&2
		exit 1
	fi
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		as_root=sudo
	fi
	# The tests start what they need themselves: keep Debian from starting nginx,
	# Caddy, Redis and PostgreSQL as services on installation, unless there is a policy already.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
		$as_root chmod 755 "$policy"
		# shellcheck disable=SC2064 # as they are now
		trap "$as_root rm -f $policy" EXIT
	fi
	$as_root apt-get update -qq
	# shellcheck disable=SC2086 # a list of words is meant
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

for dir in ui test/clients clients/js; do
	# npm writes node_modules/.package-lock.json when it is done.
	if [ ! -e "$dir/node_modules/.package-lock.json" ] ||
		[ "$dir/package-lock.json" -nt "$dir/node_modules/.package-lock.json" ]; then
		(cd "$dir" && npm ci --no-audit --no-fund --loglevel=error)
	fi
done

# The SDK for Python, for the snippets of the documents.
venv=test/docs/.venv
if ! "$venv/bin/python" -c 'import pusher' 2>/dev/null; then
	python3 -m venv --clear "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check 'pusher==3.3.4'
fi

# What the tests of the client for Python need. The copy says what is installed.
venv=clients/python/.venv
wanted=clients/python/requirements-test.txt
if ! cmp -s "$wanted" "$venv/installed.txt"; then
	python3 -m venv --clear "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
	cp "$wanted" "$venv/installed.txt"
fi
