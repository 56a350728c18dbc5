package subjects_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/replhub/replhub/subjects"
)

func name(t testing.TB, s string) subjects.Name {
	t.Helper()
	n, err := subjects.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEventRoundTrip(t *testing.T) {
	for _, op := range subjects.Ops() {
		made := subjects.NewEvent(name(t, "user"), op)
		parsed, err := subjects.ParseEvent("db.user." + op.String())
		if err != nil || parsed != made || parsed.Entity().String() != "user" || parsed.Op() != op || parsed.IsZero() {
			t.Errorf("%s: made %+v, parsed %+v, %v", op, made, parsed, err)
		}
	}
}

func TestCopyRoundTrip(t *testing.T) {
	for _, p := range []int{0, 1, 9, 10, 255, subjects.MaxPartitions - 1} {
		made := subjects.NewCopy(name(t, "sharing"), name(t, "user"), subjects.Update, p)
		parsed, err := subjects.ParseCopy(made.String())
		if err != nil || parsed != made || parsed.Partition() != p || parsed.IsZero() {
			t.Errorf("partition %d: made %+v, parsed %+v, %v", p, made, parsed, err)
		}
		if parsed.Service().String() != "sharing" || parsed.Entity().String() != "user" || parsed.Op() != subjects.Update {
			t.Errorf("partition %d: parsed %+v", p, parsed)
		}
	}
}

func TestDeadLetterRoundTrip(t *testing.T) {
	s := subjects.DeadLetter(name(t, "sharing"), name(t, "user"), subjects.Delete)
	if s != "dlq.sharing.user.delete" {
		t.Fatalf("made %q", s)
	}
	service, entity, op, err := subjects.ParseDeadLetter(s)
	if err != nil || service.String() != "sharing" || entity.String() != "user" || op != subjects.Delete {
		t.Errorf("parsed %s %s %s, %v", service, entity, op, err)
	}
}

func TestParseRefuses(t *testing.T) {
	parsers := map[string]func(string) error{
		"db":  func(s string) error { _, err := subjects.ParseEvent(s); return err },
		"sub": func(s string) error { _, err := subjects.ParseCopy(s); return err },
		"dlq": func(s string) error { _, _, _, err := subjects.ParseDeadLetter(s); return err },
	}
	for kind, refused := range map[string][]string{
		"db": {
			"", "db", "db.", "db.user", "db.user.", "db..create", "db.user.rename", "db.user.>", "db.*.create",
			"db.user.create.", "db.user.create.x", ".db.user.create", "DB.user.create", "db.User.create",
			"db.user.create ", "db.us\x00er.create", "db.user.create\r\n", "xdb.user.create",
		},
		"sub": {
			"", "sub", "sub.s", "sub.s._state", "sub.s.user.create", "sub.s.user.create.", "sub.s.user.create.00",
			"sub.s.user.create.01", "sub.s.user.create.-1", "sub.s.user.create.+1", "sub.s.user.create.65536",
			"sub.s.user.create.99999999999999999999", "sub.s.user.create.1x", "sub.s.user.create.0.0",
			"sub.s.user.create.*", "sub.*.user.create.0", "sub..user.create.0", "db.s.user.create.0",
		},
		"dlq": {"", "dlq", "dlq.s", "dlq.s.user", "dlq.s.user.rename", "dlq.s.user.create.0", "dlq.s..create", "dlq.>"},
	} {
		for _, s := range refused {
			err := parsers[kind](s)
			var subjectErr *subjects.SubjectError
			if !errors.As(err, &subjectErr) || subjectErr.Value != s {
				t.Errorf("%s parser of %q: %v, want a *SubjectError", kind, s, err)
				continue
			}
			assertPrintable(t, err.Error())
		}
	}
}

func TestSubjectErrorTellsTheToken(t *testing.T) {
	_, err := subjects.ParseEvent("db.User.create")
	var nameErr *subjects.NameError
	if !errors.As(err, &nameErr) || nameErr.Value != "User" {
		t.Errorf("got %v, want the name at fault within", err)
	}
	_, err = subjects.ParseEvent("db.user.rename")
	var opErr *subjects.OpError
	if !errors.As(err, &opErr) || opErr.Value != "rename" {
		t.Errorf("got %v, want the op at fault within", err)
	}
}

func TestStreams(t *testing.T) {
	s := name(t, "sharing")
	for _, tc := range []struct{ got, want string }{
		{strings.Join(subjects.IngestSubjects(), " "), "db.*.create db.*.read db.*.update db.*.delete"},
		{subjects.LaneStream(s), "SUB_sharing"},
		{subjects.LaneSubjects(s), "sub.sharing.>"},
		{subjects.State(s), "sub.sharing._state"},
		{subjects.WorkerFilter(s, -1), "sub.sharing.*.*.*"},
		{subjects.WorkerFilter(s, 0), "sub.sharing.*.*.0"},
		{subjects.WorkerFilter(s, 12), "sub.sharing.*.*.12"},
		{subjects.DeadLetterFilter(s), "dlq.sharing.>"},
		{subjects.Control("register", s), "replhub.register.sharing"},
		{subjects.Control("status", subjects.Name{}), "replhub.status"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
	if n, ok := subjects.ParseLaneStream("SUB_sharing"); !ok || n != s {
		t.Errorf("parsed %q, %t", n, ok)
	}
	for _, stream := range []string{"", "SUB_", "sub_sharing", "DB", "SUB_Sharing", "SUB_a.b", "XSUB_a"} {
		if n, ok := subjects.ParseLaneStream(stream); ok || !n.IsZero() {
			t.Errorf("%q passes for the lane of %q", stream, n)
		}
	}
}

// A state record must reach no worker: in no filter may its subject fit.
func TestWorkerFilterNeverMatchesState(t *testing.T) {
	s := name(t, "sharing")
	state := strings.Split(subjects.State(s), ".")
	for _, p := range []int{-1, 0, 1} {
		if filter := strings.Split(subjects.WorkerFilter(s, p), "."); len(filter) == len(state) {
			t.Errorf("filter %v has as many tokens as the state record %v", filter, state)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for what, parse := range map[string]func() error{
		"name":        func() error { _, err := subjects.ParseName("user_profile"); return err },
		"op":          func() error { _, err := subjects.ParseOp("update"); return err },
		"event":       func() error { _, err := subjects.ParseEvent("db.user_profile.update"); return err },
		"copy":        func() error { _, err := subjects.ParseCopy("sub.sharing.user_profile.update.12"); return err },
		"dead letter": func() error { _, _, _, err := subjects.ParseDeadLetter("dlq.sharing.user_profile.update"); return err },
		"lane stream": func() error { _, _ = subjects.ParseLaneStream("SUB_sharing"); return nil },
		"partition":   func() error { _ = subjects.Partition("42", 16); return nil },
	} {
		n := testing.AllocsPerRun(100, func() {
			if err := parse(); err != nil {
				t.Error(err)
			}
		})
		if n != 0 {
			t.Errorf("parsing the %s allocates %v times", what, n)
		}
	}
}
