package apply

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// sort of value that a member was seen to have.
type sort uint

// The sorts, as a set.
const (
	sortText   sort = 1 << iota
	sortMoment      // text that is an RFC 3339 time with its offset, to the microsecond
	sortWhole       // a number without a fraction, of 64 bits
	sortNumber      // a number that a float of 64 bits prints again
	sortLong        // a number of more digits, that decimal(65,30) takes
	sortHuge        // any other number
	sortBool
	sortJSON // an object or an array
)

// guess is a column that is to be made.
type guess struct {
	name, path, typeName string
}

// guessed is a table that is to be made.
type guessed struct {
	key     guess
	columns []guess
	// leftOut are members that cannot have a column, and why.
	leftOut []string
}

// infer decides what a table of an entity has to look like from some of its rows, so
// that it takes them and what is like them without a loss. Pure.
func infer(d database.Dialect, spec Table, rows []*replhub.Delivery) guessed {
	seen := map[string]sort{} // by path
	for _, row := range rows {
		for path, raw := range membersOf(row.Data) {
			seen[path] |= sortOf(raw)
		}
		for _, path := range spec.Columns {
			if raw, ok := memberAt(row.Data, strings.Split(path, ".")); ok {
				seen[path] |= sortOf(raw)
			} else {
				seen[path] |= 0
			}
		}
	}
	g := guessed{key: keyGuess(d, spec, rows)}
	taken := map[string]bool{strings.ToLower(g.key.name): true}
	for _, column := range slices.Sorted(maps.Keys(spec.Columns)) {
		path := spec.Columns[column]
		g.columns = append(g.columns, guess{column, path, typeOf(d, seen[path])})
		taken[strings.ToLower(column)] = true
	}
	for _, path := range memberOrder(rows) {
		switch {
		case mappedOrBelow(spec, path), slices.Contains(spec.Ignore, path), path == g.key.name:
		case strings.Contains(path, ".") || path == "" || len(path) > database.MaxName || strings.ContainsRune(path, 0):
			g.leftOut = append(g.leftOut, path+": its name cannot be a column's")
		case taken[strings.ToLower(path)]:
			g.leftOut = append(g.leftOut, path+": another column has its name but for the letters' case")
		default:
			g.columns = append(g.columns, guess{path, path, typeOf(d, seen[path])})
			taken[strings.ToLower(path)] = true
		}
	}
	return g
}

// mappedOrBelow reports whether the mapping takes a member, or a part of it.
func mappedOrBelow(spec Table, member string) bool {
	for _, path := range spec.Columns {
		if path == member || strings.HasPrefix(path, member+".") {
			return true
		}
	}
	return false
}

// membersOf are the members of a row; nil where it is no object.
func membersOf(data []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	return members
}

// memberOrder are the names of all rows' members, in the order in which they first come.
func memberOrder(rows []*replhub.Delivery) []string {
	var names []string
	known := map[string]bool{}
	for _, row := range rows {
		dec := json.NewDecoder(bytes.NewReader(row.Data))
		if t, err := dec.Token(); err != nil || t != json.Delim('{') {
			continue
		}
		for dec.More() {
			t, err := dec.Token()
			name, ok := t.(string)
			var skipped json.RawMessage
			if err != nil || !ok || dec.Decode(&skipped) != nil {
				break
			}
			if !known[name] {
				known[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

func memberAt(data []byte, path []string) (json.RawMessage, bool) {
	for i, name := range path {
		raw, ok := membersOf(data)[name]
		if !ok {
			return nil, false
		}
		if i == len(path)-1 {
			return raw, true
		}
		data = raw
	}
	return nil, false
}

var momentText = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$`)

// sortOf is a value's sort; a null has none.
func sortOf(raw json.RawMessage) sort {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return 0
	case raw[0] == '{' || raw[0] == '[':
		return sortJSON
	case raw[0] == 't' || raw[0] == 'f':
		return sortBool
	case raw[0] == '"':
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return sortText
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err == nil && momentText.MatchString(text) && at.UTC().Year() >= 1 && at.UTC().Year() <= 9999 {
			return sortMoment
		}
		return sortText
	default:
		if _, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return sortWhole
		}
		return numberOf(string(raw))
	}
}

// numberOf is the sort of a number that is not whole.
func numberOf(text string) sort {
	exact, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 400 {
		return sortHuge
	}
	f, _ := exact.Float64()
	again, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', 15, 64))
	if ok && again.Cmp(exact) == 0 {
		return sortNumber
	}
	scaled := new(big.Rat).Mul(exact, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(30), nil)))
	if scaled.IsInt() && len(new(big.Int).Abs(scaled.Num()).String()) <= 65 {
		return sortLong
	}
	return sortHuge
}

// sortNumbers are those of all numbers.
const sortNumbers = sortWhole | sortNumber | sortLong | sortHuge

// typeOf is a type that stores values of these sorts without a loss.
func typeOf(d database.Dialect, s sort) string {
	switch d {
	case database.Postgres:
		return postgresType(s)
	case database.MariaDB:
		return mariadbType(s)
	default:
		return sqliteType(s)
	}
}

func postgresType(s sort) string {
	switch {
	case s == sortMoment:
		return "timestamptz"
	case s&^(sortText|sortMoment) == 0:
		return "text"
	case s&^sortNumbers == 0:
		return "numeric"
	case s == sortBool:
		return "boolean"
	default:
		return "jsonb"
	}
}

func mariadbType(s sort) string {
	switch {
	case s == sortMoment:
		return "datetime(6)"
	case s&^(sortText|sortMoment) == 0, s&sortHuge != 0 && s&^sortNumbers == 0:
		return "longtext CHARACTER SET utf8mb4"
	case s == sortWhole:
		return "bigint"
	case s&^sortNumbers == 0:
		return "decimal(65,30)"
	case s == sortBool:
		return "boolean"
	default:
		return "json"
	}
}

// sqliteType has no type where sorts are mixed: such a column keeps each value's own.
func sqliteType(s sort) string {
	switch {
	case s&^(sortText|sortMoment) == 0, s == sortJSON, s&(sortLong|sortHuge) != 0 && s&^sortNumbers == 0:
		return "TEXT"
	case s == sortWhole:
		return "INTEGER"
	case s&^sortNumbers == 0:
		return "NUMERIC"
	case s == sortBool:
		return "BOOLEAN"
	default:
		return ""
	}
}

// keyGuess is the key's column: that of the member id where it is the key, as a number
// if all are.
func keyGuess(d database.Dialect, spec Table, rows []*replhub.Delivery) guess {
	name, whole, longest := spec.Key, true, 0
	if name == "" {
		name = "id"
		for _, row := range rows {
			if raw, ok := membersOf(row.Data)["id"]; ok && !isKey(raw, row.Key) {
				name = "entity_key"
			}
		}
	}
	for _, row := range rows {
		raw := membersOf(row.Data)[name]
		n, ok := new(big.Int).SetString(row.Key, 10)
		whole = whole && ok && n.IsInt64() && n.String() == row.Key && sortOf(raw) == sortWhole
		longest = max(longest, len(row.Key))
	}
	return guess{name: name, typeName: keyType(d, whole && len(rows) > 0, longest)}
}

func isKey(raw json.RawMessage, key string) bool {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text == key
	}
	return string(bytes.TrimSpace(raw)) == key
}

func keyType(d database.Dialect, whole bool, longest int) string {
	switch {
	case d == database.SQLite && whole:
		return "INTEGER"
	case d == database.SQLite:
		return "TEXT"
	case whole:
		return "bigint"
	case d == database.MariaDB && longest > 255:
		return "varchar(768) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" // an index's longest
	case d == database.MariaDB:
		return "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
	default:
		return "text"
	}
}
