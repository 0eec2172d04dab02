// Command bench measures cel-go (that of Kubernetes 1.37) on a rule, for benches/cel.rs.
//
// It reads a JSON object with `rule`, `object` and `oldObject` from standard input, and writes a line
// for each thing that it measured: name, nanoseconds, allocations, with tabs between.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var input struct {
		Rule              string
		Object, OldObject any
	}
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		return err
	}
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType))
	if err != nil {
		return err
	}
	program, err := compile(env, input.Rule)
	if err != nil {
		return err
	}
	variables := map[string]any{"object": input.Object, "oldObject": input.OldObject}
	answer, _, err := program.Eval(variables)
	if err != nil {
		return err
	}
	if answer != types.True {
		return fmt.Errorf("the rule is %v", answer)
	}
	report("the three-part rule", testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := program.Eval(variables); err != nil {
				b.Fatal(err)
			}
		}
	}))
	report("compile the three-part rule", testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := compile(env, input.Rule); err != nil {
				b.Fatal(err)
			}
		}
	}))
	return nil
}

func compile(env *cel.Env, rule string) (cel.Program, error) {
	ast, issues := env.Compile(rule)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	return env.Program(ast, cel.EvalOptions(cel.OptOptimize))
}

func report(name string, result testing.BenchmarkResult) {
	fmt.Printf("%s\t%d\t%d\n", name, result.NsPerOp(), result.AllocsPerOp())
}
