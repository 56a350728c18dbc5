package mirror_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

func TestLayoutKind(t *testing.T) {
	l, err := mirror.NewLayout([]string{"entities/*/*", "services/*", "hubs/*"}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		want mirror.Kind
	}{
		{"", mirror.Folder},
		{"entities", mirror.Folder},
		{"entities/user", mirror.Folder},
		{"entities/user/sharing", mirror.Record},
		{"entities/user/sharing/x", mirror.Garbage},
		{"services", mirror.Folder},
		{"services/a_B-9", mirror.Record},
		{"services/a.b", mirror.Garbage},
		{"services/", mirror.Garbage},
		{"services//a", mirror.Garbage},
		{"/services/a", mirror.Garbage},
		{"services/\u0430", mirror.Garbage}, // a Cyrillic look-alike
		{"services/a\x00", mirror.Garbage},
		{"services/*", mirror.Garbage},
		{"other", mirror.Garbage},
		{"..", mirror.Garbage},
	} {
		if got := l.Kind(tt.path); got != tt.want {
			t.Errorf("Kind(%q) = %v, want %v", tt.path, got, tt.want)
		}
	}
	both, err := mirror.NewLayout([]string{"entities/*/*", "entities/*"}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]mirror.Kind{
		"": mirror.Folder, "entities": mirror.Folder, "entities/user": mirror.RecordFolder, "entities/user/sharing": mirror.Record,
	} {
		if got := both.Kind(path); got != want {
			t.Errorf("Kind(%q) = %v, want %v", path, got, want)
		}
	}
	if err := l.CheckWrite("services/a", make([]byte, 11)); !errors.Is(err, mirror.ErrValue) {
		t.Errorf("11 bytes of 10: %v, want ErrValue", err)
	}
	if err := l.CheckWrite("services", nil); !errors.Is(err, mirror.ErrPath) {
		t.Errorf("a folder as a record: %v, want ErrPath", err)
	}
}

func TestLayoutRefusesPatterns(t *testing.T) {
	for _, patterns := range [][]string{nil, {""}, {"a//b"}, {"a/**"}, {"/a"}} {
		if _, err := mirror.NewLayout(patterns, 1); err == nil {
			t.Errorf("NewLayout(%q): no error", patterns)
		}
	}
}

func TestAlarmsAreBoundedAndLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	a := mirror.NewAlarms(slog.New(slog.NewTextHandler(&out, nil)))
	var f mirror.Findings
	for i := range 1000 {
		f.Add(fmt.Sprintf("x/%d", i), "a stranger")
	}
	a.Set("tree", f)
	a.Set("tree", f)
	if n := len(a.List()); n < 2 || n > 100 {
		t.Errorf("%d alarms listed", n)
	}
	if last := a.List()[len(a.List())-1]; last != "and 936 more" {
		t.Errorf("last alarm %q", last)
	}
	if n := strings.Count(out.String(), "\n"); n > 100 {
		t.Errorf("%d log lines", n)
	}
	f.DropUnder("x")
	a.Set("tree", f)
	if got := a.List(); len(got) != 0 {
		t.Errorf("alarms after the cause is gone: %q", got)
	}
}

func TestPublishTellsOnlyChanges(t *testing.T) {
	s := mirror.NewState()
	first := s.Changed()
	s.Publish(map[string]tree.Entry{"a": {Value: []byte("1"), Version: 1}})
	select {
	case <-first:
	default:
		t.Fatal("the first snapshot is not told")
	}
	second := s.Changed()
	s.Publish(map[string]tree.Entry{"a": {Value: []byte("1"), Version: 1}})
	select {
	case <-second:
		t.Fatal("an equal snapshot is told as a change")
	default:
	}
	s.Publish(map[string]tree.Entry{"a": {Value: []byte("1"), Version: 2}})
	select {
	case <-second:
	default:
		t.Fatal("a new version is not told")
	}
}
