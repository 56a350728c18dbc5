package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// judgeStreams judges the streams of replhub and those of others beside them.
func judgeStreams(f *facts, r *Report) {
	if f.cfg.Conn == nil || noJetStream(f.accountErr) {
		return // told as server.reachable or server.jetstream
	}
	g := r.group(GroupStreams)
	if f.streamsErr != nil {
		g.unseen("streams.list", "", fmt.Sprintf("the streams of the account: %v", f.streamsErr), "use the hub's credentials")
	}
	found := map[string]bool{}
	for i := range f.streams {
		s := &f.streams[i]
		name := s.Config.Name
		found[name] = true
		want, ours := wanted(name)
		switch {
		case s.err != nil && ours:
			judgeUnread(g, name, s.err)
		case s.err != nil:
		case ours:
			judgeOwn(g, f, s, want)
		default:
			judgeOther(g, s)
		}
	}
	judgeMissing(g, f, found)
}

// wanted is the shape of a stream with one of the hub's names.
func wanted(name string) (s shape, ours bool) {
	if s, shared := shapeOf(name); shared {
		return s, true
	}
	service, ok := subjects.ParseLaneStream(name)
	if !ok {
		return shape{}, false
	}
	return laneShape(service), true
}

func judgeUnread(g group, name string, err error) {
	if err.Error() == errDenied.Error() {
		g.unseen("streams.info", name, "this stream: "+err.Error(), "use the hub's credentials")
		return
	}
	g.fail("streams.leader", name, fmt.Sprintf("the stream does not answer: %v", err),
		"check that a majority of the servers that have it runs ('nats server report jetstream')")
}

// judgeOwn judges a stream with one of the hub's names.
func judgeOwn(g group, f *facts, s *streamFact, want shape) {
	name := s.Config.Name
	if !want.marked(s.Config) {
		g.fail("streams.foreign", name, fmt.Sprintf("the stream has a name of replhub's and was not made by it (no metadata %s=%s)", contract.MetadataKey, contract.MetadataValue),
			"rename or delete it, or use another account or domain")
		return
	}
	serious, slight := want.differences(&s.Config)
	switch {
	case len(serious) > 0:
		g.fail("streams.settings", name, strings.Join(append(serious, slight...), "; "), advise(s, want))
	case len(slight) > 0:
		g.warn("streams.settings", name, strings.Join(slight, "; "), "drop the service and register it again, or wait until the events are trimmed")
	default:
		g.pass("streams.settings", name, "it is as the hub makes it")
	}
	judgeReplicas(g, f, s)
	judgeFill(g, s)
}

func advise(s *streamFact, want shape) string {
	if s.Config.Mirror != nil {
		return "run the hub in the other place, or promote the mirror (docs/operations.md, Several places)"
	}
	if s.Config.Storage != jetstream.FileStorage || s.Config.Retention != want.retention || s.Config.Sealed || s.Config.DenyPurge {
		return "the server does not change all of that: stop the hubs and make the stream again, or start with another account"
	}
	return fmt.Sprintf("set it right with 'nats stream edit %s'; a hub's start sets subjects and limits", s.Config.Name)
}

// judgeReplicas judges where a stream lies.
func judgeReplicas(g group, f *facts, s *streamFact) {
	name, n := s.Config.Name, max(s.Config.Replicas, 1)
	if n != f.replicas() {
		g.warn("streams.replicas", name, fmt.Sprintf("it has %d replicas, and %s has %d", n, contract.StreamIngest, f.replicas()),
			"a hub changes it while all servers run; 'replhub status' says what keeps it from that")
	}
	if s.Cluster == nil || n == 1 {
		return
	}
	if s.Cluster.Leader == "" {
		g.fail("streams.leader", name, "it has no leader", "check that a majority of the servers that have it runs")
		return
	}
	var away []string
	for _, peer := range s.Cluster.Replicas {
		if peer.Offline || !peer.Current {
			away = append(away, peer.Name)
		}
	}
	if len(away) > 0 {
		g.warn("streams.replicas", name, "replicas are away or behind: "+strings.Join(away, ", "), "start these servers, or give the stream others ('nats stream cluster peer-remove')")
		return
	}
	if n == f.replicas() {
		g.pass("streams.replicas", name, fmt.Sprintf("%d replicas are current", n))
	}
}

func judgeFill(g group, s *streamFact) {
	limit := s.Config.MaxBytes
	if limit <= 0 {
		return
	}
	name, fill := s.Config.Name, float64(s.State.Bytes)/float64(limit)
	text := fmt.Sprintf("%.0f %% full: %s of %s", 100*fill, contract.SizeText(s.State.Bytes), contract.SizeText(limit))
	if fill < nearly {
		g.pass("streams.fill", name, text)
		return
	}
	do := "redrive or remove dead letters, or raise " + contract.EnvDLQMaxBytes
	if name == contract.StreamIngest {
		do = "find the slowest lane with 'replhub ls', or raise " + contract.EnvIngestMaxBytes
	}
	g.warn("streams.fill", name, text, do)
}

// judgeOther judges a stream of somebody else.
func judgeOther(g group, s *streamFact) {
	var taken []string
	for _, subject := range s.Config.Subjects {
		for _, ours := range ownSubjects() {
			if overlaps(subject, ours) && !slices.Contains(taken, subject) {
				taken = append(taken, subject)
			}
		}
	}
	if len(taken) > 0 {
		g.fail("streams.overlap", s.Config.Name, "a stream of others takes subjects that replhub needs: "+strings.Join(taken, " "),
			"change its subjects or delete it, or use another account or domain")
	}
}

// ownSubjects are the subjects of all of the hub's streams.
func ownSubjects() []string {
	all := []string{"sub.*.>"}
	for _, s := range shapes() {
		if s.name != contract.StreamAdvisories { // others may listen to the server's advisories, too
			all = append(all, s.subjects...)
		}
	}
	return all
}

// judgeMissing judges which of the shared streams exist.
func judgeMissing(g group, f *facts, found map[string]bool) {
	if f.streamsErr != nil {
		return
	}
	var missing []string
	have := 0
	for _, s := range shapes() {
		switch {
		case found[s.name]:
			have++
		case s.name == bucketStream && f.registryKind() != "kv":
		default:
			missing = append(missing, s.name)
		}
	}
	switch {
	case len(missing) == 0:
		g.pass("streams.missing", "", "the streams that all services share exist")
	case have == 0:
		g.warn("streams.missing", "", "there are no streams of replhub: no hub has run in this account and domain", "start a hub, or name the account and --js-domain that it has")
	default:
		g.fail("streams.missing", strings.Join(missing, " "), "streams are missing", "a hub makes them again within seconds: start one; docs/operations.md says what is lost with each")
	}
	f.judgeUnknownLanes(g)
}

// judgeUnknownLanes finds lanes that no hub knows.
func (f *facts) judgeUnknownLanes(g group) {
	if f.servicesErr != nil || len(f.status) == 0 {
		return
	}
	known := map[string]bool{}
	for i := range f.services {
		known[f.services[i].Stream] = true
	}
	for i := range f.streams {
		s := &f.streams[i]
		service, lane := subjects.ParseLaneStream(s.Config.Name)
		if lane && s.err == nil && laneShape(service).marked(s.Config) && !known[s.Config.Name] {
			g.warn("streams.unknown", s.Config.Name, "a lane that the hubs do not know", "look again in a moment; then drop the service, or look at the hub's log")
		}
	}
}

// registryKind is kv or zk, as the hubs say, or as this command was told; empty if unknown.
func (f *facts) registryKind() string {
	switch {
	case len(f.status) > 0:
		return f.status[0].Registry.Kind
	case f.cfg.ZooKeeper != nil:
		return "zk"
	default:
		return ""
	}
}
