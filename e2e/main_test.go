package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/e2e/judge"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// binary is the hub under test, built once per run.
var binary string // TestMain has no other way to hand it to the tests

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "replhub-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// A binary made otherwise, with a mechanism disabled for instance.
	if binary = os.Getenv("REPLHUB_E2E_BINARY"); binary == "" {
		if binary, err = harness.Build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := sqltest.Main(m).Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// settleWithin bounds the time from a heal to the last copy due.
const settleWithin = 40 * time.Second

// registries are both kinds of registry; in the gate only the one that is named, where a
// scenario is hardly about the registry.
func registries(inGate ...string) []string {
	if lengthy || len(inGate) == 0 {
		return []string{harness.KeyValue, harness.ZooKeeper}
	}
	return inGate
}

// want is an interest in all of an entity.
func want(entity string) harness.Want { return harness.Want{Entity: entity} }

// acmeOnly is an interest in the events of one tenant.
func acmeOnly(entity string) harness.Want {
	return harness.Want{
		Entity: entity, Filter: "data.tenant == 'acme'",
		Definition: judge.Definition{
			Pass:  func(e judge.Event) bool { return e.Object()["tenant"] == "acme" },
			Fails: func(e judge.Event) bool { return e.Object()["tenant"] == nil },
		},
	}
}

// evenOnly is an interest in events with an even number.
func evenOnly(entity string) harness.Want {
	return harness.Want{
		Entity: entity, Filter: "data.n % 2 == 0",
		Definition: judge.Definition{Pass: func(e judge.Event) bool {
			n, _ := e.Object()["n"].(json.Number)
			i, err := n.Int64()
			return err == nil && i%2 == 0
		}},
	}
}

// withoutSecret is an interest in some fields.
func withoutSecret(entity string) harness.Want {
	return harness.Want{
		Entity:     entity,
		Definition: judge.Definition{Fields: []string{"id", "n", "tenant", "address.city", "no.such.field"}},
	}
}

// from is an interest with a start.
func from(start string, w harness.Want) harness.Want {
	w.Start = start
	return w
}
