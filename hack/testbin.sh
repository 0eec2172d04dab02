#!/usr/bin/env bash
# Builds the kube-apiserver and etcd that the integration tests run, once for each
# pair of versions in hack/testbin/go.mod, and prints the folder they are in.
#
#   hack/testbin.sh            kube-apiserver and etcd
#   hack/testbin.sh kubectl    kubectl as well, for trying things by hand
#
# Binaries that are already there are used instead of building, in this order:
#   TEST_ASSET_KUBE_APISERVER and TEST_ASSET_ETCD   the two files
#   KUBEBUILDER_ASSETS                              a folder with both
#   BELLWETHER_TESTBIN                              a folder; built into when empty
#   ${XDG_CACHE_HOME:-~/.cache}/bellwether/testbin/<versions>    the same, the default
# testkit/src/binaries.rs looks for them in the same order.
set -euo pipefail

say() { echo "testbin: $*" >&2; }
die() { say "$*"; exit 1; }

module="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/testbin"
version_of() { awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$module/go.mod"; }
kubernetes="$(version_of k8s.io/kubernetes)"
etcd="$(version_of go.etcd.io/etcd/server/v3)"
[[ -n $kubernetes && -n $etcd ]] || die "cannot read the versions from $module/go.mod"

if [[ -n ${TEST_ASSET_KUBE_APISERVER:-} && -n ${TEST_ASSET_ETCD:-} ]]; then
    for file in "$TEST_ASSET_KUBE_APISERVER" "$TEST_ASSET_ETCD"; do
        [[ -x $file ]] || die "$file is not an executable; unset TEST_ASSET_KUBE_APISERVER and TEST_ASSET_ETCD to build one"
    done
    say "using $TEST_ASSET_KUBE_APISERVER and $TEST_ASSET_ETCD"
    exit 0
fi
if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
    for name in kube-apiserver etcd; do
        [[ -x $KUBEBUILDER_ASSETS/$name ]] || die "no $name in KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS; unset it to build one"
    done
    echo "$KUBEBUILDER_ASSETS"
    exit 0
fi

folder="${BELLWETHER_TESTBIN:-${XDG_CACHE_HOME:-$HOME/.cache}/bellwether/testbin/kubernetes-$kubernetes-etcd-$etcd}"
mkdir -p "$folder"

# build NAME PACKAGE VERSION-SHOWN LDFLAGS...
build() {
    local name="$1" package="$2" version="$3" flags="$4" started=$SECONDS
    if [[ -x $folder/$name ]]; then
        return
    fi
    command -v go >/dev/null \
        || die "go is missing, and $name is built with it: install Go 1.26 or later (https://go.dev/dl), or point KUBEBUILDER_ASSETS at ready binaries"
    say "building $name $version (several minutes the first time)"
    (cd "$module" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $flags" -o "$folder/.$name.$$" "$package")
    # Renamed only when whole: a build that is interrupted leaves nothing that looks ready.
    mv "$folder/.$name.$$" "$folder/$name"
    say "built $name $version in $((SECONDS - started)) s"
}

IFS=. read -r major minor _ <<<"${kubernetes#v}"
stamp="-X k8s.io/component-base/version.gitVersion=$kubernetes"
stamp+=" -X k8s.io/component-base/version.gitMajor=$major"
stamp+=" -X k8s.io/component-base/version.gitMinor=$minor"
build etcd go.etcd.io/etcd/server/v3 "$etcd" ""
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$kubernetes" "$stamp"
if [[ ${1:-} == kubectl ]]; then
    build kubectl k8s.io/kubernetes/cmd/kubectl "$kubernetes" "$stamp"
fi
echo "$folder"
