package replhub_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is all that a service takes in with the SDK, beside the standard
// library: NATS with what that needs, the contract, and what keeps a connection.
var allowed = []string{
	"github.com/klauspost/compress/",
	"github.com/nats-io/nats.go",
	"github.com/nats-io/nkeys",
	"github.com/nats-io/nuid",
	"golang.org/x/crypto/",
	"golang.org/x/sys/",
	"github.com/replhub/replhub/internal/reconnect",
	"github.com/replhub/replhub/subjects",
	"github.com/replhub/replhub/internal/barrier",
	"github.com/replhub/replhub/internal/contract",
	"github.com/replhub/replhub/internal/digest",
	"github.com/replhub/replhub/internal/jsapi",
	"github.com/replhub/replhub/internal/pause",
	"github.com/replhub/replhub/internal/queue",
}

func TestTheSDKDependsOnNATSAlone(t *testing.T) {
	const root = "github.com/replhub/replhub"
	sdk := []string{root}
	for _, folder := range []string{"database", "outbox", "inbox"} {
		if _, err := os.Stat(folder + "/doc.go"); err == nil {
			sdk = append(sdk, root+"/"+folder)
		}
	}
	args := append([]string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, sdk...)
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "github.com/nats-io/nats.go/jetstream") {
		t.Fatalf("go list did not list the dependencies: %v", deps)
	}
	for _, dep := range deps {
		if slices.Contains(sdk, dep) || slices.ContainsFunc(allowed, func(prefix string) bool {
			return dep == strings.TrimSuffix(prefix, "/") || strings.HasPrefix(dep, strings.TrimSuffix(prefix, "/")+"/")
		}) {
			continue
		}
		t.Errorf("the SDK depends on %s", dep)
	}
}
