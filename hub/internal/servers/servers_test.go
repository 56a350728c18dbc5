package servers_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/servers"
)

func TestVersions(t *testing.T) {
	for text, want := range map[string]struct{ old, fast bool }{
		"2.11.16": {true, false}, "1.99.0": {true, false}, "2.12.0": {false, false}, "2.12.3": {false, false}, "2.13.9": {false, false},
		"2.14.0": {false, true}, "v2.14.0-RC.1": {false, true}, "2.15.2": {false, true}, "3.0.0": {false, true},
	} {
		v, err := servers.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := servers.RefuseOld(text); (err != nil) != want.old || v.Before(servers.FastMinor) == want.fast {
			t.Errorf("%s: refused with %v, fast ingest %v", text, err, !v.Before(servers.FastMinor))
		}
	}
	for _, text := range []string{"", "dev", "2", "x.12.0", "2.x.0"} {
		if err := servers.RefuseOld(text); err == nil || !strings.Contains(err.Error(), "server version") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
