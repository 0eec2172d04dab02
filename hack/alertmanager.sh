#!/usr/bin/env bash
# Builds the Alertmanager that a test of its receiver runs, once for the version in
# hack/alertmanager/go.mod, and prints where it is. Its web pages are left out: they are built
# with Node, and nothing here looks at them.
#
#   TEST_ASSET_ALERTMANAGER    a ready binary, used instead
set -euo pipefail

say() { echo "alertmanager: $*" >&2; }

if [[ -n ${TEST_ASSET_ALERTMANAGER:-} ]]; then
    [[ -x $TEST_ASSET_ALERTMANAGER ]] || { say "$TEST_ASSET_ALERTMANAGER is not an executable"; exit 1; }
    echo "$TEST_ASSET_ALERTMANAGER"
    exit 0
fi

module="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/alertmanager"
path=github.com/prometheus/alertmanager
version="$(awk -v path="$path" '$1 == "require" && $2 == path { print $3 }' "$module/go.mod")"
[[ -n $version ]] || { say "cannot read the version from $module/go.mod"; exit 1; }
folder="${BELLWETHER_TESTBIN:-${XDG_CACHE_HOME:-$HOME/.cache}/bellwether/testbin/alertmanager-$version}"
if [[ ! -x $folder/alertmanager ]]; then
    command -v go >/dev/null || { say "go is missing: install Go 1.26 or later (https://go.dev/dl), or set TEST_ASSET_ALERTMANAGER"; exit 1; }
    say "building $version (a minute the first time)"
    # Within its own module, so that its own go.sum says what it is built of.
    source="$(mktemp -d)"
    trap 'rm -rf "$source"' EXIT
    original="$(cd "$module" && go mod download "$path" && go list -m -f '{{.Dir}}' "$path")"
    cp -r "$original/." "$source"
    chmod -R u+w "$source"
    mkdir -p "$folder" "$source/ui/app/dist"
    echo '<!doctype html>' >"$source/ui/app/dist/index.html"
    (cd "$source" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$folder/.alertmanager.$$" ./cmd/alertmanager)
    # Renamed only when whole: a build that is interrupted leaves nothing that looks ready.
    mv "$folder/.alertmanager.$$" "$folder/alertmanager"
    say "built $version in $SECONDS s"
fi
echo "$folder/alertmanager"
