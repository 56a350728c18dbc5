package replhub

import (
	"errors"
	"testing"
	"time"
)

// A probe is one event at a time, another one than the last where there is one, and
// the first is at once.
func TestOneProbeAtATime(t *testing.T) {
	d, jobs := deskOf(4, 1, "a", "b", "c")
	away := errors.New("away")
	began := time.Now()
	if b, _ := taken(d); b.jobs[0] != jobs[0] {
		t.Fatal("not the first")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stall(jobs[0], away, 1, began) {
		t.Error("it is told before a probe has met it")
	}
	if !d.mayBegin() {
		t.Error("the first probe is not at once")
	}
	var b bundle
	d.next(&b)
	if b.jobs[0] != jobs[1] {
		t.Error("the probe is not another event")
	}
	if d.mayBegin() {
		t.Error("a second probe beside the first")
	}
	if !d.stall(jobs[1], away, 1, began) || !d.outage.told {
		t.Error("it is not told when a probe has met it")
	}
	if d.mayBegin() {
		t.Error("the next probe does not wait")
	}
	d.outage.due = began
	d.next(&b)
	if over := d.answered(b.jobs[0], true); !over.told || over.attempts != 2 || !errors.Is(over.err, away) {
		t.Errorf("over: %+v", over)
	}
	d.done(b.jobs[0])
	for _, want := range jobs[:2] {
		if d.next(&b); b.jobs[0] != want {
			t.Errorf("%d begins, want those that waited, in their order", b.jobs[0].seq)
		}
	}
}

// It is an event's own fault if one of its entity that began later was handled.
func TestOutageOfOneEvent(t *testing.T) {
	for name, tt := range map[string]struct {
		other   string // entity
		handled bool
		want    bool
	}{
		"another is handled":    {"user", true, true},
		"another gets an error": {"user", false, false},
		"one of another entity": {"order", true, false},
		"nothing since":         {"", false, false},
	} {
		d, jobs := deskOf(4, 1, "a", "b")
		jobs[1].row.entity = tt.other
		taken(d)
		d.mu.Lock()
		if jobs[0].ownFault() {
			t.Errorf("%s: before anything", name)
		}
		d.stall(jobs[0], errors.New("away"), 1, time.Now())
		if tt.other != "" {
			var b bundle
			d.next(&b)
			d.answered(b.jobs[0], tt.handled)
		}
		if got := jobs[0].ownFault(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		d.mu.Unlock()
	}
	// One that began before it proves nothing: it may have had what is away now.
	d, jobs := deskOf(4, 1, "a", "b")
	taken(d)
	taken(d)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stall(jobs[0], errors.New("away"), 1, time.Now())
	if d.answered(jobs[1], true); jobs[0].ownFault() || !d.outage.on() {
		t.Error("an event that began before it proves something")
	}
}
