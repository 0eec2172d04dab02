// Package oracle runs sequences of alerts through the real Alertmanager's dispatcher and
// notification pipeline, in virtual time, and writes down what each receiver was told.
package oracle

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var write = flag.Bool("write", false, "write the answers instead of comparing with them")

const (
	scenariosFile = "testdata/scenarios.yaml"
	generatedFile = "testdata/generated.jsonl"
	answersFile   = "testdata/answers.jsonl"
	// How many scenarios are made of seeds.
	generations = 240
)

// Scenario: times are seconds from its start, which is the bubble's: midnight UTC, 2000-01-01.
type Scenario struct {
	Name     string      `yaml:"name" json:"name"`
	Config   any         `yaml:"config" json:"config"`
	Silences []Silencing `yaml:"silences" json:"silences,omitempty"`
	Events   []Event     `yaml:"events" json:"events"`
	Until    int         `yaml:"until" json:"until"`
}

type Silencing struct {
	Matchers map[string]string `yaml:"matchers" json:"matchers"`
	From     int               `yaml:"from" json:"from"`
	Until    int               `yaml:"until" json:"until"`
}

type Event struct {
	At      int                 `yaml:"at" json:"at"`
	Fire    []map[string]string `yaml:"fire" json:"fire,omitempty"`
	Resolve []map[string]string `yaml:"resolve" json:"resolve,omitempty"`
}

// Told is one notification. Alerts are named by their label `name`.
type Told struct {
	At       int               `json:"at"`
	Receiver string            `json:"receiver"`
	Group    map[string]string `json:"group"`
	Firing   []string          `json:"firing,omitempty"`
	Resolved []string          `json:"resolved,omitempty"`
}

type Answer struct {
	Name string `json:"name"`
	Told []Told `json:"told"`
}

type recording struct {
	sync.Mutex
	start time.Time
	told  []Told
}

type receiver struct {
	name string
	into *recording
}

func (r receiver) SendResolved() bool { return true }

func (r receiver) Notify(ctx context.Context, alerts ...*alert.Alert) (bool, error) {
	group, _ := notify.GroupLabels(ctx)
	told := Told{At: seconds(time.Since(r.into.start)), Receiver: r.name, Group: map[string]string{}}
	for name, value := range group {
		told.Group[string(name)] = string(value)
	}
	for _, it := range alerts {
		name := string(it.Labels["name"])
		if it.Resolved() {
			told.Resolved = append(told.Resolved, name)
		} else {
			told.Firing = append(told.Firing, name)
		}
	}
	slices.Sort(told.Firing)
	slices.Sort(told.Resolved)
	r.into.Lock()
	defer r.into.Unlock()
	r.into.told = append(r.into.told, told)
	return false, nil
}

func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func labels(from map[string]string) model.LabelSet {
	set := model.LabelSet{}
	for name, value := range from {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set
}

func run(t *testing.T, scenario Scenario) Answer {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	registry, recorder, flags := prometheus.NewRegistry(), eventrecorder.NopRecorder(), featurecontrol.NoopFlags{}
	text := must[[]byte](t)(yaml.Marshal(scenario.Config))
	conf := must[*config.Config](t)(config.Load(string(text)))

	heard := &recording{start: time.Now()}
	integrations := map[string][]notify.Integration{}
	for _, it := range conf.Receivers {
		to := receiver{it.Name, heard}
		integrations[it.Name] = []notify.Integration{notify.NewIntegration(to, to, "recording", 0, it.Name)}
	}
	intervals := map[string][]timeinterval.TimeInterval{}
	for _, it := range conf.TimeIntervals {
		intervals[it.Name] = it.TimeIntervals
	}

	silences := must[*silence.Silences](t)(silence.New(silence.Options{
		Retention: 240 * time.Hour, Logger: logger, Metrics: registry, EventRecorder: recorder,
	}))
	for _, it := range scenario.Silences {
		var matchers []*silencepb.Matcher
		for name, value := range it.Matchers {
			matchers = append(matchers, &silencepb.Matcher{Name: name, Pattern: value})
		}
		at := func(second int) *timestamppb.Timestamp {
			return timestamppb.New(heard.start.Add(time.Duration(second) * time.Second))
		}
		if err := silences.Set(ctx, &silencepb.Silence{
			MatcherSets: []*silencepb.MatcherSet{{Matchers: matchers}},
			StartsAt:    at(it.From), EndsAt: at(it.Until), Comment: "a test", CreatedBy: "a test",
		}); err != nil {
			t.Fatal(err)
		}
	}
	silencer := silence.NewSilencer(silences, logger, recorder)
	alerts := must[*mem.Alerts](t)(mem.NewAlerts(ctx, 30*time.Minute, 0, silencer, logger, recorder, registry, flags))
	defer alerts.Close()
	log := must[*nflog.Log](t)(nflog.New(nflog.Options{Retention: 240 * time.Hour, Logger: logger, Metrics: registry}))
	inhibitor := inhibit.NewInhibitor(alerts, conf.InhibitRules, logger, recorder)
	groups := marker.NewGroupMarker()
	pipeline := notify.NewPipelineBuilder(registry, flags, recorder).New(
		integrations, func() time.Duration { return 0 }, inhibitor, silencer,
		timeinterval.NewIntervener(intervals), groups, log, nil)
	dispatcher := dispatch.NewDispatcher(alerts, dispatch.NewRoute(conf.Route, nil), pipeline, groups,
		func(d time.Duration) time.Duration { return d }, 30*time.Second, nil, logger, recorder,
		dispatch.NewDispatcherMetrics(false, registry, flags), nil)
	go inhibitor.Run()
	inhibitor.WaitForLoading()
	go dispatcher.Run(time.Now())
	dispatcher.WaitForLoading()
	synctest.Wait()

	since := map[model.Fingerprint]time.Time{}
	for _, event := range scenario.Events {
		time.Sleep(time.Until(heard.start.Add(time.Duration(event.At) * time.Second)))
		put := func(from map[string]string, over bool) {
			set, now := labels(from), time.Now()
			key := set.Fingerprint()
			if _, known := since[key]; !known {
				since[key] = now
			}
			it := &alert.Alert{Alert: model.Alert{Labels: set, StartsAt: since[key]}, UpdatedAt: now}
			it.EndsAt = now.Add(1000 * time.Hour)
			if over {
				it.EndsAt = now
				delete(since, key)
			}
			if err := alerts.Put(ctx, it); err != nil {
				t.Fatal(err)
			}
		}
		for _, it := range event.Fire {
			put(it, false)
		}
		for _, it := range event.Resolve {
			put(it, true)
		}
		synctest.Wait()
	}
	time.Sleep(time.Until(heard.start.Add(time.Duration(scenario.Until)*time.Second + 500*time.Millisecond)))
	synctest.Wait()
	dispatcher.Stop()
	inhibitor.Stop()

	heard.Lock()
	defer heard.Unlock()
	told := append([]Told{}, heard.told...)
	slices.SortStableFunc(told, func(a, b Told) int {
		if a.At != b.At {
			return a.At - b.At
		}
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return slices.Compare(x, y)
	})
	return Answer{scenario.Name, told}
}

func TestAnswers(t *testing.T) {
	var scenarios []Scenario
	if err := yaml.Unmarshal(must[[]byte](t)(os.ReadFile(scenariosFile)), &scenarios); err != nil {
		t.Fatal(err)
	}
	var made []byte
	for _, scenario := range generated(generations) {
		made = append(append(made, must[[]byte](t)(json.Marshal(scenario))...), '\n')
		scenarios = append(scenarios, scenario)
	}
	var answers []byte
	for _, scenario := range scenarios {
		t.Run(scenario.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line := must[[]byte](t)(json.Marshal(run(t, scenario)))
				answers = append(append(answers, line...), '\n')
			})
		})
	}
	if t.Failed() {
		return
	}
	if *write {
		for file, text := range map[string][]byte{answersFile: answers, generatedFile: made} {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	} else if string(must[[]byte](t)(os.ReadFile(answersFile))) != string(answers) {
		t.Fatal(answersFile + " is not what Alertmanager answers: run with -write")
	}
}
