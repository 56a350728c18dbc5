package sim

import (
	"time"

	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/subjects"
)

// Names of streams.
const (
	ingestStream = "DB"
	ledgerStream = "LEDGER"
)

// servers hold the streams, and the consumers of lanes.
type servers struct {
	network

	db, ledger, rosters, deadLetters *model.Stream
	lanes                            map[string]*model.Stream // by service
	services                         []service
	registry                         registry
	policies                         policies
	names                            map[string][]string // of the lanes' consumers, by service
	// instanced says that instances handle the copies, kinds of which kinds they are.
	instanced bool
	kinds     int
	// fast says that lanes append in fast batches of which a prefix may be stored.
	fast bool
	// limit is how many bytes a new lane may hold; 0 is no limit.
	limit int64

	away map[string]bool // streams without a leader
	// lagging are the answers of servers that lag behind, by service.
	lagging map[string]lag
	// leads is since when the present leader of a lane's consumers leads. Until beginTime
	// has passed, it has not read what workers hold.
	leads map[string]time.Time
	// misled is since when the leader led that last told hubs that workers hold nothing.
	misled map[string]time.Time
	// copies are the copies of the lanes' directories, by service.
	copies map[string]laneCopy
	// life counts the restarts, rollbacks and creations of ingest. Readers and purges of
	// an earlier life have no effect.
	life int
	// forgets counts deletions of the ledger.
	forgets int
}

// service is one of the world's services.
type service struct {
	name subjects.Name
	text string
}

// newServers starts servers without lanes.
func newServers(cfg Config) servers {
	w := servers{
		network: network{cfg: cfg, now: time.Unix(1000, 0).UTC()},
		lanes:   make(map[string]*model.Stream), names: make(map[string][]string), away: make(map[string]bool),
		lagging: make(map[string]lag), leads: make(map[string]time.Time), misled: make(map[string]time.Time), copies: make(map[string]laneCopy),
	}
	w.policies.stored = make(map[string]policy)
	w.db = w.newIngest()
	w.ledger = model.NewStream(model.StreamConfig{Name: ledgerStream, OnePerSubject: true}, w.now)
	w.rosters = model.NewStream(model.StreamConfig{Name: rosterStream, OnePerSubject: true}, w.now)
	w.deadLetters = model.NewStream(model.StreamConfig{Name: letterStream, Duplicates: 24 * time.Hour}, w.now)
	for i := range serviceCount {
		name, err := subjects.ParseName(string(rune('a' + i)))
		if err != nil {
			panic(err)
		}
		w.services = append(w.services, service{name, name.String()})
	}
	return w
}

// named is the name of a service; that of the first one for an unknown text.
func (w *servers) named(text string) subjects.Name { return w.services[max(w.service(text), 0)].name }

const dedupe = 5 * time.Minute

func (w *servers) newIngest() *model.Stream {
	return model.NewStream(model.StreamConfig{Name: ingestStream, Duplicates: dedupe}, w.now)
}

// bound limits the bytes that a stream holds; 0 is no limit.
func (w *servers) bound(name string, most int64) {
	if name == ingestStream {
		w.db.Limit(most)
	} else if l := w.lanes[name]; l != nil {
		l.Limit(most)
	}
}

func (w *servers) forget() {
	if m, err := w.ledger.GetLast(ledgerSubject); err == nil {
		_ = w.ledger.Delete(m.Seq) // it is there
	}
	w.forgets++
}
