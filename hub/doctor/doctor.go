// Package doctor looks at an installation from outside, and says what does not fit: the
// servers, the account, the permissions, the clocks, the streams, the registry, the hubs
// and the lanes. Each finding says what to do. Requests only read; nothing is created or
// changed, also not on a server where no hub has ever run.
//
// It is not promised that everything is seen. What the credentials do not permit, or what
// nobody was told the address of, is said to be unseen, never to be well.
//
// A check has two parts. The files ask.go, gather.go, registry.go, http.go and monitor.go
// read; the other files judge what was read, and are pure.
package doctor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/permissions"
)

// Level is how serious a finding is.
type Level string

// The levels. Unseen is neither well nor ill: the check could not be made.
const (
	Pass   Level = "pass"
	Warn   Level = "warn"
	Fail   Level = "fail"
	Unseen Level = "unseen"
)

// Levels are the levels, the most serious first.
func Levels() []Level { return []Level{Fail, Warn, Unseen, Pass} }

// Groups of findings.
const (
	GroupServer   = "server"
	GroupAccount  = "account"
	GroupRights   = "permissions"
	GroupClock    = "clock"
	GroupStreams  = "streams"
	GroupPlace    = "place"
	GroupRegistry = "registry"
	GroupHubs     = "hubs"
	GroupLanes    = "lanes"
	GroupHTTP     = "http"
	GroupDisk     = "disk"
	GroupDatabase = "database"
)

// Finding is the outcome of one check.
type Finding struct {
	Level Level  `json:"level"`
	Group string `json:"group"`
	// Check names the check, the same in every version.
	Check string `json:"check"`
	// About is the stream, the hub, the service or the server that is meant.
	About   string `json:"about,omitempty"`
	Message string `json:"message"`
	// Do is what to do about it; empty for Pass, and where the message says it.
	Do string `json:"do,omitempty"`
}

// Report has all findings, in the order of the checks.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Failed reports whether a finding is a failure.
func (r *Report) Failed() bool { return r.Count(Fail) > 0 }

// Count is the number of findings of a level.
func (r *Report) Count(level Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

// Of lists the findings of a level.
func (r *Report) Of(level Level) []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Level != level })
}

// Add appends findings of another source.
func (r *Report) Add(findings ...Finding) { r.Findings = append(r.Findings, findings...) }

// group adds findings of one group to a report.
type group struct {
	report *Report
	name   string
}

func (r *Report) group(name string) group { return group{r, name} }

func (g group) add(level Level, check, about, message, do string) {
	g.report.Add(Finding{Level: level, Group: g.name, Check: check, About: about, Message: message, Do: do})
}

func (g group) pass(check, about, message string)     { g.add(Pass, check, about, message, "") }
func (g group) warn(check, about, message, do string) { g.add(Warn, check, about, message, do) }
func (g group) fail(check, about, message, do string) { g.add(Fail, check, about, message, do) }

func (g group) unseen(check, about, message, do string) { g.add(Unseen, check, about, message, do) }

// Config says what to look at. Only Timeout is required; whatever is absent is unseen.
type Config struct {
	// Conn is the connection to NATS. It is nil if there is none, and then NoConn is why.
	// Run replaces its error handler.
	Conn   *nats.Conn
	NoConn error
	// Domain is the JetStream domain; empty is the connection's own.
	Domain string
	// Timeout bounds the wait for each answer.
	Timeout time.Duration
	// Listen is how long the answers of all hubs are awaited; 500 ms by default.
	Listen time.Duration
	// Role is what the credentials are meant for; nil looks for any role of no service.
	Role *Role
	// ZooKeeper is the registry; nil if it is a bucket, or unknown.
	ZooKeeper *ZooKeeper
	// HTTP are the addresses of hubs' HTTP.
	HTTP []Endpoint
	// Monitors are the addresses of servers' monitoring (http_port).
	Monitors []string
	// Clock is this machine's clock; time.Now by default.
	Clock func() time.Time
}

// Role is what credentials are meant for.
type Role struct {
	Name string
	permissions.Permissions
}

// Run makes all checks. It takes as long as the servers need to answer.
func Run(ctx context.Context, cfg Config) *Report {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	cfg.Listen = cmp.Or(cfg.Listen, listenTime)
	f := gather(ctx, cfg)
	report := &Report{Findings: []Finding{}}
	for _, judge := range []func(*facts, *Report){
		judgeServer, judgeAccount, judgeRights, judgeClock, judgeStreams, judgePlace,
		judgeRegistry, judgeHubs, judgeLanes, judgeHTTP, judgeDisk,
	} {
		judge(f, report)
	}
	return report
}
