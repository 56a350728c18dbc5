package record

import (
	"encoding/json"
	"strings"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Places in the registry.
const (
	entitiesFolder = "entities"
	servicesFolder = "services"
	hubsFolder     = "hubs"
)

// Folders are what a registry must have at the start.
func Folders() []string { return []string{entitiesFolder, servicesFolder, hubsFolder} }

// Patterns are the patterns of what counts as a record.
func Patterns() []string {
	return []string{entitiesFolder + "/*", entitiesFolder + "/*/*", servicesFolder + "/*", hubsFolder + "/*"}
}

// InterestPath is the place of the record of a service's interest in an entity.
func InterestPath(entity string, service subjects.Name) string {
	return entitiesFolder + "/" + entity + "/" + service.String()
}

// InterestPaths are the places of several.
func InterestPaths(entities []string, service subjects.Name) []string {
	paths := make([]string, 0, len(entities)+1)
	for _, entity := range entities {
		paths = append(paths, InterestPath(entity, service))
	}
	return paths
}

// ServicePath is the place of a service's record.
func ServicePath(service subjects.Name) string { return servicesFolder + "/" + service.String() }

// HubPath is the place of a hub's record.
func HubPath(id string) string { return hubsFolder + "/" + id }

// ParseServicePath takes "services/<service>" apart. It does not check the name.
func ParseServicePath(path string) (name string, ok bool) {
	return strings.CutPrefix(path, servicesFolder+"/")
}

// Hubs are the ids of the hubs that a registry has records of.
func Hubs(s *tree.Snapshot) []string {
	var ids []string
	for path := range s.Entries {
		if id, ok := strings.CutPrefix(path, hubsFolder+"/"); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// HubPolicies are what the hubs that have a record allow of an entity without a policy, by
// id. It leaves out hubs of a version that does not say it.
func HubPolicies(s *tree.Snapshot) map[string]string {
	policies := make(map[string]string)
	for path, entry := range s.Entries {
		var says struct {
			Policy string `json:"policy"`
		}
		if id, ok := strings.CutPrefix(path, hubsFolder+"/"); ok && json.Unmarshal(entry.Value, &says) == nil && says.Policy != "" {
			policies[id] = says.Policy
		}
	}
	return policies
}

// ParseInterestPath takes "entities/<entity>/<service>" apart.
func ParseInterestPath(path string) (entity, service subjects.Name, ok bool) {
	rest, ok := strings.CutPrefix(path, entitiesFolder+"/")
	if !ok {
		return entity, service, false
	}
	first, second, ok := strings.Cut(rest, "/")
	if !ok {
		return entity, service, false
	}
	entity, err := subjects.ParseName(first)
	if err != nil {
		return entity, service, false
	}
	service, err = subjects.ParseName(second)
	return entity, service, err == nil
}
