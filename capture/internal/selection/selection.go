// Package selection says which tables and columns are captured, as which entities, and
// under which keys. It is pure.
package selection

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/replhub/replhub/capture/internal/outboxtable"
)

// Config is what an operator says, in the words of the command's flags.
type Config struct {
	// Tables are "schema.table=entity". Without an entity, the entity is the table's
	// name. A "*" stands for any characters of a name.
	Tables []string
	// Exclude are "schema.table.column", in which "*" means the same.
	Exclude []string
	// Keys are "schema.table=column,column".
	Keys []string
	// Outboxes are "schema.table" or "schema.table=layout", without "*".
	Outboxes []string
}

// Selection is a Config that was read.
type Selection struct {
	rules    []rule
	excluded []exclusion
	keys     map[string][]string
	outboxes map[string]*outboxtable.Layout
}

type rule struct {
	text   string
	name   pattern
	entity string // empty: the table's name
}

type exclusion struct {
	text          string
	table, column pattern
}

// pattern is a name in which "*" stands for any characters.
type pattern struct {
	text  string
	exact bool
	re    *regexp.Regexp
}

func newPattern(text string) pattern {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*")
	return pattern{text: text, exact: !strings.Contains(text, "*"), re: regexp.MustCompile("(?s)^" + quoted + "$")}
}

func (p pattern) matches(name string) bool { return p.re.MatchString(name) }

// Parse reads a Config. Errors name the flag and the value.
func Parse(cfg Config) (*Selection, error) {
	s := &Selection{keys: map[string][]string{}, outboxes: map[string]*outboxtable.Layout{}}
	if len(cfg.Tables)+len(cfg.Outboxes) == 0 {
		return nil, fmt.Errorf("no table is named: add --table schema.table=entity, such as --table public.users=user")
	}
	for _, text := range cfg.Outboxes {
		if err := s.addOutbox(text); err != nil {
			return nil, err
		}
	}
	for _, text := range cfg.Tables {
		name, entity := cutLast(text, "=")
		if strings.Contains(text, "=") && entity == "" || !qualified(name) {
			return nil, fmt.Errorf("--table %q: must be schema.table=entity, such as public.users=user", text)
		}
		s.rules = append(s.rules, rule{text, newPattern(name), entity})
	}
	for _, r := range s.rules {
		if r.name.exact && s.outboxes[r.name.text] != nil {
			return nil, fmt.Errorf("--table %q: the table is an outbox (--outbox), whose rows are no entity", r.text)
		}
	}
	for _, text := range cfg.Exclude {
		dot := strings.LastIndex(text, ".")
		if dot < 0 || !qualified(text[:dot]) || dot == len(text)-1 {
			return nil, fmt.Errorf("--exclude %q: must be schema.table.column, such as public.users.password_hash", text)
		}
		s.excluded = append(s.excluded, exclusion{text, newPattern(text[:dot]), newPattern(text[dot+1:])})
	}
	for _, text := range cfg.Keys {
		name, list := cutLast(text, "=")
		columns := strings.Split(list, ",")
		if !qualified(name) || slices.Contains(columns, "") {
			return nil, fmt.Errorf("--key %q: must be schema.table=column, or several columns with commas between", text)
		}
		if _, twice := s.keys[name]; twice {
			return nil, fmt.Errorf("--key %q: table %s has a key already; name all columns in one --key", text, name)
		}
		s.keys[name] = columns
	}
	return s, nil
}

func (s *Selection) addOutbox(text string) error {
	name, layout, assigned := strings.Cut(text, "=")
	_, twice := s.outboxes[name]
	switch {
	case !qualified(name) || strings.Contains(name, "*") || assigned && layout == "":
		return fmt.Errorf("--outbox %q: must be schema.table or schema.table=layout, such as public.outbox=debezium", text)
	case twice:
		return fmt.Errorf("--outbox %q: the table %s is named already", text, name)
	}
	l, err := outboxtable.Parse(layout)
	if err != nil {
		return fmt.Errorf("--outbox %q: %w", text, err)
	}
	s.outboxes[name] = l
	return nil
}

// Outbox returns the layout of a table that is an outbox; nil for every other one.
func (s *Selection) Outbox(schema, table string) *outboxtable.Layout {
	return s.outboxes[schema+"."+table]
}

// Outboxes are the names of the outboxes, ascending.
func (s *Selection) Outboxes() []string { return slices.Sorted(maps.Keys(s.outboxes)) }

// beside reports whether a table belongs to an outbox, so that a pattern does not mean it:
// the outbox, and what package outbox keeps beside its table.
func (s *Selection) beside(name string) bool {
	if s.outboxes[name] != nil {
		return true
	}
	for _, suffix := range []string{"_versions", "_shards", "_generation", "_failed"} {
		if of, ok := strings.CutSuffix(name, suffix); ok && s.outboxes[of] != nil && s.outboxes[of].Own() {
			return true
		}
	}
	return false
}

// cutLast parts a text at the last separator; without one, all is before.
func cutLast(text, separator string) (before, after string) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, ""
	}
	return text[:at], text[at+len(separator):]
}

// qualified reports whether a name has a schema and a table.
func qualified(name string) bool {
	schema, table, ok := strings.Cut(name, ".")
	return ok && schema != "" && table != ""
}

// Entity returns the entity of a table's rows, and whether the table is captured. A rule
// without "*" has precedence; else the first rule that matches counts. No pattern means
// an outbox.
func (s *Selection) Entity(schema, table string) (entity string, ok bool) {
	r := s.rule(schema + "." + table)
	if r == nil {
		return "", false
	}
	if r.entity == "" {
		return table, true
	}
	return r.entity, true
}

// Named reports whether a table is named by itself, not by a pattern.
func (s *Selection) Named(schema, table string) bool {
	r := s.rule(schema + "." + table)
	return r != nil && r.name.exact || s.Outbox(schema, table) != nil
}

func (s *Selection) rule(name string) *rule {
	var found *rule
	beside := s.beside(name)
	for n := range s.rules {
		r := &s.rules[n]
		if !r.name.matches(name) || beside && !r.name.exact {
			continue
		}
		if r.name.exact {
			return r
		}
		if found == nil {
			found = r
		}
	}
	return found
}

// Excludes reports whether no event has a column.
func (s *Selection) Excludes(schema, table, column string) bool {
	return slices.ContainsFunc(s.excluded, func(e exclusion) bool {
		return e.table.matches(schema+"."+table) && e.column.matches(column)
	})
}

// Unmet returns the exclusions without "*" that match none of a table's columns. Such a
// column may have another name now, under which nothing excludes it.
func (s *Selection) Unmet(schema, table string, columns []string) []Exclusion {
	var unmet []Exclusion
	for _, e := range s.excluded {
		if e.table.exact && e.column.exact && e.table.matches(schema+"."+table) && !slices.ContainsFunc(columns, e.column.matches) {
			unmet = append(unmet, Exclusion{e.text, e.column.text})
		}
	}
	return unmet
}

// Exclusion is an exclusion as it was stated, and its column.
type Exclusion struct{ Text, Column string }

// Key returns the key that --key gives a table; nil without one.
func (s *Selection) Key(schema, table string) []string { return s.keys[schema+"."+table] }

// Unused is a setting that has no effect.
type Unused struct {
	// Flag is the setting as it was stated, Message why it has no effect.
	Flag, Message string
	// Harmless says that a setting with "*" is in order without a match: it may be meant
	// for what comes later, or for a name of before.
	Harmless bool
}

// Unused returns the settings that have no effect on the tables that are captured, in the
// order of their texts. columns returns the columns of each table, by "schema.table".
func (s *Selection) Unused(columns map[string][]string) []Unused {
	var unused []Unused
	say := func(flag string, harmless bool, message string) {
		unused = append(unused, Unused{flag, message, harmless})
	}
	for n := range s.rules {
		r := &s.rules[n]
		switch matched, chosen := s.matched(r, columns); {
		case !matched && r.name.exact:
			say("--table "+r.text, false, "there is no such table")
		case !matched:
			say("--table "+r.text, false, "no table that can be captured has such a name")
		case !chosen:
			say("--table "+r.text, true, "other rules have precedence for all tables that it matches: a rule without *, and of those with * the first one; state it before them")
		}
	}
	for _, e := range s.excluded {
		found := false
		for table, names := range columns {
			found = found || e.table.matches(table) && slices.ContainsFunc(names, e.column.matches)
		}
		if !found {
			say("--exclude "+e.text, !e.column.exact, "no table that is captured has such a column")
		}
	}
	for table := range s.keys {
		if _, ok := columns[table]; !ok {
			say("--key "+table, false, "no such table is captured")
		}
	}
	slices.SortFunc(unused, func(a, b Unused) int { return strings.Compare(a.Flag, b.Flag) })
	return unused
}

// matched reports whether a rule matches a table, and whether it is the one that counts
// for one.
func (s *Selection) matched(r *rule, columns map[string][]string) (matched, chosen bool) {
	for table := range columns {
		if r.name.matches(table) {
			matched, chosen = true, chosen || s.rule(table) == r
		}
	}
	return matched, chosen
}
