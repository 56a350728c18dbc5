package replhubtest_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/replhubtest"
)

func rows[Row any](rows map[string]Row) replhubtest.Rows[Row] {
	return func(context.Context) (map[string]Row, error) { return rows, nil }
}

func TestConvergedComparesByJSON(t *testing.T) {
	type user struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	}
	replhubtest.Converged(t,
		rows(map[string]user{"1": {"Ada <3", 36}}),
		rows(map[string]map[string]any{"1": {"age": 36, "name": "Ada <3"}}))
	big := failure(t, func(t replhubtest.T) {
		replhubtest.Converged(t, rows(map[string]int64{"1": 1<<60 + 1}), rows(map[string]int64{"1": 1 << 60}), replhubtest.Within(0))
	})
	if !strings.Contains(big, "1152921504606846977") {
		t.Errorf("large integers were rounded: %q", big)
	}
}

func TestConvergedWaits(t *testing.T) {
	var looks atomic.Int64
	replhubtest.Converged(t, rows(map[string]string{"1": "x"}), func(context.Context) (map[string]string, error) {
		switch looks.Add(1) {
		case 1:
			return nil, nil
		case 2:
			return nil, errors.New("the table is not there yet")
		default:
			return map[string]string{"1": "x"}, nil
		}
	})
	if looks.Load() != 3 {
		t.Errorf("%d looks, want 3", looks.Load())
	}
}

func TestConvergedShowsWhatDiffers(t *testing.T) {
	got := failure(t, func(t replhubtest.T) {
		replhubtest.Converged(t,
			rows(map[string]person{"1": {"1", "Ada"}, "2": {"2", "Bob"}, "4": {"4", "Eve"}}),
			rows(map[string]person{"1": {"1", "Ada"}, "2": {"2", "Rob"}, "3": {"3", "Zoe"}}),
			replhubtest.Within(30*time.Millisecond))
	})
	want := `the replica has not converged: not within 30ms: 3 of 4 rows:
  2: differs
      source   {"id":"2","name":"Bob"}
      replica  {"id":"2","name":"Rob"}
  3: not in the source
      replica  {"id":"3","name":"Zoe"}
  4: missing
      source   {"id":"4","name":"Eve"}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConvergedShowsAFew(t *testing.T) {
	many := make(map[string]string)
	for i := range 500 {
		many[strings.Repeat("x", i)] = "y"
	}
	got := failure(t, func(t replhubtest.T) {
		replhubtest.Converged(t, rows(many), rows(map[string]string{}), replhubtest.Within(0))
	})
	if !strings.HasSuffix(got, "\n  and 490 more") || !strings.Contains(got, "500 of 500 rows") {
		t.Errorf("said %q", got)
	}
}

func TestConvergedSaysWhatItCouldNotRead(t *testing.T) {
	broken := func(context.Context) (map[string]string, error) { return nil, errors.New("away") }
	for says, do := range map[string]func(t replhubtest.T){
		"read the source: away": func(t replhubtest.T) {
			replhubtest.Converged(t, broken, rows(map[string]string{}), replhubtest.Within(0))
		},
		"read the replica: away": func(t replhubtest.T) {
			replhubtest.Converged(t, rows(map[string]string{}), broken, replhubtest.Within(0))
		},
		`read the source: row "1": `: func(t replhubtest.T) {
			replhubtest.Converged(t, rows(map[string]chan int{"1": nil}), rows(map[string]string{}), replhubtest.Within(0))
		},
		`key "a": found twice`: func(t replhubtest.T) {
			db := newReplica(t.(*attempt).T.(*testing.T)).db
			replhubtest.Converged(t, replhubtest.SQL(db, "SELECT 'a' AS id UNION ALL SELECT ?", "a"), broken, replhubtest.Within(0))
		},
	} {
		if got := failure(t, do); !strings.Contains(got, says) {
			t.Errorf("said %q, want %q in it", got, says)
		}
	}
}
