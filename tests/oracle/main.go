// Command oracle answers expressions as the Kubernetes API server does.
//
// It reads one expression a line (blank lines and lines that begin with `#` are passed on, what
// stands behind a tab is an old answer), and writes each with its answer behind a tab: a type and a
// value, or `error`. With `-why` the error's text follows.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/library"
)

func main() {
	why := len(os.Args) > 1 && os.Args[1] == "-why"
	env := environmentOf()
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "\t")
		if line == "" || strings.HasPrefix(line, "#") {
			fmt.Fprintln(out, line)
			continue
		}
		answer, err := evaluate(env, line)
		if err != nil {
			answer = "error"
			if why {
				answer += " " + strings.SplitN(err.Error(), "\n", 2)[0]
			}
		}
		fmt.Fprintf(out, "%s\t%s\n", line, answer)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// environmentOf is that of Kubernetes 1.37 (k8s.io/apiserver/pkg/cel/environment) with every
// extension of cel-go in its newest version, and with lists of mixed types.
func environmentOf() *cel.Env {
	env, err := cel.NewEnv(
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
		library.URLs(), library.Regex(), library.Lists(library.ListsVersion(1)), library.Quantity(),
		library.IP(), library.CIDR(), library.Format(), library.SemverLib(library.SemverVersion(1)),
		library.JSONPatch(),
		ext.Strings(), ext.Sets(), ext.Lists(), ext.TwoVarComprehensions(), ext.Math(), ext.Encoders(),
		ext.Bindings(),
		cel.Variable("object", cel.DynType),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return env
}

// object is what the name of that name stands for.
var object = map[string]any{
	"spec": map[string]any{
		"replicas": int64(3), "ratio": 0.5, "name": "orders", "paused": false, "tags": []any{"a", "b"},
		"mixed": []any{int64(1), "a", 2.5, nil, true},
	},
	"status": map[string]any{"phase": "Failed", "message": nil},
}

func evaluate(env *cel.Env, source string) (answer string, err error) {
	defer func() {
		if wrong := recover(); wrong != nil {
			err = fmt.Errorf("%v", wrong)
		}
	}()
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return "", issues.Err()
	}
	program, err := env.Program(ast)
	if err != nil {
		return "", err
	}
	value, _, err := program.Eval(map[string]any{"object": object})
	if err != nil {
		return "", err
	}
	return text(value)
}

// text shows a value with its type.
func text(value ref.Val) (string, error) {
	switch v := value.(type) {
	case types.Null:
		return "null", nil
	case types.Bool:
		return fmt.Sprintf("bool %v", bool(v)), nil
	case types.Int:
		return fmt.Sprintf("int %d", int64(v)), nil
	case types.Uint:
		return fmt.Sprintf("uint %d", uint64(v)), nil
	case types.Double:
		return "double " + double(float64(v)), nil
	case types.String:
		return "string " + quoted(string(v)), nil
	case types.Bytes:
		return "bytes " + base64.StdEncoding.EncodeToString(v), nil
	case types.Timestamp:
		return "timestamp " + v.UTC().Format(time.RFC3339Nano), nil
	case types.Duration:
		return fmt.Sprintf("duration %d", v.Nanoseconds()), nil
	case *types.Optional:
		if !v.HasValue() {
			return "optional none", nil
		}
		inner, err := text(v.GetValue())
		return "optional " + inner, err
	case ref.Type:
		return "type " + v.TypeName(), nil
	case apiservercel.IP:
		return "net.IP " + quoted(v.Addr.String()), nil
	case apiservercel.CIDR:
		return "net.CIDR " + quoted(v.Prefix.String()), nil
	case apiservercel.Semver:
		return "semver " + quoted(v.Version.String()), nil
	case apiservercel.URL:
		return "url " + quoted(v.URL.String()), nil
	case apiservercel.Format:
		return "format", nil
	case apiservercel.Quantity:
		return "quantity " + decimal(v.AsDec().String()), nil
	case *apiservercel.Quantity:
		return "quantity " + decimal(v.AsDec().String()), nil
	case traits.Lister:
		var items []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			item, err := text(it.Next())
			if err != nil {
				return "", err
			}
			items = append(items, item)
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case traits.Mapper:
		var entries []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			shown, err := text(key)
			if err != nil {
				return "", err
			}
			item, err := text(v.Get(key))
			if err != nil {
				return "", err
			}
			entries = append(entries, shown+": "+item)
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ", ") + "}", nil
	}
	return "", fmt.Errorf("a value of %T", value)
}

// decimal is a number without the zeros at the end of its fraction.
func decimal(number string) string {
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	if number == "-0" {
		return "0"
	}
	return number
}

// double is the shortest text that is this double again.
func double(d float64) string {
	switch {
	case math.IsNaN(d):
		return "NaN"
	case math.IsInf(d, 0):
		return fmt.Sprintf("%+v", d)
	}
	return strconv.FormatFloat(d, 'e', -1, 64)
}

// quoted is a JSON string.
func quoted(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return strconv.Quote(text)
	}
	return strings.TrimSuffix(out.String(), "\n")
}
