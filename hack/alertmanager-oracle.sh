#!/usr/bin/env bash
# Asks the real Alertmanager again what hack/alertmanager-oracle/testdata/scenarios.yaml comes to, and
# what it makes of seeds, and says what changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/alertmanager-oracle"

command -v go >/dev/null || { echo "go is missing: install Go 1.26 or later (https://go.dev/dl)" >&2; exit 1; }
answers=testdata/answers.jsonl
before=$(mktemp)
trap 'rm -f "$before"' EXIT
[[ ! -e $answers ]] || cp "$answers" "$before"
go test -count=1 . -write
if cmp --silent "$before" "$answers"; then
    echo "$(wc -l <"$answers") scenarios, all as before"
else
    diff "$before" "$answers" || true
    echo "hack/alertmanager-oracle/$answers has changed" >&2
    exit 1
fi
