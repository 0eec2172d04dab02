// Command informer is what one writes in Go to be told of custom resources: an informer, rules in
// cel-go, and a POST where one becomes true. benches/informer.rs compares it with the program.
//
// It is written with care: managedFields are dropped before anything is kept, programs are compiled
// once, Event handlers do not wait for the receiver. It keeps nothing through a crash, holds, groups
// and retries nothing.
//
// Usage: informer KUBECONFIG HOOK-URL RULES, of which all but the first compare numbers that no
// update reaches, and the first tells every change.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubeconfig, hook, count string) error {
	rules, err := compile(count)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	changes := make(chan []byte, 100_000)
	poster := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	for range 32 {
		go post(poster, hook, changes)
	}
	databases := schema.GroupVersionResource{
		Group: "stable.example.com", Version: "v1", Resource: "databaseinstances",
	}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	informer := factory.ForResource(databases).Informer()
	if err := informer.SetTransform(withoutManagedFields); err != nil {
		return err
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(old, now any) {
			decide(rules, old.(*unstructured.Unstructured), now.(*unstructured.Unstructured), changes)
		},
	})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	select {}
}

func compile(count string) ([]cel.Program, error) {
	number, err := strconv.Atoi(count)
	if err != nil {
		return nil, err
	}
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType))
	if err != nil {
		return nil, err
	}
	var rules []cel.Program
	for n := range number {
		rule := fmt.Sprintf("object.status.storageUsedGB > %d", 1_000_000+n)
		if n == 0 {
			rule = "object.status.storageUsedGB != oldObject.status.storageUsedGB"
		}
		ast, issues := env.Compile(rule)
		if issues.Err() != nil {
			return nil, issues.Err()
		}
		program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			return nil, err
		}
		rules = append(rules, program)
	}
	return rules, nil
}

func withoutManagedFields(object any) (any, error) {
	if object, ok := object.(*unstructured.Unstructured); ok {
		object.SetManagedFields(nil)
	}
	return object, nil
}

func decide(rules []cel.Program, old, now *unstructured.Unstructured, changes chan<- []byte) {
	variables := map[string]any{"object": now.Object, "oldObject": old.Object}
	for _, rule := range rules {
		answer, _, err := rule.Eval(variables)
		if err != nil || answer != types.True {
			continue
		}
		used, _, _ := unstructured.NestedInt64(now.Object, "status", "storageUsedGB")
		alert := map[string]any{"name": now.GetName(), "namespace": now.GetNamespace(), "summary": strconv.FormatInt(used, 10)}
		body, err := json.Marshal(map[string]any{"alerts": []any{alert}})
		if err == nil {
			changes <- body
		}
	}
}

func post(client *http.Client, hook string, changes <-chan []byte) {
	for body := range changes {
		answer, err := client.Post(hook, "application/json", bytes.NewReader(body))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}
