package selection

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEntity(t *testing.T) {
	s, err := Parse(Config{Tables: []string{"public.*", "public.order_*=order", "public.users=user", "shop.a=b=item", "audit.log.2024"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"public.users": "user", "public.accounts": "accounts", "public.order_1": "order_1", "other.users": "", "publicXusers": "",
		"shop.a=b": "item", "audit.log.2024": "log.2024",
	} {
		schema, table, _ := strings.Cut(name, ".")
		if got, ok := s.Entity(schema, table); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !s.Named("public", "users") || s.Named("public", "accounts") {
		t.Error("a table is named, or is not")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "--table schema.table=entity"},
		{Config{Tables: []string{"users=user"}}, `--table "users=user"`},
		{Config{Tables: []string{"public.users="}}, `--table "public.users="`},
		{Config{Tables: []string{"public.u"}, Exclude: []string{"public.u"}}, `--exclude "public.u"`},
		{Config{Tables: []string{"public.u"}, Keys: []string{"public.u"}}, `--key "public.u"`},
		{Config{Tables: []string{"public.u"}, Keys: []string{"public.u=a,"}}, `--key "public.u=a,"`},
		{Config{Tables: []string{"public.u"}, Keys: []string{"public.u=a", "public.u=b"}}, "one --key"},
	} {
		if _, err := Parse(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.cfg, err, c.want)
		}
	}
}

func TestExcludesAndKeys(t *testing.T) {
	s, err := Parse(Config{
		Tables: []string{"public.*", "none.*"}, Exclude: []string{"public.users.password_*", "*.users.x", "public.accounts.secret"},
		Keys: []string{"public.users=b,a", "public.missing=a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Excludes("public", "users", "password_hash") || s.Excludes("public", "users", "name") || s.Excludes("public", "people", "password_hash") {
		t.Error("a column is excluded, or is not")
	}
	if got := s.Key("public", "users"); !slices.Equal(got, []string{"b", "a"}) || s.Key("public", "accounts") != nil {
		t.Errorf("the key is %v", got)
	}
}

// A setting without effect is told, also one with "*".
func TestUnused(t *testing.T) {
	s, err := Parse(Config{
		Tables:  []string{"public.*", "public.acc*=account", "none.*", "public.gone", "public.users=user"},
		Exclude: []string{"public.users.password_*", "public.accounts.secret", "public.*.pasword*"}, Keys: []string{"public.missing=a", "public.users=a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range s.Unused(map[string][]string{"public.users": {"a", "b", "password_hash"}, "public.accounts": {"id"}}) {
		got = append(got, fmt.Sprintf("%s %v", u.Flag, u.Harmless))
	}
	if want := []string{
		"--exclude public.*.pasword* true", "--exclude public.accounts.secret false", "--key public.missing false",
		"--table none.* false", "--table public.acc*=account true", "--table public.gone false",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// An exclusion of one column of one table is unmet by a table that does not have it.
func TestUnmet(t *testing.T) {
	s, err := Parse(Config{Tables: []string{"public.*"}, Exclude: []string{"public.users.secret", "public.users.hash*", "*.users.token", "public.teams.secret"}})
	if err != nil {
		t.Fatal(err)
	}
	for columns, want := range map[string]int{"id secret": 0, "id hash": 1, "id renamed": 1} {
		if got := s.Unmet("public", "users", strings.Fields(columns)); len(got) != want || want > 0 && got[0] != (Exclusion{"public.users.secret", "secret"}) {
			t.Errorf("%s: %v", columns, got)
		}
	}
}
