package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// counts are things that happened, by name. They may be used concurrently.
type counts struct {
	mu sync.Mutex // guards n
	n  map[string]int
}

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int)
	}
	c.n[what]++
}

// String lists what there is, by name.
func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.n)) {
		fmt.Fprintf(&b, " %s %d", what, c.n[what])
	}
	return strings.TrimPrefix(b.String(), " ")
}
