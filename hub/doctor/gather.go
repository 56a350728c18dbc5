package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/place"
	"github.com/replhub/replhub/hub/internal/servers"
	"github.com/replhub/replhub/internal/contract"
)

// facts are what was read. An error stands beside what could not be read.
type facts struct {
	cfg Config

	// version and cluster are of the connected server; versions are of all servers of
	// the cluster that it names, empty where one did not say.
	server, version, cluster string
	versions                 map[string]string

	account    jetstream.AccountInfo
	accountErr error

	user    userInfo
	userErr error

	streams    []streamFact
	names      []string // of all streams, in the order of the server
	streamsErr error

	status    []hubStatus
	statusErr error

	services    []contract.LaneStatus
	servicesErr error

	policies    contract.Policies
	policiesErr error

	hubs    []hubFact
	hubsErr error

	monitors  []monitorFact
	endpoints []endpointFact
	zookeeper *zookeeperFact
}

// clock is how far another clock is ahead of this machine's, and how far that may be off.
type clock struct{ ahead, spread time.Duration }

// clockOf compares a clock with this machine's, which was read before and after.
func clockOf(at, asked, came time.Time) clock {
	spread := came.Sub(asked) / 2
	return clock{ahead: at.Sub(asked.Add(spread)), spread: spread}
}

type streamFact struct {
	jetstream.StreamInfo

	clock clock
	err   error
}

type hubStatus struct {
	contract.Status

	clock clock
}

type hubFact struct {
	place.Self

	clock clock
}

// userInfo is what the server says of the credentials ($SYS.REQ.USER.INFO).
type userInfo struct {
	User        string `json:"user"`
	Account     string `json:"account"`
	Permissions *struct {
		Publish   *userRules `json:"publish"`
		Subscribe *userRules `json:"subscribe"`
	} `json:"permissions"`
}

// userRules are subjects that are allowed and denied. Without any allowed, all are.
type userRules struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

// listenTime is how long the answers of all hubs are awaited by default.
const listenTime = 500 * time.Millisecond

// gather reads everything, one request after the other.
func gather(ctx context.Context, cfg Config) *facts {
	f := &facts{cfg: cfg}
	if cfg.Conn != nil {
		f.gatherNATS(ctx, newAsker(cfg))
	}
	f.monitors = readMonitors(ctx, cfg)
	f.endpoints = readEndpoints(ctx, cfg)
	f.zookeeper = readZooKeeper(ctx, cfg)
	return f
}

func (f *facts) gatherNATS(ctx context.Context, a *asker) {
	f.server, f.version, f.cluster = a.nc.ConnectedServerName(), a.nc.ConnectedServerVersion(), a.nc.ConnectedClusterName()
	if f.cluster != "" {
		f.versions = map[string]string{}
		urls := a.nc.Servers()
		for i, version := range servers.Greetings(ctx, urls) {
			f.versions[urls[i]] = version
		}
	}
	_, f.accountErr = a.request(ctx, "INFO", nil, &f.account)
	var who struct {
		Data userInfo `json:"data"`
	}
	var got answer
	if got, f.userErr = a.raw(ctx, "$SYS.REQ.USER.INFO", nil); f.userErr == nil {
		f.userErr = json.Unmarshal(got.Data, &who)
		f.user = who.Data
	}
	f.gatherHubs(ctx, a)
	f.gatherStreams(ctx, a)
}

func (f *facts) gatherHubs(ctx context.Context, a *asker) {
	f.hubsErr = a.all(ctx, place.Subject, f.cfg.Listen, func(m answer) {
		var self place.Self
		if json.Unmarshal(m.Data, &self) != nil || self.Hub == "" {
			return
		}
		one := hubFact{Self: self}
		if !self.Time.IsZero() {
			one.clock = clockOf(self.Time, m.asked, m.came)
		}
		f.hubs = append(f.hubs, one)
	})
	f.gatherStatus(ctx, a)
	if f.statusErr != nil {
		f.servicesErr, f.policiesErr = f.statusErr, f.statusErr
		return
	}
	f.services, f.servicesErr = readServices(ctx, a)
	f.policies, f.policiesErr = readPolicies(ctx, a)
}

// statusTries is how often each hub of several is asked for: any of them answers, in
// general the nearest one.
const statusTries = 6

// gatherStatus asks until each hub has answered, or hubs keep being left out.
func (f *facts) gatherStatus(ctx context.Context, a *asker) {
	heard := map[string]bool{}
	for tries := 1; tries > 0; tries-- {
		var s contract.Status
		got, err := a.verb(ctx, contract.VerbStatus, struct{}{}, &s)
		if err != nil {
			if len(f.status) == 0 {
				f.statusErr = err
			}
			return
		}
		if heard[s.Hub] {
			continue
		}
		heard[s.Hub] = true
		one := hubStatus{Status: s}
		if !s.Time.IsZero() {
			one.clock = clockOf(s.Time, got.asked, got.came)
		}
		f.status = append(f.status, one)
		if missing := len(s.Hubs) - len(heard); missing > 0 {
			tries = 1 + statusTries*len(s.Hubs)
		} else {
			return
		}
	}
}

func readServices(ctx context.Context, a *asker) ([]contract.LaneStatus, error) {
	var all []contract.LaneStatus
	after := ""
	for {
		var page contract.Services
		if _, err := a.verb(ctx, contract.VerbServices, contract.ListServices{After: after}, &page); err != nil {
			return all, err
		}
		all = append(all, page.Services...)
		if page.Next == "" || page.Next == after {
			return all, nil
		}
		after = page.Next
	}
}

func readPolicies(ctx context.Context, a *asker) (contract.Policies, error) {
	var all contract.Policies
	after := ""
	for {
		var page contract.Policies
		if _, err := a.verb(ctx, contract.VerbPolicies, contract.ListPolicies{After: after}, &page); err != nil {
			return all, err
		}
		all.Required = page.Required
		all.Policies = append(all.Policies, page.Policies...)
		if page.Next == "" || page.Next == after {
			return all, nil
		}
		after = page.Next
	}
}

// gatherStreams reads all streams of the account, or, where the list is not permitted,
// those that replhub has by name.
func (f *facts) gatherStreams(ctx context.Context, a *asker) {
	f.names, f.streamsErr = readNames(ctx, a)
	wanted := f.names
	if f.streamsErr != nil {
		if !errors.Is(f.streamsErr, errDenied) {
			return
		}
		for _, s := range shapes() {
			wanted = append(wanted, s.name)
		}
	}
	listed := map[string]bool{}
	if f.streamsErr == nil {
		f.listStreams(ctx, a, listed)
	}
	for _, name := range wanted {
		if listed[name] {
			continue
		}
		one := streamFact{}
		got, err := a.request(ctx, "STREAM.INFO."+name, nil, &one.StreamInfo)
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeStreamNotFound {
			continue
		}
		one.Config.Name = name
		one.err = err
		if err == nil && !one.TimeStamp.IsZero() {
			one.clock = clockOf(one.TimeStamp, got.asked, got.came)
		}
		f.streams = append(f.streams, one)
	}
}

// listStreams reads streams by pages. On a cluster a page leaves out streams whose leader
// does not answer. Those of replhub that all services share are read one by one, because
// only such an answer has its leader's time.
func (f *facts) listStreams(ctx context.Context, a *asker, listed map[string]bool) {
	for offset := 0; ; {
		var page struct {
			Total   int                    `json:"total"`
			Streams []jetstream.StreamInfo `json:"streams"`
		}
		if _, err := a.request(ctx, "STREAM.LIST", map[string]int{"offset": offset}, &page); err != nil {
			return // each is then asked for
		}
		for i := range page.Streams {
			s := page.Streams[i]
			if _, shared := shapeOf(s.Config.Name); shared || listed[s.Config.Name] {
				continue
			}
			listed[s.Config.Name] = true
			f.streams = append(f.streams, streamFact{StreamInfo: s})
		}
		if offset += len(page.Streams); len(page.Streams) == 0 || offset >= page.Total {
			return
		}
	}
}

func readNames(ctx context.Context, a *asker) ([]string, error) {
	var names []string
	for {
		var page struct {
			Total   int      `json:"total"`
			Streams []string `json:"streams"`
		}
		if _, err := a.request(ctx, "STREAM.NAMES", map[string]int{"offset": len(names)}, &page); err != nil {
			return nil, err
		}
		names = append(names, page.Streams...)
		if len(page.Streams) == 0 || len(names) >= page.Total {
			return names, nil
		}
	}
}
