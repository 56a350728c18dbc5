package yamlconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/yamlconfig"
)

func known() []string {
	return []string{"url", "table", "where", "key", "max_age", "secret_file", "all"}
}

func TestSettings(t *testing.T) {
	got, err := yamlconfig.Parse("c.yaml", []byte(`# push
url: https://example.com/hook
max_age: 10s
all: yes
table:
  public.users: user
  public.orders: order
where: ["user=data.tenant == 'acme, inc'", "order=true"]
key:
  public.orders: [tenant, number]
`), known())
	if err != nil {
		t.Fatal(err)
	}
	want := []yamlconfig.Setting{
		{Name: "url", Values: []string{"https://example.com/hook"}, Line: 2},
		{Name: "max_age", Values: []string{"10s"}, Line: 3},
		{Name: "all", Values: []string{"yes"}, Line: 4},
		{Name: "table", Values: []string{"public.users=user", "public.orders=order"}, Line: 5},
		{Name: "where", Values: []string{"user=data.tenant == 'acme, inc'", "order=true"}, Line: 8},
		{Name: "key", Values: []string{"public.orders=tenant,number"}, Line: 9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is wrong is refused with file and line; nothing is ignored.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct{ text, says string }{
		"unknown":            {"url: x\nsecret-file: y\n", "c.yaml:2: there is no setting \"secret-file\"; did you mean secret_file?"},
		"misspelt":           {"\n\nmax_agee: 1s\n", "c.yaml:3: there is no setting \"max_agee\"; did you mean max_age?"},
		"twice":              {"url: x\nmax_age: 1s\nurl: y\n", "c.yaml:3: url is in line 1 already"},
		"twice in a mapping": {"table:\n  a: b\n  a: c\n", "c.yaml:3: a is in line 2 already"},
		"no value":           {"url:\nmax_age: 1s\n", "c.yaml:1: url has no value"},
		"no value in a list": {"table:\n- a=b\n-\n", "c.yaml:3: an item of table has no value"},
		"empty list":         {"table: []\n", "c.yaml:1: table is an empty list"},
		"empty mapping":      {"table: {}\n", "c.yaml:1: table is an empty mapping"},
		"too deep":           {"table:\n  a:\n    b:\n      c: d\n", "c.yaml:3: a must be a text"},
		"a list alone":       {"- url\n", "c.yaml:1: the file must be a mapping"},
		"alias":              {"url: &u x\nsecret_file: *u\n", "c.yaml:1: url has an anchor"},
		"merge":              {"<<: {url: x}\n", "c.yaml:1: there is no setting \"<<\""},
		"tag":                {"url: !!binary aGVsbG8=\n", "c.yaml:1: url has a tag"},
		"two documents":      {"url: x\n---\nurl: y\n", "only one document"},
		"no YAML":            {"url: [x\n", "c.yaml: yaml: line"},
		"a name that is one": {"[a, b]: x\n", "c.yaml:1: a name must be a text"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := yamlconfig.Parse("c.yaml", []byte(tt.text), known())
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want one that says %q", err, tt.says)
			}
		})
	}
	for _, empty := range []string{"", "# nothing\n", "---\n"} {
		if got, err := yamlconfig.Parse("c.yaml", []byte(empty), known()); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", empty, got, err)
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if _, err := yamlconfig.Read(path, known()); err == nil {
		t.Error("a file that is not there was read")
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("#\n", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := yamlconfig.Read(path, known()); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("%v of a file that is too large", err)
	}
}

// Whatever the file has, it is read or refused; what is read has known names, each once.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"url: x\n", "table: {a: [b, c]}\n", "a: &a [*a]\n", "? {url: x}\n: y\n", "url: |\n  a\n  b\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, err := yamlconfig.Parse("c.yaml", data, known())
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, s := range settings {
			if seen[s.Name] || len(s.Values) == 0 || s.Line < 1 {
				t.Errorf("%+v of %q", s, data)
			}
			seen[s.Name] = true
		}
	})
}
