package inbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/digest"
)

// VerifyConfig says what a replica is compared with.
type VerifyConfig struct {
	// Client is connected as the service whose replica it is. Required.
	Client *replhub.Client
	// Entity is the entity that the table replicates. Required.
	Entity string
	// Settle is how long a difference has to stay before it counts; 3 s by default. It
	// must be longer than the owner takes to publish a change that it has committed.
	Settle time.Duration
	// Wait bounds the wait for changes that are on their way to the replica; a minute by
	// default.
	Wait time.Duration
	// Rows bounds the rows that the result describes; 1000 by default. Further ones are
	// counted.
	Rows int
	// Progress is called with how far the comparison is, about once a second or less; nil
	// is no call.
	Progress func(VerifyProgress)
}

// VerifyProgress is how far a comparison is.
type VerifyProgress struct {
	// Step is what is done now, in a few words.
	Step string
	// Rows were read in this step, of about Of; Of is 0 where that is not known.
	Rows, Of uint64
	// Began is when the step began.
	Began time.Time
}

func (c VerifyConfig) withDefaults() VerifyConfig {
	c.Settle = cmp.Or(c.Settle, 3*time.Second)
	c.Wait = cmp.Or(c.Wait, time.Minute)
	c.Rows = cmp.Or(c.Rows, 1000)
	return c
}

// Kinds of differences.
const (
	Missing   = "missing"   // the replica does not have the row
	Extra     = "extra"     // the service gets no such row
	Different = "different" // some columns differ
)

// Difference is one row in which a replica differs from its owner.
type Difference struct {
	Key string `json:"key"`
	// Kind is Missing, Extra or Different.
	Kind string `json:"kind"`
	// Columns are those that differ, of a row of kind Different.
	Columns []ColumnDifference `json:"columns,omitempty"`
}

// ColumnDifference is one column in which a row differs.
type ColumnDifference struct {
	Name string `json:"name"`
	// Owner and Replica are the values, in the form in which they are compared; nil is
	// NULL.
	Owner   *string `json:"owner,omitempty"`
	Replica *string `json:"replica,omitempty"`
}

// Verified is the result of a comparison.
type Verified struct {
	Entity string `json:"entity"`
	Table  string `json:"table"`
	// Equal says that no difference was found, and that all was compared: no row is
	// Moving or Unjudged, and nothing was left out.
	Equal bool `json:"equal"`
	// Rows is how many rows the replica has, and OwnerRows how many the owner, without
	// those that the service does not get.
	Rows      uint64 `json:"rows"`
	OwnerRows uint64 `json:"owner_rows"`
	// Missing, Extra and Different count rows.
	Missing   int `json:"missing"`
	Extra     int `json:"extra"`
	Different int `json:"different"`
	// Moving counts rows that differed, and to which something was applied each time that
	// they were looked at. They do not count as different: each change brings the whole row.
	Moving int `json:"moving,omitempty"`
	// Differences are the first rows, by their keys; LeftOut counts the others.
	Differences []Difference `json:"differences"`
	LeftOut     int          `json:"differences_left_out,omitempty"`
	// Unchecked are columns that cannot be compared: the owner does not know what a Convert
	// function makes.
	Unchecked []string `json:"unchecked_columns,omitempty"`
	// Unjudged counts rows to which the service's filter or fields cannot be applied.
	Unjudged uint64 `json:"unjudged,omitempty"`
	// Partly says that more rows differ than are compared one by one. The counts are of the
	// part of the table that was compared.
	Partly bool          `json:"partly,omitempty"`
	Took   time.Duration `json:"-"`
	// Keys are all rows that differ, sorted: those of Differences and those left out.
	Keys []string `json:"-"`
}

// ErrNotCaughtUp means that a replica could not be compared, since changes that are on
// their way to it do not arrive.
var ErrNotCaughtUp = errors.New("the replica does not catch up")

// Verify compares the table with the rows that the owner of an entity has now, as the
// service gets them: with its filter, its fields and what the owner's policy allows. Both
// may change meanwhile. It changes nothing.
//
// A row that differs is looked at twice again, each time once the replica has applied all
// that was published until then and VerifyConfig.Settle is over. It counts if it differs each
// time, and nothing was applied to it in the replica meanwhile. So the instances of the service have to run.
//
// Columns are compared by value, as the rules of TYPES.md store them: in a numeric column
// 1.10 is 1.1, in a timestamp with time zone two texts are equal if they are one point in
// time, in jsonb the order of members does not count. Columns with a Convert function are
// not compared. Table.Verify needs memory for sums of rows and for some hundred thousand
// keys, whatever the table's size. See [Table.Check] for the errors about the table.
func (t *Table) Verify(ctx context.Context, db *sql.DB, cfg VerifyConfig) (*Verified, error) {
	v, err := t.verifier(ctx, db, cfg.withDefaults())
	if err != nil {
		return nil, err
	}
	return v.run(ctx)
}

func (t *Table) verifier(ctx context.Context, db *sql.DB, cfg VerifyConfig) (*verifier, error) {
	switch {
	case cfg.Client == nil:
		return nil, errors.New("verify: Client: is required")
	case cfg.Entity == "":
		return nil, errors.New("verify: Entity: is required")
	}
	c, err := t.comparison(ctx, db)
	if err != nil {
		return nil, err
	}
	return &verifier{
		comparison: c, cfg: cfg, db: db, began: time.Now(),
		owner:      ownerRows{client: cfg.Client, entity: cfg.Entity, columns: c.columns},
		candidates: map[string]*candidate{}, confirmed: map[string]*candidate{},
		result: Verified{Entity: cfg.Entity, Table: t.cfg.Table, Unchecked: c.unchecked, Differences: []Difference{}},
	}, nil
}

// verifier compares one table once.
type verifier struct {
	*comparison

	cfg   VerifyConfig
	db    *sql.DB
	owner ownerRows
	began time.Time

	step   VerifyProgress
	told   time.Time
	result Verified
	// candidates are rows that differed when they were last looked at, by key.
	candidates map[string]*candidate
	confirmed  map[string]*candidate
}

// candidate is a row that differed.
type candidate struct {
	owner, replica side
	stamp          Stamp
	// still counts looks since which nothing was applied to the replica's row.
	still int
}

// side is a row at one end.
type side struct {
	there bool
	hash  uint64
	// values are known once the row was looked at by its key.
	values []string
}

func (s side) same(other side) bool { return s.there == other.there && s.hash == other.hash }

func (v *verifier) run(ctx context.Context) (*Verified, error) {
	differ, buckets, err := v.sums(ctx)
	if err != nil {
		return nil, err
	}
	if !differ.Empty() {
		if err := v.list(ctx, differ, buckets); err != nil {
			return nil, err
		}
		if err := v.settle(ctx); err != nil {
			return nil, err
		}
	}
	v.conclude()
	return &v.result, nil
}

// Buckets have about rowsPerBucket rows each. Fewer rows make the sums longer, more rows
// the lists of rows in a bucket that differs.
const (
	rowsPerBucket = 32
	minBuckets    = 64
)

// sums compares the sums of buckets at both ends. Both are read at once: the less time lies
// between, the fewer rows differ because they have changed.
func (v *verifier) sums(ctx context.Context) (differ digest.Set, buckets int, err error) {
	about, err := v.count(ctx, v.db)
	if err != nil {
		return nil, 0, err
	}
	buckets = v.owner.mostBuckets()
	for buckets > minBuckets && uint64(buckets/2)*rowsPerBucket >= about {
		buckets /= 2
	}
	here, there := make(digest.Sums, buckets), digest.Sums(nil)
	v.begin("all rows", about)
	err = both(ctx, func(ctx context.Context) error {
		return v.all(ctx, v.db, func(key string, values []string) error {
			here.Add(key, digest.Hash(key, values))
			v.result.Rows++
			return nil
		})
	}, func(ctx context.Context) error {
		sums, read, err := v.owner.sums(ctx, buckets, v.tell)
		there, v.result.OwnerRows, v.result.Unjudged = sums, read.Rows, read.Unjudged
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return here.Differ(there), buckets, nil
}

// both runs two functions at once, and ends one when the other fails.
func both(ctx context.Context, one, other func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := func(do func(context.Context) error) {
		if err := do(ctx); err != nil {
			cancel(err) // the first one is the cause
		}
	}
	var running sync.WaitGroup
	running.Go(func() { run(one) })
	run(other)
	running.Wait()
	return context.Cause(ctx)
}

const (
	// mostListed bounds the rows that are compared one by one, and mostCandidates those
	// that differ and are looked at again.
	mostListed     = 400_000
	mostCandidates = 50_000
)

// list compares the rows of buckets that differ.
func (v *verifier) list(ctx context.Context, differ digest.Set, buckets int) error {
	differ, v.result.Partly = v.bounded(differ, buckets)
	v.begin("rows that may differ", v.result.OwnerRows)
	here, there := map[string]uint64{}, map[string]uint64(nil)
	err := both(ctx, func(ctx context.Context) error {
		return v.all(ctx, v.db, func(key string, values []string) error {
			if differ.Has(digest.Bucket(key, buckets)) {
				here[key] = digest.Hash(key, values)
			}
			return nil
		})
	}, func(ctx context.Context) (err error) {
		there, err = v.owner.list(ctx, differ, buckets, v.tell)
		return err
	})
	if err != nil {
		return err
	}
	for key, hash := range there {
		if is, found := here[key]; !found || is != hash {
			v.candidates[key] = &candidate{owner: side{there: true, hash: hash}, replica: side{there: found, hash: is}}
		}
	}
	for key, hash := range here {
		if _, found := there[key]; !found {
			v.candidates[key] = &candidate{replica: side{there: true, hash: hash}}
		}
	}
	for key := range v.candidates {
		if len(v.candidates) <= mostCandidates {
			break
		}
		delete(v.candidates, key)
		v.result.Partly = true
	}
	return v.stamps(ctx)
}

// bounded leaves out buckets where there would be too many rows.
func (v *verifier) bounded(differ digest.Set, buckets int) (digest.Set, bool) {
	perBucket := int(max(v.result.Rows, v.result.OwnerRows))/buckets + 1
	kept, room := digest.NewSet(buckets), mostListed/perBucket
	for n := range buckets {
		if !differ.Has(n) {
			continue
		}
		if room--; room < 0 {
			return kept, true
		}
		kept.Add(n)
	}
	return kept, false
}

// stamps reads what the inbox has of the candidates. A replica whose service does not
// keep an inbox has no stamps.
func (v *verifier) stamps(ctx context.Context) error {
	in := v.table.inbox
	keys := make([]any, 0, len(v.candidates))
	for key := range v.candidates {
		keys = append(keys, []byte(key))
	}
	found := make(map[rowKey]Stamp, len(keys))
	err := inChunks(in.cfg.Dialect, keys, 1, func(part []any) error {
		return in.stampsOf(ctx, v.db, in.sql.readKeys, v.cfg.Entity, part, found)
	})
	if err != nil {
		return fmt.Errorf("inbox %s: read what was applied to the rows that differ: %w", in.cfg.Table, err)
	}
	for key, c := range v.candidates {
		c.stamp = found[rowKey{v.cfg.Entity, key}]
	}
	return nil
}

// begin begins a step.
func (v *verifier) begin(step string, of uint64) {
	v.step, v.told = VerifyProgress{Step: step, Of: of, Began: time.Now()}, time.Time{}
	v.tell(0)
}

// tell says how many rows of the step were read.
func (v *verifier) tell(rows uint64) {
	if v.cfg.Progress == nil || time.Since(v.told) < progressEvery {
		return
	}
	v.step.Rows, v.told = rows, time.Now()
	v.cfg.Progress(v.step)
}

// progressEvery is the least time between calls of Progress.
const progressEvery = 200 * time.Millisecond

// conclude makes the result of what was confirmed.
func (v *verifier) conclude() {
	r := &v.result
	for key := range v.confirmed {
		r.Keys = append(r.Keys, key)
	}
	slices.Sort(r.Keys)
	for _, key := range r.Keys {
		d := v.difference(key, v.confirmed[key])
		switch d.Kind {
		case Missing:
			r.Missing++
		case Extra:
			r.Extra++
		default:
			r.Different++
		}
		if len(r.Differences) < v.cfg.Rows {
			r.Differences = append(r.Differences, d)
		} else {
			r.LeftOut++
		}
	}
	r.Moving = len(v.candidates)
	r.Equal = len(r.Keys) == 0 && !r.Partly && r.Moving == 0 && r.Unjudged == 0
	r.Took = time.Since(v.began)
}

func (v *verifier) difference(key string, c *candidate) Difference {
	d := Difference{Key: key, Kind: Different}
	switch {
	case !c.replica.there:
		d.Kind = Missing
		return d
	case !c.owner.there:
		d.Kind = Extra
		return d
	}
	for n, at := range v.at {
		if n < len(c.owner.values) && n < len(c.replica.values) && c.owner.values[n] != c.replica.values[n] {
			d.Columns = append(d.Columns, ColumnDifference{
				Name: v.table.columns[at].Name, Owner: digest.Shown(c.owner.values[n]), Replica: digest.Shown(c.replica.values[n]),
			})
		}
	}
	return d
}
