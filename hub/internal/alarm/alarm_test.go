package alarm_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/alarm"
)

func TestAlarmsByWhatTheyAreAbout(t *testing.T) {
	var log bytes.Buffer
	s := alarm.New(slog.New(slog.NewTextHandler(&log, nil)))
	s.Raise(alarm.About{Kind: alarm.Record, Name: "entities/user/b"}, "b is ignored")
	s.Raise(alarm.About{Kind: alarm.Record, Name: "entities/user/a"}, "a is ignored")
	s.Raise(alarm.About{Kind: alarm.Record, Name: "entities/user/a"}, "a is ignored")
	s.Raise(alarm.About{Kind: alarm.RecordVanished, Name: "entities/user/a"}, "a vanished")
	s.Raise(alarm.About{Kind: alarm.ForeignLane, Name: "SUB_x"}, "x is foreign")
	s.Raise(alarm.About{Kind: alarm.ForeignLane, Name: "SUB_y"}, "y is foreign")
	if got, want := s.Texts(), []string{"a is ignored", "a vanished", "b is ignored", "x is foreign", "y is foreign"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := strings.Count(log.String(), "a is ignored"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	s.ClearKind(alarm.ForeignLane, func(name string) bool { return name == "SUB_y" })
	s.Clear(alarm.About{Kind: alarm.Record, Name: "entities/user/a"})
	if got, want := s.Texts(), []string{"a vanished", "b is ignored", "y is foreign"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i := range 1000 {
		s.Raise(alarm.About{Kind: alarm.Record, Name: fmt.Sprint(i)}, "garbage")
	}
	if n := len(s.Texts()); n != 100 {
		t.Errorf("%d alarms of a flood", n)
	}
}
