// Extract writes the cases of the CEL conformance suite (cel.dev/expr) as one JSON object a line,
// for the Rust test beside it. Cases that need protobuf messages are left out and counted.
//
//	go run . > cases.jsonl
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"cel.dev/expr"
	_ "cel.dev/expr/conformance/proto2"
	_ "cel.dev/expr/conformance/proto3"
	testpb "cel.dev/expr/conformance/test"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Case is one line.
type Case struct {
	Name          string         `json:"name"`
	Expr          string         `json:"expr"`
	Container     string         `json:"container,omitempty"`
	DisableMacros bool           `json:"disableMacros,omitempty"`
	DisableCheck  bool           `json:"disableCheck,omitempty"`
	CheckOnly     bool           `json:"checkOnly,omitempty"`
	Variables     []string       `json:"variables,omitempty"`
	Bindings      map[string]any `json:"bindings,omitempty"`
	Value         any            `json:"value,omitempty"`
	Error         string         `json:"error,omitempty"`
}

// Messages and what only they have: enums, extensions, wrappers.
var messages = regexp.MustCompile(
	`TestAllTypes|NestedTestAllTypes|GlobalEnum|NestedEnum|TestRequired|google\.protobuf\.[A-Za-z0-9]+ *\{|` +
		`google\.protobuf\.(Any|Struct|Value|ListValue|NullValue)|proto\.(has|get)Ext|` +
		`\b(Bool|Bytes|Double|Float|Int32|Int64|String|UInt32|UInt64|List|)Value *\{|\bAny *\{|\bStruct *\{|\b(Duration|Timestamp) *\{`)

type needsMessages struct{}

func value(v *expr.Value) any {
	switch k := v.Kind.(type) {
	case *expr.Value_NullValue:
		return map[string]any{"null": true}
	case *expr.Value_BoolValue:
		return map[string]any{"bool": k.BoolValue}
	case *expr.Value_Int64Value:
		return map[string]any{"int": strconv.FormatInt(k.Int64Value, 10)}
	case *expr.Value_Uint64Value:
		return map[string]any{"uint": strconv.FormatUint(k.Uint64Value, 10)}
	case *expr.Value_DoubleValue:
		return map[string]any{"double": strconv.FormatFloat(k.DoubleValue, 'g', -1, 64)}
	case *expr.Value_StringValue:
		return map[string]any{"string": k.StringValue}
	case *expr.Value_BytesValue:
		return map[string]any{"bytes": base64.StdEncoding.EncodeToString(k.BytesValue)}
	case *expr.Value_TypeValue:
		return map[string]any{"type": k.TypeValue}
	case *expr.Value_ListValue:
		list := []any{}
		for _, item := range k.ListValue.Values {
			list = append(list, value(item))
		}
		return map[string]any{"list": list}
	case *expr.Value_MapValue:
		entries := []any{}
		for _, entry := range k.MapValue.Entries {
			entries = append(entries, []any{value(entry.Key), value(entry.Value)})
		}
		return map[string]any{"map": entries}
	case *expr.Value_ObjectValue:
		return object(k.ObjectValue)
	}
	panic(needsMessages{})
}

func object(any_ *anypb.Any) any {
	message, err := any_.UnmarshalNew()
	if err != nil {
		panic(needsMessages{})
	}
	switch m := message.(type) {
	case *timestamppb.Timestamp:
		return map[string]any{"timestamp": m.AsTime().Format("2006-01-02T15:04:05.999999999Z07:00")}
	case *durationpb.Duration:
		return map[string]any{"duration": fmt.Sprintf("%d.%09d", m.Seconds, m.Nanos)}
	}
	panic(needsMessages{})
}

func convert(file, section string, t *testpb.SimpleTest) (c *Case) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(needsMessages); !ok {
				panic(r)
			}
			c = nil
		}
	}()
	if messages.MatchString(t.Expr) {
		return nil
	}
	c = &Case{
		Name: file + "/" + section + "/" + t.Name, Expr: t.Expr, Container: t.Container,
		DisableMacros: t.DisableMacros, DisableCheck: t.DisableCheck, CheckOnly: t.CheckOnly,
	}
	for _, d := range t.TypeEnv {
		if d.GetIdent() != nil {
			if name := d.GetIdent().GetType().GetMessageType(); strings.Contains(name, "TestAllTypes") {
				return nil
			}
			c.Variables = append(c.Variables, d.Name)
		}
	}
	for name, bound := range t.Bindings {
		if c.Bindings == nil {
			c.Bindings = map[string]any{}
		}
		c.Bindings[name] = value(bound.GetValue())
	}
	switch m := t.ResultMatcher.(type) {
	case *testpb.SimpleTest_Value:
		c.Value = value(m.Value)
	case *testpb.SimpleTest_TypedResult:
		if m.TypedResult.Result != nil {
			c.Value = value(m.TypedResult.Result)
		}
	case *testpb.SimpleTest_EvalError:
		c.Error = "any"
		if len(m.EvalError.Errors) > 0 {
			c.Error = m.EvalError.Errors[0].Message
		}
	case nil:
		c.Value = map[string]any{"bool": true}
	default:
		return nil
	}
	return c
}

func main() {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "cel.dev/expr").Output()
	if err != nil {
		panic(err)
	}
	paths, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "tests/simple/testdata/*.textproto"))
	sort.Strings(paths)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	kept, left := 0, 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		var file testpb.SimpleTestFile
		if err := prototext.Unmarshal(text, &file); err != nil {
			panic(err)
		}
		for _, section := range file.Section {
			for _, test := range section.Test {
				if c := convert(file.Name, section.Name, test); c != nil {
					kept++
					if err := out.Encode(c); err != nil {
						panic(err)
					}
				} else {
					left++
				}
			}
		}
	}
	fmt.Fprintf(os.Stderr, "%d cases, %d left out because they need protobuf messages\n", kept, left)
}
