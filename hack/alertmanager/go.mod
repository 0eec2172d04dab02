// The pinned real Alertmanager that a test of its receiver runs against.
// hack/alertmanager.sh builds it; no Go code of ours is here.
module bellwether.dev/alertmanager

go 1.26.0

require github.com/prometheus/alertmanager v0.34.2
