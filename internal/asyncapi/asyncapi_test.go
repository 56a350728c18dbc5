package asyncapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/replhub/replhub/internal/asyncapi"
	"github.com/replhub/replhub/internal/contract"
)

var update = flag.Bool("update", false, "write docs/asyncapi.yaml")

const (
	page   = "../../docs/asyncapi.yaml"
	source = "../contract"
)

// The page is what the types say.
func TestPageIsOfTheTypes(t *testing.T) {
	want, err := asyncapi.Generate(source)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/asyncapi.yaml is out of date (%v); run: go test ./internal/asyncapi -update", err)
	}
}

// Every name of the contract that crosses the network is on the page, and every reference
// leads somewhere.
func TestPageNamesTheContract(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, value := range constants(t) {
		// A state record, a stream of the hubs' own.
		if !regexp.MustCompile(`^(Verb|Header|Subject|Code|Reason)[A-Z]`).MatchString(name) {
			continue
		}
		n++
		if !strings.Contains(string(text), value) {
			t.Errorf("%s (%q) is not on the page", name, value)
		}
		if strings.HasPrefix(name, "Verb") && !strings.Contains(string(text), "address: replhub."+value) {
			t.Errorf("the verb %s has no channel", value)
		}
	}
	if n < 60 {
		t.Errorf("only %d names found", n)
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`\$ref: '?#/([\w/.-]+)`).FindAllStringSubmatch(string(text), -1) {
		var at any = document
		for step := range strings.SplitSeq(found[1], "/") {
			m, ok := at.(map[string]any)
			if at = m[step]; !ok || at == nil {
				t.Errorf("the reference to %s leads nowhere", found[1])
				break
			}
		}
	}
}

// constants are the string constants of the contract by name.
func constants(t *testing.T) map[string]string {
	t.Helper()
	all, err := asyncapi.Constants(source)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every example of a request is one that the hub decodes, and uses each field that it
// names as the field is.
func TestExamplesAreDecoded(t *testing.T) {
	for _, v := range asyncapi.Verbs() {
		request := reflect.New(reflect.TypeOf(v.Request).Elem()).Interface()
		if err := contract.Decode([]byte(v.Example), request); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		again, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal([]byte(v.Example), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s: the example %s is read as %s", v.Name, v.Example, again)
		}
	}
}
