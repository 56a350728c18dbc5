package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A whole run, as small as it can be: every experiment, every way, and the
// contents of the lanes checked.
func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.json")
	var out bytes.Buffer
	err := run(t.Context(), []string{"-only", "copies,restart,hubs", "-quick", "-rounds", "1", "-lanes", "2", "-events", "50", "-json", file}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"Copies per second", "HUB / SOURCES", "Restart of the hub", "hubs beside each other"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the output:\n%s", want, &out)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Copies) != 1 || len(r.Copies[0].Ways) != 4 || len(r.Restart) != 1 {
		t.Fatalf("the file holds %s", data)
	}
	for way, rounds := range r.Copies[0].Ways {
		if len(rounds) != 1 || rounds[0].Rate <= 0 || rounds[0].Server.Peak <= 0 {
			t.Errorf("%s: %+v", way, rounds)
		}
	}
	if hub := r.Copies[0].Ways[wayHub][0].Writer; hub.Peak <= 0 {
		t.Errorf("the hub's memory was not measured: %+v", hub)
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		args string
		err  string
	}{
		{args: ""},
		{args: "-quick -lanes 1,10 -rounds 3 -events 100 -only copies,memory"},
		{args: "-lanes 1,x", err: `-lanes "1,x"`},
		{args: "-lanes 0", err: "-lanes 0: must be"},
		{args: "-rounds -1", err: "-rounds -1: must be"},
		{args: "-events -5", err: "-events -5: must be"},
		{args: "-only speed", err: `-only "speed": must be of`},
		{args: "-quick -full", err: "exclude"},
		{args: "more", err: `unexpected argument "more"`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			_, err := parseOptions(strings.Fields(tt.args), &bytes.Buffer{})
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}
