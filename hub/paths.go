package hub

import (
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/subjects"
)

type natsMsg = nats.Msg

// Places in the registry.
const (
	entitiesFolder = "entities"
	servicesFolder = "services"
	hubsFolder     = "hubs"
)

// Subjects between hubs.
const (
	// changedSubject tells every hub that a service's lane was made or changed.
	changedSubject = "replhub._changed"
	// forwardPrefix precedes "<hub>.<verb>.<service>".
	forwardPrefix = "replhub._to."
)

// RegistryFolders are what a registry must have at the start, and
// RegistryRecords the patterns of what counts as a record there.
func RegistryFolders() []string { return []string{entitiesFolder, servicesFolder, hubsFolder} }

// RegistryRecords are the patterns of records.
func RegistryRecords() []string {
	return []string{entitiesFolder + "/*/*", servicesFolder + "/*", hubsFolder + "/*"}
}

func interestPath(entity string, service subjects.Name) string {
	return entitiesFolder + "/" + entity + "/" + service.String()
}

func interestPaths(entities []string, service subjects.Name) []string {
	paths := make([]string, 0, len(entities)+1)
	for _, entity := range entities {
		paths = append(paths, interestPath(entity, service))
	}
	return paths
}

func servicePath(service subjects.Name) string { return servicesFolder + "/" + service.String() }

func hubPath(id string) string { return hubsFolder + "/" + id }

// parseInterestPath takes "entities/<entity>/<service>" apart.
func parseInterestPath(path string) (entity, service subjects.Name, ok bool) {
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
