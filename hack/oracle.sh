#!/usr/bin/env bash
# Answers the expressions of tests/oracle/answers.txt anew, with the CEL libraries of Kubernetes.
# Says what changed; the file is what the tests compare with. New expressions are lines of the file
# without an answer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../tests/oracle"

command -v go >/dev/null || { echo "go is missing: install Go 1.26 or later (https://go.dev/dl)" >&2; exit 1; }
answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
go run . <answers.txt >"$answers"
if cmp --silent answers.txt "$answers"; then
    echo "$(grep --count $'\t' answers.txt) answers, all as before"
else
    diff answers.txt "$answers" || true
    cp "$answers" answers.txt
    echo "tests/oracle/answers.txt has changed" >&2
    exit 1
fi
