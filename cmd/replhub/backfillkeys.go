package main

import (
	"bufio"
	"fmt"
	"slices"

	"github.com/replhub/replhub/internal/contract"
)

// backfills are the requests for the rows that the flags name: one, or for many keys
// several, since a backfill takes a limited number of keys.
func (a *app) backfills(entity, where string, keys []string) ([]contract.Backfill, error) {
	if len(keys) == 0 {
		return []contract.Backfill{{Entity: entity, Filter: where}}, nil
	}
	if where != "" {
		return nil, usagef("--key and --where exclude each other")
	}
	keys, err := a.readKeys(keys)
	if err != nil {
		return nil, err
	}
	var requests []contract.Backfill
	for len(keys) > 0 {
		n := contract.KeysOfOneBackfill(keys)
		requests = append(requests, contract.Backfill{Entity: entity, Keys: keys[:n]})
		keys = keys[n:]
	}
	return requests, nil
}

// readKeys returns the keys, sorted, each once. "-" stands for the lines of stdin.
func (a *app) readKeys(given []string) ([]string, error) {
	var keys []string
	for _, key := range given {
		if key != "-" {
			keys = append(keys, key)
			continue
		}
		lines := bufio.NewScanner(a.in) // drops a line's \r as well
		for lines.Scan() {
			if lines.Text() != "" {
				keys = append(keys, lines.Text())
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read keys from stdin: %w", err)
		}
	}
	if len(keys) == 0 {
		return nil, usagef("--key -: stdin has no key; give one key on a line")
	}
	for _, key := range keys {
		if !contract.ValidKey(key) {
			return nil, usagef("--key %q: no event can have this key: it has a control character, or blanks at an end, or is too long", key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
