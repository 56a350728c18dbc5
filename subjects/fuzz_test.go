package subjects_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/replhub/replhub/subjects"
)

// The grammar once more, as the contract states it.
const (
	nameForm = `([a-z0-9][a-z0-9_-]{0,62})`
	opForm   = `(create|read|update|delete)`
)

// FuzzParse holds every parser against a regular expression, and what parsed
// against what is printed.
func FuzzParse(f *testing.F) {
	naive := struct{ name, event, replica, letter, lane *regexp.Regexp }{
		regexp.MustCompile(`\A` + nameForm + `\z`),
		regexp.MustCompile(`\Adb\.` + nameForm + `\.` + opForm + `\z`),
		regexp.MustCompile(`\Asub\.` + nameForm + `\.` + nameForm + `\.` + opForm + `\.(0|[1-9][0-9]{0,4})\z`),
		regexp.MustCompile(`\Adlq\.` + nameForm + `\.` + nameForm + `\.` + opForm + `\z`),
		regexp.MustCompile(`\ASUB_` + nameForm + `\z`),
	}
	f.Add("db.user.create")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := subjects.ParseName(s)
		if m := naive.name.MatchString(s); m != (err == nil) || m && n.String() != s {
			t.Errorf("name %q: %q, %v; naively %t", s, n, err, m)
		}
		if err != nil {
			assertPrintable(t, err.Error())
		}

		e, err := subjects.ParseEvent(s)
		m := naive.event.FindStringSubmatch(s)
		if (m != nil) != (err == nil) {
			t.Fatalf("event %q: %v; naively %v", s, err, m)
		}
		if m != nil && (e.String() != s || e.Entity().String() != m[1] || e.Op().String() != m[2] || e != subjects.NewEvent(e.Entity(), e.Op())) {
			t.Errorf("event %q: %+v; naively %v", s, e, m)
		}

		c, err := subjects.ParseCopy(s)
		m = naive.replica.FindStringSubmatch(s)
		if m != nil {
			if p, _ := strconv.Atoi(m[4]); p >= subjects.MaxPartitions {
				m = nil
			}
		}
		if (m != nil) != (err == nil) {
			t.Fatalf("copy %q: %v; naively %v", s, err, m)
		}
		if m != nil && (c.Service().String() != m[1] || c.Entity().String() != m[2] || c.Op().String() != m[3] ||
			strconv.Itoa(c.Partition()) != m[4] || c != subjects.NewCopy(c.Service(), c.Entity(), c.Op(), c.Partition())) {
			t.Errorf("copy %q: %+v; naively %v", s, c, m)
		}

		service, entity, op, err := subjects.ParseDeadLetter(s)
		m = naive.letter.FindStringSubmatch(s)
		if (m != nil) != (err == nil) {
			t.Fatalf("dead letter %q: %v; naively %v", s, err, m)
		}
		if m != nil && (service.String() != m[1] || entity.String() != m[2] || op.String() != m[3] || subjects.DeadLetter(service, entity, op) != s) {
			t.Errorf("dead letter %q: %s %s %s; naively %v", s, service, entity, op, m)
		}

		lane, ok := subjects.ParseLaneStream(s)
		if m := naive.lane.MatchString(s); m != ok || m && subjects.LaneStream(lane) != s {
			t.Errorf("lane %q: %q, %t; naively %t", s, lane, ok, m)
		}
	})
}
