package replhubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rows reads a set of rows, by key. A row is anything that has a JSON form, such
// as a string, a struct or a map.
type Rows[Row any] func(ctx context.Context) (map[string]Row, error)

// Converged waits until the replica's rows equal the source's. If they do not in
// time, it fails the test and names the rows that differ. Rows are compared by their
// JSON: members in any order, numbers by value of their text.
//
// Each look reads both again, the source first. If a replica has only some fields or
// rows, read only those of the source.
func Converged[S, R any](t T, source Rows[S], replica Rows[R], waits ...Wait) {
	t.Helper()
	check := func() error {
		want, err := read(t.Context(), source)
		if err != nil {
			return fmt.Errorf("read the source: %w", err)
		}
		got, err := read(t.Context(), replica)
		if err != nil {
			return fmt.Errorf("read the replica: %w", err)
		}
		return differences(want, got)
	}
	if err := await(t, check, waits); err != nil {
		t.Fatalf("the replica has not converged: %v", err)
	}
}

// read reads rows as canonical JSON.
func read[Row any](ctx context.Context, rows Rows[Row]) (map[string]string, error) {
	found, err := rows(ctx)
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string, len(found))
	for key, row := range found {
		if texts[key], err = canonical(row); err != nil {
			return nil, fmt.Errorf("row %q: %w", key, err)
		}
	}
	return texts, nil
}

// canonical is a value's JSON with members in order.
func canonical(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // large integers as they are
	var plain any
	if err := dec.Decode(&plain); err != nil {
		return "", err
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain); err != nil {
		return "", err
	}
	return strings.TrimSpace(text.String()), nil
}

// shown is how many rows a failure shows.
const shown = 10

// differences is nil when there are none.
func differences(want, got map[string]string) error {
	var lines []string
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		source, due := want[key]
		replica, there := got[key]
		switch {
		case !there:
			lines = append(lines, fmt.Sprintf("  %s: missing\n      source   %s", key, source))
		case !due:
			lines = append(lines, fmt.Sprintf("  %s: not in the source\n      replica  %s", key, replica))
		case source != replica:
			lines = append(lines, fmt.Sprintf("  %s: differs\n      source   %s\n      replica  %s", key, source, replica))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	n := len(lines)
	if n > shown {
		lines = append(lines[:shown], fmt.Sprintf("  and %d more", n-shown))
	}
	return fmt.Errorf("%d of %d rows:\n%s", n, len(all), strings.Join(lines, "\n"))
}
