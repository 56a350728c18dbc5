package inbox_test

import (
	"fmt"
	"log/slog"
	"maps"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// Values of two unique columns change hands at once, each in its own way, some of them
// from a row that goes: one by one, in different processes, and together.
func TestTwoUniqueColumnsChangeHands(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := &replica{DB: open(t, dialect), dialect: dialect, inbox: inboxOn(t, dialect)}
		if err := r.inbox.Migrate(t.Context(), r.DB); err != nil {
			t.Fatal(err)
		}
		r.exec(t, "CREATE TABLE users (id varchar(20) PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, mail varchar(20) NOT NULL UNIQUE)")
		process := func() (*inbox.Inbox, *inbox.Table) {
			in, err := inbox.New(inbox.Config{Dialect: dialect, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			table, err := in.NewTable(inbox.TableConfig{Table: "users", Columns: []inbox.Column{{Name: "name"}, {Name: "mail"}}})
			if err != nil {
				t.Fatal(err)
			}
			return in, table
		}
		seq := uint64(0)
		// names and mails are those of the rows 1, 2, …; an empty name is a delete.
		state := func(names, mails string) (all []*replhub.Delivery, want map[string]string) {
			want = map[string]string{}
			for n := range names {
				seq++
				key := fmt.Sprint(n + 1)
				d := user(replhub.Update, key, seq)
				d.Data = fmt.Appendf(nil, `{"name":"n%c","mail":"m%c"}`, names[n], mails[n])
				if names[n] == '-' {
					d = user(replhub.Delete, key, seq)
				} else {
					want[key] = "n" + names[n:n+1]
				}
				all = append(all, d)
			}
			return all, want
		}
		for _, c := range []struct{ names, mails string }{
			{"2134", "1243"}, {"2341", "3412"}, {"213-", "3214"}, {"41-2", "4-12"},
		} {
			for _, together := range []bool{true, false} {
				in, table := process()
				r.exec(t, "DELETE FROM users")
				first, _ := state("1234", "1234")
				if _, err := in.ReplicateBatch(t.Context(), r.DB, first, table); err != nil {
					t.Fatal(err)
				}
				last, want := state(c.names, c.mails)
				if together {
					if _, err := in.ReplicateBatch(t.Context(), r.DB, last, table); err != nil {
						t.Fatalf("%s, %s together: %v", c.names, c.mails, err)
					}
				}
				for round := 0; !together && len(last) > 0; round++ {
					d := last[0]
					last = last[1:]
					in, table := process()
					if _, err := in.Replicate(t.Context(), r.DB, d, table); err != nil {
						if database.Classify(err) != database.Waits || round > 20 {
							t.Fatalf("%s, %s: key %s: %v", c.names, c.mails, d.Key, err)
						}
						last = append(last, d)
					}
				}
				if have := r.rows(t); !maps.Equal(have, want) {
					t.Errorf("%s, %s, together: %t: have %v, want %v", c.names, c.mails, together, have, want)
				}
			}
		}
	})
}
