package lane

import (
	"fmt"
	"sync"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/subjects"
)

// compiled keeps a lane's interests compiled, so that a new interest costs only its
// own compilation. The zero compiled works. It may be used concurrently.
type compiled struct {
	compiler match.Compiler

	mu   sync.Mutex // guards kept
	kept map[compiledKey]compiledInterest
}

// compiledKey identifies an interest, or the interest as it judges rows.
type compiledKey struct {
	id   string
	rows bool
}

type compiledInterest struct {
	from Interest
	// only is the filter of the backfill whose rows are judged; empty otherwise.
	only  string
	ready *match.Interest
}

// get returns an interest compiled, from memory if its definition has not changed.
// The result judges events, or the rows of a snapshot if that is not nil.
func (c *compiled) get(in Interest, of *Snapshot) (*match.Interest, error) {
	key, only := compiledKey{in.ID, of != nil}, ""
	if of != nil {
		in, only = in.ForRows(of), of.Filter
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.kept[key]; ok && have.from.Since == in.Since && have.from.Equal(in.Definition) && have.from.Policy.Equal(in.Policy) && have.only == only {
		return have.ready, nil
	}
	ready, err := in.CompileBy(&c.compiler, only)
	if err != nil {
		return nil, fmt.Errorf("compile the interest in %s: %w", in.Entity, err)
	}
	if c.kept == nil {
		c.kept = make(map[compiledKey]compiledInterest)
	}
	c.kept[key] = compiledInterest{in, only, ready}
	return ready, nil
}

// keep forgets the interests that a state does not have.
func (c *compiled) keep(s State) {
	here := make(map[string]bool, len(s.Interests))
	for i := range s.Interests {
		here[s.Interests[i].ID] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.kept {
		if !here[key.id] || key.rows && !s.Filling(key.id) {
			delete(c.kept, key)
		}
	}
}

// Compiled is an interest that is in force in the lane, ready to expand events.
func (l *Lane) Compiled(in Interest) (*match.Interest, error) { return l.compiled.get(in, nil) }

// ExpandAnew expands one event again under the interests in force in a state, whether
// or not they are in a fill.
func (l *Lane) ExpandAnew(s State, e *event.Event) (match.Decision, error) {
	return expandAnew(&l.compiled, s, l.service, e)
}

// ExpandAnew is Lane.ExpandAnew without a Lane.
func ExpandAnew(s State, service subjects.Name, e *event.Event) (match.Decision, error) {
	return expandAnew(new(compiled), s, service, e)
}

// expandAnew compiles the one interest that can match.
func expandAnew(c *compiled, s State, service subjects.Name, e *event.Event) (match.Decision, error) {
	var interests []*match.Interest
	if in := s.Find(e.Subject.Entity().String()); in != nil {
		ready, err := c.get(*in, nil)
		if err != nil {
			return match.Decision{}, err
		}
		interests = append(interests, ready)
	}
	return match.New(service, Partitions(s.Queue), interests).Expand(e), nil
}
