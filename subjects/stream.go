package subjects

import (
	"strconv"
	"strings"
)

// IngestSubjects lists what the ingest stream takes: every entity under each
// operation, so that a publish under another word has no responders.
func IngestSubjects() []string {
	return []string{"db.*.create", "db.*.read", "db.*.update", "db.*.delete"}
}

// lanePrefix precedes the service's name in its lane's stream name.
const lanePrefix = "SUB_"

// LaneStream is the name of a service's lane: SUB_<service>.
func LaneStream(service Name) string { return lanePrefix + service.s }

// ParseLaneStream gives the service whose lane a stream is by its name; false
// when it is no lane's name.
func ParseLaneStream(stream string) (Name, bool) {
	rest, ok := strings.CutPrefix(stream, lanePrefix)
	if !ok || !isName(rest) {
		return Name{}, false
	}
	return Name{rest}, true
}

// LaneSubjects is what a lane takes, copies and state records:
// sub.<service>.>.
func LaneSubjects(service Name) string { return "sub." + service.s + ".>" }

// State is the subject of a lane's state records. Its last token is no name, so
// no copy's subject can be taken for it.
func State(service Name) string { return "sub." + service.s + "._state" }

// WorkerFilter matches the copies of one partition, or of all when partition is
// negative, and never a state record.
func WorkerFilter(service Name, partition int) string {
	if partition < 0 {
		return "sub." + service.s + ".*.*.*"
	}
	return "sub." + service.s + ".*.*." + strconv.Itoa(partition)
}

// DeadLetterFilter matches all dead letters of a service.
func DeadLetterFilter(service Name) string { return "dlq." + service.s + ".>" }

// Control is the subject of a control verb: replhub.<verb>.<service>, or
// replhub.<verb> when the service is the zero Name. The verb is one of the
// contract's constants.
func Control(verb string, service Name) string {
	if service.IsZero() {
		return "replhub." + verb
	}
	return "replhub." + verb + "." + service.s
}
