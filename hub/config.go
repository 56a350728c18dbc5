package hub

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/console"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
)

// What to do when ingest is nearly full of events that a lane still needs.
const (
	// OnFullDetach cuts off the lane that pins ingest.
	OnFullDetach = "detach"
	// OnFullRefuse lets ingest refuse publishers.
	OnFullRefuse = "refuse"
)

// What is allowed of an entity without a policy.
const (
	// PolicyOpen allows everything.
	PolicyOpen = contract.PolicyOpen
	// PolicyRequired allows nothing.
	PolicyRequired = contract.PolicyRequired
)

// Parts of MemoryBytes, in sixteenths; see Config.MemoryBytes. The tail holds about
// twice as much as it requests at a time.
const (
	windowPart, tailPart, lanesPart, allParts = 5, 1, 10, 16

	minMemory = 16 << 20
)

// Modes of the console.
const (
	// ConsoleOff serves no page.
	ConsoleOff = console.Off
	// ConsoleRead serves pages that change nothing.
	ConsoleRead = console.Read
	// ConsoleOperate serves pages with actions, too.
	ConsoleOperate = console.Operate
)

// Console configures the web pages of a hub.
type Console struct {
	// Mode is ConsoleRead (the default), ConsoleOperate or ConsoleOff.
	Mode string
	// HidePayloads says that no page shows a payload, also not when it is asked for.
	HidePayloads bool
	// Publish has the pages publish events by hand, in mode ConsoleOperate.
	Publish bool
	// Every is the least time between two readings of all lanes for the open pages; 5 s
	// by default.
	Every time.Duration
}

// CopyTrace is a copy of an event that carries a trace.
type CopyTrace = lane.CopyTrace

// Config configures a Hub. Conn and Registry are required; all other fields have
// defaults.
type Config struct {
	// Conn is the connection to NATS. The hub does not close it; its owner closes it
	// after Run has returned.
	Conn *nats.Conn
	// Domain is the JetStream domain; empty is the connection's own.
	Domain string
	// Registry holds the services' registrations. Hub.Run runs it.
	Registry Registry
	// RegistryKind names it in reports: "zk" or "kv".
	RegistryKind string
	// ID tells hubs apart, one token of letters, digits, "_" and "-"; random by
	// default. Two hubs of one id forward requests to each other's shadow.
	ID string
	// Replicas is that of every stream; by default 3 where the server has a cluster
	// of three or more, else 1.
	Replicas int
	// History is how long acknowledged events stay in ingest and lanes; 24 h by
	// default. Events younger than TrimGuard always stay in ingest.
	History time.Duration
	// DedupeWindow is how long a publisher's retry is recognised; 10 min by default,
	// and TrimGuard where that is stated and shorter.
	DedupeWindow time.Duration
	// Limits of the streams in bytes: 4 GiB, 1 GiB and 1 GiB by default. Each
	// lane may state its own.
	IngestMaxBytes, LaneMaxBytes, DLQMaxBytes int64
	// DLQServiceMaxBytes bounds the dead letters of one service; an eighth of
	// DLQMaxBytes by default. At the bound only that service stalls.
	DLQServiceMaxBytes int64
	// MaxLanes bounds the services of all hubs together; 5000 by default, which is the
	// most. MaxLaneBytes bounds the MaxBytes that a registration may state, and LaneMaxBytes
	// where that is more; 0 is no bound.
	// MaxRegistrations bounds the registrations in a second of this hub; 0 is no bound.
	// What is beyond is refused with the code "limit", and with "unavailable" where only
	// the time is wrong.
	MaxLanes         int
	MaxLaneBytes     int64
	MaxRegistrations int
	// HTTPToken returns the token that requests to Handler must have, as "Authorization:
	// Bearer <token>"; nil demands none. It is called for each request.
	HTTPToken func() (string, error)
	// HTTPTrouble says what is wrong with the files that the HTTP server needs, such as a
	// certificate that has expired; empty without trouble. The hub calls it every two
	// seconds, logs each change, and names the trouble in degraded. nil asks for nothing.
	HTTPTrouble func() string
	// HTTPProxies are the addresses of proxies in front of Handler that encrypt. Requests
	// from elsewhere are then refused, and the proxies' X-Forwarded headers are believed.
	HTTPProxies []netip.Prefix
	// Console says which pages Handler serves.
	Console Console
	// OnFull is OnFullDetach (the default) or OnFullRefuse.
	OnFull string
	// Policy is PolicyOpen (the default) or PolicyRequired. It should be the same for all
	// hubs: one that requires policies suspends interests, and the others leave them so.
	Policy string
	// MemoryBytes bounds the events that the hub holds in memory, in bytes, including
	// headers and the program's overhead; 128 MiB by default, at least 16 MiB. Five
	// sixteenths are for the window of the newest events that all lanes read, one for
	// events requested ahead of the window, four for the readers of lanes that are
	// further behind (fills too), three for the rows of snapshots, and three for the
	// appends that are being built. One event that is larger than its part may exceed
	// it. Not included: garbage that Go has not yet collected (GOGC), the decoded
	// form of a payload while a filter or fields look at it (two payloads above 64
	// KiB at a time), and requests under way.
	MemoryBytes int64
	// WindowBytes sets the window's size in bytes, by default its part of
	// MemoryBytes; for tests.
	WindowBytes int
	// TrimGuard is the least age at which an event may be trimmed from ingest: a
	// server that syncs lazily can lose a lane's newest copies. 5 min by default;
	// only tests have a reason to lower it. It is never below DedupeWindow: a server
	// that restarts rebuilds the window from what ingest still holds.
	TrimGuard time.Duration
	// TrimEvery is the time between trims; 15 s by default.
	TrimEvery time.Duration
	// StuckAfter is how long the server may deliver nothing by a consumer that could
	// deliver, before the hub creates that consumer again; 1 min by default, for tests.
	StuckAfter time.Duration
	// ScrubEvery is the time between two reviews of a lane for copies that the server holds
	// and cannot read; ten minutes by default.
	ScrubEvery time.Duration
	// StartTimeout bounds the wait at the start for NATS and, while no lane exists,
	// for the registry; 10 s by default.
	StartTimeout time.Duration
	// Now is this host's clock; time.Now by default. The hub compares times of
	// several hosts only by the server's clock, so a wrong host clock does no harm;
	// tests set it wrong.
	Now func() time.Time
	// Version is reported by status.
	Version string
	// Logger gets the messages for operators; slog.Default by default.
	Logger *slog.Logger
	// Traced is called for each copy of an event that carries a trace (the header
	// traceparent), before the copy is sent; done, which may be nil, is called once the
	// copy is stored or known not to be. For the dead letter of an event that cannot be
	// copied, it is called once the letter is stored. Both must return at once: the
	// copying waits. Nil, the default, traces nothing.
	Traced func(CopyTrace) (done func(error))
	// OwnAll makes this hub copy into every lane, regardless of other hubs; for tests
	// of hubs that compete.
	OwnAll bool
	// Failpoint is called at named steps of a lane; tests kill the process there.
	Failpoint func(step string)
}

func (c Config) withDefaults() Config {
	c.ID = cmp.Or(c.ID, "hub-"+nuid.New().Next()[:8])
	c.RegistryKind = cmp.Or(c.RegistryKind, "kv")
	c.History = cmp.Or(c.History, 24*time.Hour)
	if c.DedupeWindow == 0 {
		c.DedupeWindow = 10 * time.Minute
		if c.TrimGuard > 0 {
			c.DedupeWindow = min(c.DedupeWindow, max(c.TrimGuard, minDedupeWindow))
		}
	}
	c.IngestMaxBytes = cmp.Or(c.IngestMaxBytes, 4<<30)
	c.LaneMaxBytes = cmp.Or(c.LaneMaxBytes, 1<<30)
	c.DLQMaxBytes = cmp.Or(c.DLQMaxBytes, 1<<30)
	c.DLQServiceMaxBytes = cmp.Or(c.DLQServiceMaxBytes, c.DLQMaxBytes/8)
	c.MaxLanes = cmp.Or(c.MaxLanes, MaxLanes)
	c.Console.Mode = cmp.Or(c.Console.Mode, ConsoleRead)
	c.OnFull = cmp.Or(c.OnFull, OnFullDetach)
	c.Policy = cmp.Or(c.Policy, PolicyOpen)
	c.MemoryBytes = cmp.Or(c.MemoryBytes, 128<<20)
	c.WindowBytes = cmp.Or(c.WindowBytes, int(c.MemoryBytes*windowPart/allParts))
	c.TrimGuard = max(cmp.Or(c.TrimGuard, 5*time.Minute), c.DedupeWindow)
	c.TrimEvery = cmp.Or(c.TrimEvery, 15*time.Second)
	c.StuckAfter = cmp.Or(c.StuckAfter, time.Minute)
	c.StartTimeout = cmp.Or(c.StartTimeout, 10*time.Second)
	c.Version = cmp.Or(c.Version, "dev")
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Failpoint == nil {
		c.Failpoint = func(string) {}
	}
	return c
}

// minDedupeWindow is the shortest window that nats-server accepts.
const minDedupeWindow = 100 * time.Millisecond

// MaxLanes is the largest number of services.
const MaxLanes = request.MaxServices

// ValidID reports whether id may name a hub.
func ValidID(id string) bool { return request.ValidID(id) }

// RegistryFolders are the folders that a registry must have at the start, and
// RegistryRecords the patterns of its records.
func RegistryFolders() []string { return record.Folders() }

// RegistryRecords are the patterns of records.
func RegistryRecords() []string { return record.Patterns() }

func (c Config) validate() error {
	switch {
	case c.Conn == nil:
		return fmt.Errorf("config: Conn is missing")
	case c.Registry == nil:
		return fmt.Errorf("config: Registry is missing")
	case !ValidID(c.ID):
		return fmt.Errorf("config: ID %q: must be 1 to 64 letters, digits, _ or -", c.ID)
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("config: Replicas %d: must be 1 to 5, or 0 to choose", c.Replicas)
	case c.History < 0:
		return fmt.Errorf("config: History %s: must be positive", c.History)
	case c.DedupeWindow < minDedupeWindow:
		return fmt.Errorf("config: DedupeWindow %s: must be at least %s, the shortest that nats-server takes", c.DedupeWindow, minDedupeWindow)
	case c.Console.Mode != ConsoleOff && c.Console.Mode != ConsoleRead && c.Console.Mode != ConsoleOperate:
		return fmt.Errorf("config: Console.Mode %q: must be %q, %q or %q", c.Console.Mode, ConsoleRead, ConsoleOperate, ConsoleOff)
	case c.OnFull != OnFullDetach && c.OnFull != OnFullRefuse:
		return fmt.Errorf("config: OnFull %q: must be %q or %q", c.OnFull, OnFullDetach, OnFullRefuse)
	case c.Policy != PolicyOpen && c.Policy != PolicyRequired:
		return fmt.Errorf("config: Policy %q: must be %q or %q", c.Policy, PolicyOpen, PolicyRequired)
	}
	return c.validateLimits()
}

// defaultLaneBytes is the limit of a lane that states none. The quota of what a lane may
// state bounds it too: else a service gets more if it states nothing.
func (c Config) defaultLaneBytes() int64 {
	if c.MaxLaneBytes > 0 {
		return min(c.LaneMaxBytes, c.MaxLaneBytes)
	}
	return c.LaneMaxBytes
}

// validateLimits checks sizes and numbers.
func (c Config) validateLimits() error {
	switch {
	case c.IngestMaxBytes < 1<<20:
		return fmt.Errorf("config: IngestMaxBytes %d: must be at least 1 MiB", c.IngestMaxBytes)
	case c.LaneMaxBytes < request.MinLaneBytes:
		return fmt.Errorf("config: LaneMaxBytes %d: must be at least 64 KiB", c.LaneMaxBytes)
	case c.DLQMaxBytes < 1<<20:
		return fmt.Errorf("config: DLQMaxBytes %d: must be at least 1 MiB", c.DLQMaxBytes)
	case c.DLQServiceMaxBytes < 64<<10:
		return fmt.Errorf("config: DLQServiceMaxBytes %d: must be at least 64 KiB", c.DLQServiceMaxBytes)
	case c.MaxLanes < 1 || c.MaxLanes > MaxLanes:
		return fmt.Errorf("config: MaxLanes %d: must be 1 to %d", c.MaxLanes, MaxLanes)
	case c.MaxLaneBytes != 0 && c.MaxLaneBytes < request.MinLaneBytes:
		return fmt.Errorf("config: MaxLaneBytes %d: must be at least 64 KiB", c.MaxLaneBytes)
	case c.MaxRegistrations < 0:
		return fmt.Errorf("config: MaxRegistrations %d: must be positive", c.MaxRegistrations)
	case c.MemoryBytes < minMemory:
		return fmt.Errorf("config: MemoryBytes %d: must be at least 16 MiB", c.MemoryBytes)
	}
	return nil
}
