package view

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Snapshot is what the collector read last.
type Snapshot struct {
	Status contract.Status
	Lanes  []contract.LaneStatus
	// Copies are the totals of the lanes that this hub writes.
	Copies map[string]uint64
	// At is when the reading ended, Took how long it took, Next when the next one is due.
	At   time.Time
	Took time.Duration
	Next time.Time
	// Trouble is why the reading is not complete; empty when it is.
	Trouble string
}

const (
	// maxColumns bounds the entities that have a column of the matrix.
	maxColumns = 10
	// maxReasons bounds the reasons that stand above the matrix.
	maxReasons = 20
)

// Overview is the first page.
type Overview struct {
	Query Query
	// Read is false before the first reading.
	Read     bool
	At       string
	Took     string
	Every    string
	Trouble  string
	Ingest   Ingest
	Hubs     []HubLine
	Degraded []Advised
	// Further is how many reasons are not among Degraded.
	Further  int
	Alarms   []string
	States   []StateCount
	Columns  []string
	MoreOf   int // entities without a column
	Rows     []Row
	All      int
	Matching int
	Pager    Pager
}

// Ingest is the stream that takes every event.
type Ingest struct {
	Rate, Events, Bytes, Limit string
	Last                       uint64
	// Fill is in percent.
	Fill  int
	Level Level
}

// HubLine is one hub and the lanes that it writes.
type HubLine struct {
	ID    string
	Lanes int
	This  bool
}

// StateCount is how many lanes are in a state.
type StateCount struct {
	State string
	Count int
	Level Level
}

// Row is one service in the matrix.
type Row struct {
	Service string
	State   string
	// Why is what puts a lane on its level that its state does not say.
	Why     string
	Reason  string
	Owner   string
	Level   Level
	Lag     Cell
	Backlog Cell
	Oldest  Cell
	Dead    Cell
	// Cells are those of Columns, Others the further entities.
	Cells  []Wanted
	Others int
}

// Cell is a number and how well it is.
type Cell struct {
	Text  string
	Level Level
}

// Wanted is what a service has of an entity.
type Wanted struct {
	// Text is empty without an interest, Title says more.
	Text, Title string
	Level       Level
}

// NewOverview makes the page of a snapshot.
func NewOverview(s *Snapshot, q Query) Overview {
	o := Overview{Query: q}
	if s == nil {
		return o
	}
	o.Read, o.At, o.Trouble = true, Time(s.At), s.Trouble
	o.Took, o.Every = Seconds(s.Took.Seconds()), Seconds(s.Next.Sub(s.At).Seconds())
	o.Ingest = ingestOf(&s.Status.Ingest)
	o.Hubs, o.States = hubsOf(s), statesOf(s)
	shownReasons := s.Status.Degraded[:min(len(s.Status.Degraded), maxReasons)]
	for _, text := range shownReasons {
		o.Degraded = append(o.Degraded, Advise(text))
	}
	o.Further = len(s.Status.Degraded) - len(shownReasons)
	o.Alarms = s.Status.Registry.Alarms
	lanes := matching(s.Lanes, q)
	o.All, o.Matching = len(s.Lanes), len(lanes)
	var shown []*contract.LaneStatus
	o.Pager, shown = PageOf(lanes, q.Page)
	o.Columns, o.MoreOf = columnsOf(shown, q.Entity)
	for _, lane := range shown {
		o.Rows = append(o.Rows, rowOf(lane, o.Columns))
	}
	return o
}

func ingestOf(i *contract.IngestStatus) Ingest {
	level := Good
	switch {
	case i.Full != nil:
		level = Bad
	case i.Fill >= 0.7:
		level = Warn
	}
	return Ingest{
		Rate: Rate(i.Rate), Events: Count(i.Messages), Bytes: Bytes(i.Bytes), Limit: Bytes(uint64(max(i.MaxBytes, 0))), Last: i.LastSeq,
		Fill: int(i.Fill * 100), Level: level,
	}
}

func hubsOf(s *Snapshot) []HubLine {
	owned := make(map[string]int)
	for i := range s.Lanes {
		owned[s.Lanes[i].Owner]++
	}
	var hubs []HubLine
	for _, id := range s.Status.Hubs {
		hubs = append(hubs, HubLine{ID: id, Lanes: owned[id], This: id == s.Status.Hub})
	}
	return hubs
}

func statesOf(s *Snapshot) []StateCount {
	var states []StateCount
	for _, state := range contract.LaneStates() {
		n := 0
		for i := range s.Lanes {
			if s.Lanes[i].State == state {
				n++
			}
		}
		if n > 0 {
			states = append(states, StateCount{state, n, levelOf(&contract.LaneStatus{State: state})})
		}
	}
	return states
}

// matching are the lanes that a query asks for, in its order.
func matching(lanes []contract.LaneStatus, q Query) []*contract.LaneStatus {
	var found []*contract.LaneStatus
	for i := range lanes {
		s := &lanes[i]
		if strings.Contains(s.Service, q.Search) && (q.State == "" || s.State == q.State) && (q.Hub == "" || s.Owner == q.Hub) &&
			(q.Entity == "" || interestIn(s, q.Entity) != nil) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b *contract.LaneStatus) int {
		return cmp.Or(compare(q.Sort, a, b), cmp.Compare(a.Service, b.Service))
	})
	return found
}

// compare orders two lanes: what needs a look comes first.
func compare(by string, a, b *contract.LaneStatus) int {
	switch by {
	case sortLag:
		return cmp.Compare(b.Lag, a.Lag)
	case sortBacklog:
		return cmp.Compare(b.Backlog, a.Backlog)
	case sortOldest:
		return cmp.Compare(b.OldestUnacked, a.OldestUnacked)
	case sortDead:
		return cmp.Compare(b.DeadLetters, a.DeadLetters)
	case sortTrouble:
		return cmp.Compare(levelOf(a).rank(), levelOf(b).rank())
	}
	return 0
}

func interestIn(s *contract.LaneStatus, entity string) *contract.InterestStatus {
	for i := range s.Interests {
		if s.Interests[i].Entity == entity {
			return &s.Interests[i]
		}
	}
	return nil
}

// columnsOf are the entities that most of the lanes want; one that was asked for is
// among them.
func columnsOf(lanes []*contract.LaneStatus, asked string) (columns []string, more int) {
	wanted := make(map[string]int)
	for _, s := range lanes {
		for i := range s.Interests {
			wanted[s.Interests[i].Entity]++
		}
	}
	for entity := range wanted {
		columns = append(columns, entity)
	}
	slices.SortFunc(columns, func(a, b string) int {
		switch asked {
		case a:
			return -1
		case b:
			return 1
		}
		return cmp.Or(cmp.Compare(wanted[b], wanted[a]), cmp.Compare(a, b))
	})
	if more = len(columns) - maxColumns; more > 0 {
		columns = columns[:maxColumns]
	}
	return columns, max(more, 0)
}

func rowOf(s *contract.LaneStatus, columns []string) Row {
	level, why := judge(s)
	r := Row{
		Service: s.Service, State: s.State, Why: why, Reason: s.Reason, Owner: s.Owner, Level: level,
		Lag:     Cell{Count(s.Lag), above(s.LagSeconds, lateSeconds)},
		Backlog: Cell{Count(s.Backlog), Good},
		Oldest:  Cell{"", above(s.OldestUnacked, slowSeconds)},
		Dead:    deadCell(s),
		Others:  len(s.Interests),
	}
	if s.OldestUnacked > 0 {
		r.Oldest.Text = Seconds(s.OldestUnacked)
	}
	for _, entity := range columns {
		in := interestIn(s, entity)
		if in != nil {
			r.Others--
		}
		r.Cells = append(r.Cells, wantedOf(in))
	}
	return r
}

func deadCell(s *contract.LaneStatus) Cell {
	switch {
	case s.DeadLettersUnknown:
		return Cell{"?", Warn}
	case s.DeadLetters > 0:
		return Cell{Count(s.DeadLetters), Warn}
	}
	return Cell{"0", Good}
}

// wantedOf is a cell of the matrix.
func wantedOf(in *contract.InterestStatus) Wanted {
	if in == nil {
		return Wanted{}
	}
	w := Wanted{Text: "all", Title: strings.Join(in.Ops, ", "), Level: Good}
	if in.Filter != "" {
		w.Text, w.Title = "filtered", w.Title+"; filter "+in.Filter
	}
	if len(in.Fields) > 0 {
		w.Text, w.Title = "fields", w.Title+"; fields "+strings.Join(in.Fields, ", ")
		if in.Filter != "" {
			w.Text = "filter+fields"
		}
	}
	if in.Filling {
		w.Text, w.Level = w.Text+", filling", Warn
	}
	if in.Policy != nil && in.Policy.Reason != "" {
		w.Text, w.Level, w.Title = in.Policy.State, Warn, w.Title+"; "+in.Policy.Reason
	}
	return w
}
