package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Every alert there is, by its name.
var all = map[string]map[string]string{
	"a": {"alertname": "A", "name": "a", "cluster": "x", "severity": "critical", "namespace": "p"},
	"b": {"alertname": "A", "name": "b", "cluster": "y", "severity": "warning", "namespace": "p"},
	"c": {"alertname": "A", "name": "c", "cluster": "x", "severity": "warning", "namespace": "q"},
	"d": {"alertname": "B", "name": "d", "cluster": "x", "severity": "critical", "namespace": "q"},
	"e": {"alertname": "B", "name": "e", "cluster": "y", "severity": "warning", "namespace": "q"},
	"s": {"alertname": "Down", "name": "s", "cluster": "x", "severity": "critical", "namespace": "p"},
	"t": {"alertname": "Down", "name": "t", "cluster": "y", "severity": "warning", "namespace": "q"},
}

type dict = map[string]any

// generated makes scenarios of a seed. No two things happen in the same second: every wait and
// interval is a multiple of 20 s, and each event has a second of its own in those 20.
func generated(count int) []Scenario {
	var scenarios []Scenario
	for n := range count {
		scenarios = append(scenarios, scenario(n, rand.New(rand.NewPCG(1, uint64(n)))))
	}
	return scenarios
}

func scenario(n int, r *rand.Rand) Scenario {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	groups := [][]string{{"alertname"}, {"namespace"}, {"alertname", "cluster"}, {}}
	by := [][]string{groups[r.IntN(len(groups))]}
	route := dict{
		"receiver": "chat", "group_by": by[0], "group_wait": pick("20s", "40s"),
		"group_interval": pick("20s", "60s", "100s"), "repeat_interval": pick("200s", "600s"),
	}
	conf := dict{"route": route, "receivers": []dict{{"name": "chat"}, {"name": "pager"}}}
	made := Scenario{Name: fmt.Sprintf("generated %d", n), Config: conf, Until: 2000}
	kind := n % 3
	switch kind {
	case 0:
		for range 1 + r.IntN(3) {
			from := 20*r.IntN(40) + 17
			made.Silences = append(made.Silences, Silencing{
				Matchers: map[string]string{"name": pick("a", "b", "d")}, From: from, Until: from + 20*(1+r.IntN(30)) + 1,
			})
		}
	case 1:
		conf["inhibit_rules"] = []dict{{
			"source_matchers": []string{`alertname="Down"`}, "target_matchers": []string{`alertname=~"A|B"`}, "equal": []string{"cluster"},
		}}
	case 2:
		by = append(by, groups[r.IntN(len(groups))])
		child := dict{"receiver": "pager", "matchers": []string{`severity="critical"`}, "group_by": by[1]}
		if r.IntN(2) == 0 {
			child["continue"] = true
		}
		from := 1 + r.IntN(8)
		conf["time_intervals"] = []dict{{"name": "some", "time_intervals": []dict{{"times": []dict{{
			"start_time": fmt.Sprintf("00:%02d", from), "end_time": fmt.Sprintf("00:%02d", from+1+r.IntN(8)),
		}}}}}}
		child[pick("mute_time_intervals", "active_time_intervals")] = []string{"some"}
		route["routes"] = []dict{child}
	}
	firing, since := map[string]bool{}, map[string]int{}
	over := closed{}
	at := 0
	for second := 1 + r.IntN(3); second < 17; second += 1 + r.IntN(2) {
		at += 20 * r.IntN(6)
		event := Event{At: at + second}
		for range 1 + r.IntN(2) {
			name := pick("a", "b", "c", "d", "e", "s", "t")
			isSource := name == "s" || name == "t"
			if isSource && kind != 1 || touched(event, name) {
				continue
			}
			switch {
			// A group that is empty is forgotten by Alertmanager within 30 s or so, and begins anew; by us
			// after its interval, so that nobody is told more often: here nothing joins one meanwhile.
			case !firing[name] && over.lately(by, name, event.At):
			case !firing[name]:
				event.Fire = append(event.Fire, all[name])
				firing[name], since[name] = true, event.At
			// The end of what was told is told in spite of silences and inhibitions by us, and not by
			// Alertmanager, which a scenario by hand shows: here it does not come to that.
			// What resolves before it was told to fire Alertmanager tells to be over if its group was told
			// of before, which nobody understands; we do not.
			case event.At-since[name] < 160:
			case kind == 0 && made.silenced(name, event.At), kind == 1 && !isSource:
			// The same of a route's hours: we tell the end when they begin, Alertmanager does not.
			case kind == 2 && all[name]["severity"] == "critical":
			default:
				event.Resolve = append(event.Resolve, all[name])
				firing[name] = false
				over.close(by, name, event.At, firing)
			}
		}
		if len(event.Fire)+len(event.Resolve) > 0 {
			made.Events = append(made.Events, event)
		}
	}
	return made
}

// closed: when the last alert of a group resolved, by its labels.
type closed map[string]int

func key(by []string, name string) string {
	text := fmt.Sprint(by)
	for _, label := range by {
		text += "," + all[name][label]
	}
	return text
}

func (c closed) close(by [][]string, name string, at int, firing map[string]bool) {
	for _, labels := range by {
		open := false
		for other, fires := range firing {
			// With two routes, the critical ones are told by the other.
			same := len(by) == 1 || all[other]["severity"] == all[name]["severity"]
			open = open || fires && same && key(labels, other) == key(labels, name)
		}
		if !open {
			c[key(labels, name)] = at
		}
	}
}

func (c closed) lately(by [][]string, name string, now int) bool {
	return slices.ContainsFunc(by, func(labels []string) bool {
		at, known := c[key(labels, name)]
		return known && now-at < 260
	})
}

func touched(event Event, name string) bool {
	is := func(labels map[string]string) bool { return labels["name"] == name }
	return slices.ContainsFunc(event.Fire, is) || slices.ContainsFunc(event.Resolve, is)
}

// silenced: within the time in which its firing or its resolve may be told.
func (s Scenario) silenced(name string, at int) bool {
	return slices.ContainsFunc(s.Silences, func(it Silencing) bool {
		return it.Matchers["name"] == name && it.From < at+300 && at < it.Until+160
	})
}
