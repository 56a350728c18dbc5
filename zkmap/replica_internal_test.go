package zkmap

import (
	"fmt"
	"testing"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

// A record that was seen to be deleted and is made again before its folder is
// read has come: the folder's list looks as it did before.
func TestRecordMadeAgainIsRead(t *testing.T) {
	layout, err := mirror.NewLayout([]string{"hubs/*"}, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	k := &replica{m: &Map{layout: layout}, records: map[string]found{}, folders: map[string]map[string]struct{}{}, garbage: mirror.Findings{}}
	if came := k.take(reply{path: "hubs", kind: mirror.Folder, children: []string{"a"}}); len(came) != 1 {
		t.Fatalf("came %v", came)
	}
	k.take(reply{path: "hubs/a", kind: mirror.Record, found: found{data: []byte("1")}})
	k.take(reply{path: "hubs/a", kind: mirror.Record, err: fmt.Errorf("%w", tree.ErrNotFound)})
	came := k.take(reply{path: "hubs", kind: mirror.Folder, children: []string{"a"}})
	if len(came) != 1 || came[0] != "hubs/a" {
		t.Errorf("came %v, want hubs/a", came)
	}
}
