package replhubtest_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/replhubtest"
)

// exampleT stands for a *testing.T, which examples have none of.
type exampleT struct {
	ends []func()
}

func (t *exampleT) Helper()                           {}
func (t *exampleT) Cleanup(end func())                { t.ends = append(t.ends, end) }
func (t *exampleT) Context() context.Context          { return context.Background() }
func (t *exampleT) Logf(string, ...any)               {}
func (t *exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleT) TempDir() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (t *exampleT) end() {
	for _, end := range slices.Backward(t.ends) {
		end()
	}
}

// names is a replica in memory.
type names struct {
	mu  sync.Mutex // guards all
	all map[string]string
}

func (n *names) put(key, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all[key] = name
}

func (n *names) rows(context.Context) (map[string]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.all), nil
}

// In a test, t is its *testing.T.
func Example() {
	t := new(exampleT)
	defer t.end()

	hub := replhubtest.Start(t)
	replica := &names{all: make(map[string]string)}
	hub.Subscribe(t, "sharing", replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}},
	}, replhub.JSON(func(_ context.Context, d *replhub.Delivery, user struct{ Name string }) error {
		replica.put(d.Key, user.Name)
		return nil
	}))

	hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Create, Data: []byte(`{"id":"42","name":"Ada"}`)})
	hub.AwaitDrained(t, "sharing")
	replhubtest.Converged(t, replhubtest.Rows[string](func(context.Context) (map[string]string, error) {
		return map[string]string{"42": "Ada"}, nil
	}), replica.rows)
	fmt.Println(replica.rows(t.Context()))
	// Output: map[42:Ada] <nil>
}

// A handler is called as it would be by a network that loses acknowledgements and
// processes that die; a hub that is killed changes nothing.
func ExampleNewChaos() {
	t := new(exampleT)
	defer t.end()

	hub := replhubtest.Start(t)
	chaos := replhubtest.NewChaos(t, replhubtest.ChaosConfig{Seed: 1, Duplicates: 0.5, LostAcks: 0.5})
	replica := &names{all: make(map[string]string)}
	hub.Subscribe(t, "sharing", replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}},
		Middleware:   []replhub.Middleware{chaos.Wrap},
	}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		replica.put(d.Key, string(d.Data))
		return nil
	}))

	source := make(map[string]string)
	for i := range 20 {
		key := fmt.Sprint("user", i)
		source[key] = fmt.Sprint("name ", i)
		hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Create, Key: key, Data: []byte(source[key])})
		if i == 10 {
			hub.KillHub(t)
			hub.StartHub(t)
		}
	}
	replhubtest.Converged(t, replhubtest.Rows[string](func(context.Context) (map[string]string, error) {
		return source, nil
	}), replica.rows)
	did := chaos.Stats()
	fmt.Println(did.Handled > 20, did.Duplicates > 0, did.LostAcks > 0)
	// Output: true true true
}
