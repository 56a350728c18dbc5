package record

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Policy is the registry's record of an entity's policy. It lies at the entity's own
// place, above the records of the interests in the entity.
type Policy struct {
	Form int `json:"v"`
	// Rev is the policy's revision; 0 in a record made by hand, which a hub puts in
	// force.
	Rev uint64 `json:"rev,omitempty"`
	// Allow is the policy, by service.
	Allow map[string]contract.Grant `json:"allow"`
}

// NewPolicy is the record of a policy.
func NewPolicy(rev uint64, allow map[string]contract.Grant) Policy {
	return Policy{Form: current, Rev: rev, Allow: allow}
}

// PolicyPath is the place of an entity's policy.
func PolicyPath(entity string) string { return entitiesFolder + "/" + entity }

// ParsePolicyPath takes "entities/<entity>" apart. It does not check the name.
func ParsePolicyPath(path string) (entity string, ok bool) {
	entity, ok = strings.CutPrefix(path, entitiesFolder+"/")
	return entity, ok && !strings.Contains(entity, "/")
}

// FoundPolicy is what the registry has at an entity's place.
type FoundPolicy struct {
	// Is says that there is a record. An empty one is none.
	Is bool
	// Problem says why the record is no policy that this hub can apply; empty for a
	// policy.
	Problem string
	// Newer says that a newer replhub wrote the record.
	Newer  bool
	Policy Policy
	// Version is for Overwrite; tree.Absent without a node or key.
	Version tree.Version
}

// ParsePolicy reads an entity's record.
func ParsePolicy(entry tree.Entry) FoundPolicy {
	found := FoundPolicy{Version: entry.Version}
	data := withoutQuotes(entry.Value)
	if len(strings.TrimSpace(string(data))) == 0 {
		return found
	}
	found.Is = true
	if IsNewer(data) {
		found.Newer, found.Problem = true, "it was written by a newer replhub; upgrade this hub"
		return found
	}
	err := decode(data, &found.Policy)
	switch {
	case err != nil:
	case checkForm(found.Policy.Form) != nil:
		err = checkForm(found.Policy.Form)
	case found.Policy.Allow == nil:
		err = errors.New("allow: is missing; write {\"v\":1,\"allow\":{\"sharing\":{}}} to allow everything to the service sharing, or {\"v\":1,\"allow\":{}} to allow nothing to any service")
	}
	if err != nil {
		found.Problem = err.Error()
	}
	return found
}

// Policy is an entity's record as it was last read; known is false before the first
// complete load.
func (b *Book) Policy(entity string) (found FoundPolicy, known bool) {
	snapshot := b.registry.Snapshot()
	if snapshot == nil {
		return FoundPolicy{Version: tree.Absent}, false
	}
	entry, there := snapshot.Entries[PolicyPath(entity)]
	if !there {
		return FoundPolicy{Version: tree.Absent}, true
	}
	return ParsePolicy(entry), true
}

// PolicyNow is an entity's record as the registry has it now.
func (b *Book) PolicyNow(ctx context.Context, entity string) (FoundPolicy, error) {
	entry, err := b.registry.Get(ctx, PolicyPath(entity))
	if errors.Is(err, tree.ErrNotFound) {
		return FoundPolicy{Version: tree.Absent}, nil
	}
	if err != nil {
		return FoundPolicy{}, fmt.Errorf("read the policy of %s: %w", entity, err)
	}
	return ParsePolicy(entry), nil
}

// Governed are the entities of whose policy the registry has a record, sorted.
func (b *Book) Governed() []string {
	snapshot := b.registry.Snapshot()
	if snapshot == nil {
		return nil
	}
	var entities []string
	for _, path := range slices.Sorted(maps.Keys(snapshot.Entries)) {
		entity, ok := ParsePolicyPath(path)
		if _, err := subjects.ParseName(entity); ok && err == nil && ParsePolicy(snapshot.Entries[path]).Is {
			entities = append(entities, entity)
		}
	}
	return entities
}
