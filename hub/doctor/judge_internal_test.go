package doctor

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/place"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/permissions"
)

// fakeConn stands for a connection that judges only ask for its presence.
var fakeConn = new(nats.Conn)

// found are the checks that a judge finds ill, with their levels.
func found(judge func(*facts, *Report), f *facts) []string {
	r := &Report{}
	judge(f, r)
	var ill []string
	for _, one := range r.Findings {
		if one.Level != Pass {
			ill = append(ill, string(one.Level)+" "+one.Check)
		}
	}
	return ill
}

// Each trouble of a lane has its finding, and a lane in good order has none.
func TestLanes(t *testing.T) {
	now := time.Now()
	soon := now.Add(time.Hour)
	for name, tt := range map[string]struct {
		lane contract.LaneStatus
		want []string
	}{
		"live":           {contract.LaneStatus{State: contract.LaneLive}, nil},
		"filling":        {contract.LaneStatus{State: contract.LaneFilling, Lag: 10, LagSeconds: 2}, nil},
		"detached":       {contract.LaneStatus{State: contract.LaneDetached}, []string{"fail lanes.state"}},
		"stalled":        {contract.LaneStatus{State: contract.LaneStalled, Reason: "lane_full"}, []string{"fail lanes.state"}},
		"incompatible":   {contract.LaneStatus{State: contract.LaneIncompatible}, []string{"fail lanes.state"}},
		"of a newer hub": {contract.LaneStatus{State: "resting"}, []string{"warn lanes.state"}},
		"behind":         {contract.LaneStatus{State: contract.LaneBehind, Lag: 9, LagSeconds: 61}, []string{"warn lanes.lag"}},
		"backlog":        {contract.LaneStatus{State: contract.LaneLive, Backlog: 9, OldestUnacked: 301}, []string{"warn lanes.backlog"}},
		"dead letters":   {contract.LaneStatus{State: contract.LaneLive, DeadLetters: 1}, []string{"warn lanes.dead_letters"}},
		"uncounted":      {contract.LaneStatus{State: contract.LaneLive, DeadLettersUnknown: true}, []string{"unseen lanes.dead_letters"}},
		"outage":         {contract.LaneStatus{State: contract.LaneLive, Unavailable: []contract.Unavailable{{Instance: "a", Error: "no database"}}}, []string{"warn lanes.unavailable"}},
		"no consumer":    {contract.LaneStatus{State: contract.LaneLive, Workers: []contract.WorkerStatus{{Missing: true}}}, []string{"fail lanes.consumer"}},
		"paused":         {contract.LaneStatus{State: contract.LaneLive, Workers: []contract.WorkerStatus{{PausedUntil: &soon}, {PausedUntil: &soon}}}, []string{"warn lanes.paused"}},
		"no owner":       {contract.LaneStatus{State: contract.LaneFilling, Fill: &contract.FillStatus{Stalled: "nobody serves it"}}, []string{"warn lanes.fill"}},
	} {
		f := &facts{cfg: Config{Clock: func() time.Time { return now }}, status: []hubStatus{{}}, services: []contract.LaneStatus{tt.lane}}
		if got := found(judgeLanes, f); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// What a hub says of itself becomes findings.
func TestHubs(t *testing.T) {
	conn := Config{Conn: fakeConn}
	ready := contract.Status{Hub: "one", Ready: true, Hubs: []string{"one"}}
	with := func(change func(*contract.Status)) *facts {
		s := ready
		change(&s)
		return &facts{cfg: conn, status: []hubStatus{{Status: s}}}
	}
	for name, tt := range map[string]struct {
		facts *facts
		want  []string
	}{
		"ready":     {with(func(*contract.Status) {}), nil},
		"not ready": {with(func(s *contract.Status) { s.Ready = false }), []string{"fail hubs.ready"}},
		"degraded": {with(func(s *contract.Status) { s.Degraded, s.Registry.Alarms = []string{"x"}, []string{"x", "y"} }), []string{
			"warn hubs.degraded", "warn hubs.alarm",
		}},
		"full":      {with(func(s *contract.Status) { s.Ingest.Full = &contract.IngestFull{Message: "full"} }), []string{"warn hubs.ingest_full"}},
		"silent":    {with(func(s *contract.Status) { s.Hubs = []string{"one", "two"} }), []string{"warn hubs.running"}},
		"no answer": {&facts{cfg: conn, statusErr: errors.New("no answer within 2s")}, []string{"fail hubs.running"}},
		"denied":    {&facts{cfg: conn, statusErr: errDenied}, []string{"unseen hubs.running"}},
		"versions": {func() *facts {
			f := with(func(s *contract.Status) { s.Version, s.Hubs = "1", []string{"one", "two"} })
			f.hubs = []hubFact{{Self: place.Self{Hub: "two", Version: "2"}}}
			return f
		}(), []string{"warn hubs.versions"}},
		"policy": {func() *facts {
			f := with(func(*contract.Status) {})
			f.policies.Policies = []contract.PolicyStatus{{Entity: "user", Problem: "it cannot be read"}}
			return f
		}(), []string{"fail hubs.policies"}},
	} {
		if got := found(judgeHubs, tt.facts); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Streams that differ from what the hub makes, that are away, or nearly full.
func TestStreams(t *testing.T) {
	want, _ := shapeOf(contract.StreamIngest)
	good := jetstream.StreamInfo{Config: jetstream.StreamConfig{
		Name: contract.StreamIngest, Subjects: want.subjects, Discard: jetstream.DiscardNew, AllowAtomicPublish: true, MaxBytes: 100,
		Metadata: map[string]string{contract.MetadataKey: contract.MetadataValue}, Replicas: 3,
	}, Cluster: &jetstream.ClusterInfo{Leader: "n1", Replicas: []*jetstream.PeerInfo{{Name: "n2", Current: true}}}}
	for name, tt := range map[string]struct {
		change func(*jetstream.StreamInfo)
		want   []string
	}{
		"good":      {func(*jetstream.StreamInfo) {}, nil},
		"memory":    {func(s *jetstream.StreamInfo) { s.Config.Storage = jetstream.MemoryStorage }, []string{"fail streams.settings"}},
		"sealed":    {func(s *jetstream.StreamInfo) { s.Config.Sealed = true }, []string{"fail streams.settings"}},
		"subjects":  {func(s *jetstream.StreamInfo) { s.Config.Subjects = []string{"db.*.create"} }, []string{"fail streams.settings"}},
		"mirror":    {func(s *jetstream.StreamInfo) { s.Config.Mirror = &jetstream.StreamSource{Name: "DB"} }, []string{"fail streams.settings"}},
		"retention": {func(s *jetstream.StreamInfo) { s.Config.Retention = jetstream.InterestPolicy }, []string{"fail streams.settings"}},
		"messages":  {func(s *jetstream.StreamInfo) { s.Config.MaxMsgs = 10 }, []string{"fail streams.settings"}},
		"no ack":    {func(s *jetstream.StreamInfo) { s.Config.NoAck = true }, []string{"fail streams.settings"}},
		"no purge":  {func(s *jetstream.StreamInfo) { s.Config.DenyPurge = true }, []string{"fail streams.settings"}},
		"no batch":  {func(s *jetstream.StreamInfo) { s.Config.AllowAtomicPublish = false }, []string{"fail streams.settings"}},
		"no delete": {func(s *jetstream.StreamInfo) { s.Config.DenyDelete = true }, []string{"warn streams.settings"}},
		"full":      {func(s *jetstream.StreamInfo) { s.State.Bytes = 90 }, []string{"warn streams.fill"}},
		"leader":    {func(s *jetstream.StreamInfo) { s.Cluster = &jetstream.ClusterInfo{} }, []string{"fail streams.leader"}},
		"offline": {func(s *jetstream.StreamInfo) {
			s.Cluster = &jetstream.ClusterInfo{Leader: "n1", Replicas: []*jetstream.PeerInfo{{Name: "n2", Offline: true}}}
		}, []string{"warn streams.replicas"}},
	} {
		s := good
		tt.change(&s)
		f := &facts{cfg: Config{Conn: fakeConn}, streams: []streamFact{{StreamInfo: s}}, streamsErr: errDenied, servicesErr: errDenied}
		if got := found(judgeStreams, f); !slices.Equal(got, append([]string{"unseen streams.list"}, tt.want...)) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// What a user may not is what its role needs beyond its rules.
func TestRights(t *testing.T) {
	role := &Role{Name: "observer", Permissions: permissions.Observer()}
	rules := func(publish *userRules) *facts {
		f := &facts{cfg: Config{Conn: fakeConn, Role: role}}
		f.user.Permissions = &struct {
			Publish   *userRules `json:"publish"`
			Subscribe *userRules `json:"subscribe"`
		}{Publish: publish, Subscribe: &userRules{Allow: []string{"_INBOX.>"}}}
		return f
	}
	for name, tt := range map[string]struct {
		facts *facts
		want  []string
	}{
		"everything": {&facts{cfg: Config{Conn: fakeConn, Role: role}}, nil},
		"as printed": {rules(&userRules{Allow: role.Publish.Allow}), nil},
		"wider":      {rules(&userRules{Allow: []string{"replhub.>"}}), nil},
		"one denied": {rules(&userRules{Allow: []string{"replhub.>"}, Deny: []string{"replhub.explain.x"}}), []string{"fail permissions.role"}},
		"narrower":   {rules(&userRules{Allow: []string{"replhub.status"}}), []string{"fail permissions.role"}},
		"unknown":    {&facts{cfg: Config{Conn: fakeConn, Role: role}, userErr: errDenied}, []string{"unseen permissions.user"}},
	} {
		if got := found(judgeRights, tt.facts); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestSubjects(t *testing.T) {
	for _, tt := range []struct {
		a, b             string
		covers, overlaps bool
	}{
		{"a.b", "a.b", true, true},
		{"a.*", "a.b", true, true},
		{"a.b", "a.*", false, true},
		{"a.>", "a.b.c", true, true},
		{"a.>", "a", false, false},
		{"a.>", "a.*.>", true, true},
		{"a.*.>", "a.>", false, true},
		{"a.*", "a.b.c", false, false},
		{">", "x", true, true},
		{"*.b", "a.*", false, true},
		{"a.b", "b.a", false, false},
		{"a.*.c", "a.b.*", false, true},
		{"a.b", "a.b.>", false, false},
	} {
		if got := covers(tt.a, tt.b); got != tt.covers {
			t.Errorf("covers(%s, %s) is %v", tt.a, tt.b, got)
		}
		if got, other := overlaps(tt.a, tt.b), overlaps(tt.b, tt.a); got != tt.overlaps || other != tt.overlaps {
			t.Errorf("overlaps(%s, %s) is %v, and %v the other way", tt.a, tt.b, got, other)
		}
	}
}

// A difference counts as far as it is beyond doubt.
func TestClocks(t *testing.T) {
	for _, tt := range []struct {
		ahead, spread time.Duration
		want          []string
	}{
		{0, 0, nil},
		{900 * time.Millisecond, 0, nil},
		{2 * time.Second, time.Millisecond, []string{"warn clock.difference"}},
		{-2 * time.Second, 0, []string{"warn clock.difference"}},
		{2 * time.Second, 3 * time.Second, nil},
		{-2 * time.Minute, time.Second, []string{"fail clock.difference"}},
	} {
		m := monitorFact{clock: clock{tt.ahead, tt.spread}, Name: "n1"}
		if got := found(judgeClock, &facts{cfg: Config{Conn: fakeConn}, monitors: []monitorFact{m}}); !slices.Equal(got, tt.want) {
			t.Errorf("%s, give or take %s: %v, want %v", tt.ahead, tt.spread, got, tt.want)
		}
	}
}
