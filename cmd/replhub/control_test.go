package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
)

func at(clock string) *time.Time {
	t, err := time.Parse(time.DateTime, "2026-01-02 "+clock)
	if err != nil {
		panic(err)
	}
	return &t
}

func sharingInterests() []contract.InterestStatus {
	return []contract.InterestStatus{
		{Service: "sharing", ID: "i1", Entity: "tenant", Definition: contract.Definition{Ops: []string{"create", "update", "delete"}}, Since: 7, SinceEpoch: 1},
		{
			Service: "sharing", ID: "i2", Entity: "user",
			Definition: contract.Definition{
				Ops: []string{"create", "delete"}, Filter: "data.tenant == 'acme'", Fields: []string{"id", "address.city"}, Echo: true,
			},
			Since: 1042, SinceEpoch: 1, Filling: true,
		},
	}
}

func sharing() contract.LaneStatus {
	return contract.LaneStatus{
		Service: "sharing", Stream: "SUB_sharing", State: contract.LaneFilling, Since: at("03:04:05"), Owner: "hub-1",
		Interests: sharingInterests(), MaxBytes: 1 << 30, Epoch: 1, Seq: 1100, Lag: 12, LagSeconds: 0.25,
		Queue:    contract.Queue{Order: "none", Partitions: 1, AckWait: contract.Duration(30 * time.Second), MaxDeliver: 10},
		Messages: 421, Bytes: 123_456, Backlog: 3, OldestUnacked: 75, DeadLetters: 2,
		Workers: []contract.WorkerStatus{{Consumer: "workers", Waiting: 2, Pending: 1, AckPending: 2, Redelivered: 1}},
		Fill:    &contract.FillStatus{Kind: contract.FillEvents, Entities: []string{"user"}, From: 1, At: 500, To: 1041},
		OtherFills: []contract.FillStatus{
			{Kind: contract.FillSnapshot, Entities: []string{"order"}, Rows: 12_000, After: "o-\x1b12000", Began: at("03:04:05")},
			{Kind: contract.FillBackfill, ID: "b1", Filter: "data.n == 1", Entities: []string{"tenant"}, Rows: 7, After: "t7", Began: at("03:04:05")},
			{Kind: contract.FillSnapshot, Entities: []string{"invoice"}, Began: at("03:04:05"), Stalled: "no instance serves a snapshot of invoice: start its owner"},
		},
	}
}

func application() contract.LaneStatus {
	return contract.LaneStatus{
		Service: "application", Stream: "SUB_application", State: contract.LaneStalled, Reason: "the lane is full: 1.0 GiB wait for its workers",
		Interests: []contract.InterestStatus{{Service: "application", ID: "i3", Entity: "user", Definition: contract.Definition{Ops: []string{"update"}}, Since: 1, SinceEpoch: 1}},
		Queue:     contract.Queue{Order: "key", Partitions: 2, AckWait: contract.Duration(time.Minute), MaxDeliver: 5},
		MaxBytes:  1 << 30, Epoch: 1, Seq: 4, Messages: 1, Bytes: 1 << 30, Backlog: 90_000, OldestUnacked: 90_061, Lag: 1, LagSeconds: 7200,
		Workers: []contract.WorkerStatus{
			{Consumer: "workers-0", Holder: "sharing-b", Next: "sharing-a", Pending: 90_000, PausedUntil: at("12:00:00")},
			{Consumer: "workers-1", Holder: "sharing-b"},
		},
		Unavailable: []contract.Unavailable{
			{Instance: "sharing-b", Since: *at("03:04:05"), Attempts: 41, Error: "dial tcp 10.0.0.5:5432: connect: connection refused\x1b"},
		},
	}
}

func status() contract.Status {
	return contract.Status{
		Hub: "hub-1", Version: "v0.1.0", Started: *at("03:04:05"), Hubs: []string{"hub-1", "hub-2"}, Ready: true,
		Degraded: []string{"lane application is stalled"},
		Registry: contract.RegistryStatus{Kind: "zk", Since: *at("05:00:00"), Error: "zk: could not connect", Alarms: []string{"entities/user/x: garbage"}},
		Ingest: contract.IngestStatus{
			Stream: "DB", Epoch: 1, FirstSeq: 5, LastSeq: 1112, Messages: 1108, Bytes: 3 << 20, MaxBytes: 4 << 30, Fill: 0.0007, Floor: 5, Rate: 12.5,
		},
		Lanes: map[string]int{"live": 3, "stalled": 1},
	}
}

// TestVerbs runs every verb of the hub's against laid out replies, for people
// and for programs.
func TestVerbs(t *testing.T) {
	registered := contract.Registered{
		Service: "sharing", Stream: "SUB_sharing", Consumers: []string{"workers"}, Epoch: 1,
		Since: map[string]uint64{"user": 1042, "tenant": 7}, Complete: true, Seq: 1050, Warnings: []string{},
	}
	incomplete := registered
	incomplete.Complete, incomplete.Consumers = false, []string{"workers-0", "workers-1"}
	incomplete.Warnings = []string{"the filter on user reads data.tenant unguarded"}
	file := filepath.Join(t.TempDir(), "interests.json")
	if err := os.WriteFile(file, []byte(`{"interests":[{"entity":"user"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	paused := contract.Paused{Service: "sharing", Consumers: []string{"workers"}, PausedUntil: at("04:00:00")}
	resumed := contract.Paused{Service: "sharing", Consumers: []string{"workers"}}

	for _, tt := range []struct {
		name    string
		args    []string
		stdin   string
		subject string
		reply   any
		asks    string // the request's body
	}{
		{
			"register",
			[]string{"register", "sharing", "user", "tenant"},
			"", "replhub.register.sharing", registered,
			`{"entities":["user","tenant"]}`,
		},
		{
			"register-full",
			[]string{
				"register", "sharing", "user", "tenant", "--ops", "create,delete", "--filter", "data.tenant == 'acme'", "--fields", "id,name",
				"--start", "all", "--echo", "--order", "key", "--partitions", "2", "--ack-wait", "1m", "--max-deliver", "3", "--max-bytes", "64MiB",
			},
			"", "replhub.register.sharing", incomplete,
			`{"interests":[` +
				`{"entity":"user","ops":["create","delete"],"filter":"data.tenant == 'acme'","fields":["id","name"],"echo":true,"start":"all"},` +
				`{"entity":"tenant","ops":["create","delete"],"filter":"data.tenant == 'acme'","fields":["id","name"],"echo":true,"start":"all"}],` +
				`"queue":{"order":"key","partitions":2,"ack_wait":"1m0s","max_deliver":3},"max_bytes":67108864}`,
		},
		{
			"register-file",
			[]string{"register", "sharing", "--file", file},
			"", "replhub.register.sharing", registered,
			`{"interests":[{"entity":"user"}]}`,
		},
		{
			"register-stdin",
			[]string{"register", "sharing", "--file", "-"},
			`{"entities":["user"]}`, "replhub.register.sharing", registered,
			`{"entities":["user"]}`,
		},
		{
			"register-refused",
			[]string{"register", "sharing", "--file", "-"},
			`{"interests":[{"opps":[]}]}`, "replhub.register.sharing",
			contract.FieldErrorf(contract.CodeUnknownField, "interests[0].opps", "no such field here; check its spelling and place"),
			`{"interests":[{"opps":[]}]}`,
		},
		{
			"unregister",
			[]string{"unregister", "sharing", "tenant"},
			"", "replhub.unregister.sharing",
			contract.Unregistered{Service: "sharing", Ended: []string{"tenant"}, Entities: []string{"user"}},
			`{"entities":["tenant"]}`,
		},
		{
			"unregister-all",
			[]string{"unregister", "sharing"},
			"", "replhub.unregister.sharing",
			contract.Unregistered{Service: "sharing", Ended: []string{"tenant", "user"}, Entities: []string{}},
			`{}`,
		},
		{
			"backfill-no-wait",
			[]string{"backfill", "sharing", "user", "--where", "data.n == 1", "--no-wait"},
			"", "replhub.backfill.sharing", begun(), `{"entity":"user","filter":"data.n == 1"}`,
		},
		{
			"backfill-refused",
			[]string{"backfill", "sharing", "user"},
			"", "replhub.backfill.sharing",
			contract.FieldErrorf(contract.CodeUnavailable, "entity", "nothing was begun: no instance serves the rows of user"),
			`{"entity":"user"}`,
		},
		{"ls", []string{"ls"}, "", "replhub.services", contract.Services{Services: []contract.LaneStatus{application(), sharing()}}, `{}`},
		{"ls-none", []string{"ls"}, "", "replhub.services", contract.Services{Services: []contract.LaneStatus{}}, `{}`},
		{"describe", []string{"describe", "sharing"}, "", "replhub.describe.sharing", sharing(), `{}`},
		{"describe-stalled", []string{"describe", "application"}, "", "replhub.describe.application", application(), `{}`},
		{
			"describe-refused",
			[]string{"describe", "nobody"},
			"", "replhub.describe.nobody",
			contract.Errorf(contract.CodeNotFound, "no service of that name is registered"), `{}`,
		},
		{"who", []string{"who", "user"}, "", "replhub.who", contract.Interested{Entity: "user", Services: sharingInterests()[1:]}, `{"entity":"user"}`},
		{"who-nobody", []string{"who", "user"}, "", "replhub.who", contract.Interested{Entity: "user"}, `{"entity":"user"}`},
		{
			"explain", []string{"explain", "sharing", "1042", "--epoch", "1"}, "", "replhub.explain.sharing", contract.Explained{
				Service: "sharing", Seq: 1042, Epoch: 1, Entity: "user", Op: "update", Key: "42\x1b[31m", Verdict: contract.VerdictOp,
				Reason: "it is an update, and the service wants create and delete of user",
			}, `{"seq":1042,"epoch":1}`,
		},
		{
			"explain-dead", []string{"explain", "sharing", "1042"}, "", "replhub.explain.sharing", contract.Explained{
				Service: "sharing", Seq: 1042, Epoch: 1, Entity: "user", Op: "update", Key: "42", Verdict: contract.VerdictDeadLettered,
				Reason: "it is dead letter 7 (max_deliver: gave up), after 10 attempts", Subject: "sub.sharing.user.update.0",
				Copy:     &contract.ExplainedCopy{Seq: 88, Consumer: "workers", State: contract.CopyGivenUp, Delivered: new(uint64(10))},
				Redriven: []uint64{88}, Letters: []contract.ExplainedLetter{{Seq: 7, Reason: "max_deliver", Error: "gave up", Attempts: 10, Redriven: 1}},
				Unknown: []string{"what else"},
			}, `{"seq":1042}`,
		},
		{
			"policy",
			[]string{"policy", "user", "--allow", "sharing=id, address.city", "--ops", "sharing=create, update", "--filter", `sharing=data.country == "DE"`, "--allow", "audit=*"},
			"", "replhub.policy.user",
			contract.PolicySet{
				Entity: "user", Rev: 1767323045000000, Warnings: []string{"sharing gets no deletes: it keeps the rows that are gone"},
				Services: []contract.PolicyEffect{
					{Service: "application", State: contract.PolicySuspended, Reason: "the policy does not name the service", Epoch: 1, Seq: 1043},
					{Service: "sharing", State: contract.PolicyNarrowed, Epoch: 1, Seq: 1041},
				},
			},
			`{"allow":{"audit":{"fields":["*"]},"sharing":{"ops":["create","update"],"filter":"data.country == \"DE\"","fields":["id","address.city"]}}}`,
		},
		{
			"policy-none",
			[]string{"policy", "user", "--none"},
			"", "replhub.policy.user",
			contract.PolicySet{Entity: "user", Rev: 7, Warnings: []string{}},
			`{"allow":{}}`,
		},
		{
			"policy-clear",
			[]string{"policy", "user", "--clear"},
			"", "replhub.policy.user",
			contract.PolicySet{Entity: "user", Rev: 8, Cleared: true, Warnings: []string{}},
			`{"clear":true}`,
		},
		{"policy-list", []string{"policy"}, "", "replhub.policies", policies(), `{}`},
		{"policy-show", []string{"policy", "user", "--show"}, "", "replhub.policies", contract.Policies{Required: true}, `{"entity":"user"}`},
		{"ls-policy", []string{"ls"}, "", "replhub.services", contract.Services{Services: []contract.LaneStatus{limited()}}, `{}`},
		{"describe-policy", []string{"describe", "sharing"}, "", "replhub.describe.sharing", limited(), `{}`},
		{"pause", []string{"pause", "sharing", "--for", "30m"}, "", "replhub.pause.sharing", paused, `{"for":"30m0s"}`},
		{"resume", []string{"resume", "sharing"}, "", "replhub.resume.sharing", resumed, `{}`},
		{
			"rewind",
			[]string{"rewind", "sharing", "2026-01-02T03:00:00Z"},
			"", "replhub.rewind.sharing",
			contract.Rewound{Service: "sharing", Consumers: []string{"workers"}, Seq: 900, Redelivered: 1},
			`{"to":"2026-01-02T03:00:00Z"}`,
		},
		{
			"rewind-empty",
			[]string{"rewind", "sharing", "1042"},
			"", "replhub.rewind.sharing",
			contract.Rewound{Service: "sharing", Consumers: []string{"workers"}},
			`{"to":"1042"}`,
		},
		{
			"drop",
			[]string{"drop", "sharing", "--yes"},
			"", "replhub.drop.sharing",
			contract.Dropped{Service: "sharing", Stream: "SUB_sharing"},
			`{}`,
		},
		{
			"drop-refused",
			[]string{"drop", "sharing", "-y"},
			"", "replhub.drop.sharing",
			contract.Errorf(contract.CodeInUse, "sharing is still registered for user; unregister it first"), `{}`,
		},
		{"status", []string{"status"}, "", "replhub.status", status(), `{}`},
		{
			"dlq-redrive",
			[]string{"dlq", "redrive", "sharing", "17", "18"},
			"", "replhub.redrive.sharing",
			contract.Redriven{Service: "sharing", Redriven: 2},
			`{"seqs":[17,18]}`,
		},
		{
			"dlq-redrive-all",
			[]string{"dlq", "redrive", "sharing", "--all"},
			"", "replhub.redrive.sharing",
			contract.Redriven{
				Service: "sharing", Redriven: 1, More: true,
				Left: []contract.RedriveLeft{{Seq: 9, Message: "still filter_error: no such key: tenant"}},
			},
			`{"all":true}`,
		},
		{
			"dlq-redrive-nothing",
			[]string{"dlq", "redrive", "sharing", "17", "99"},
			"",
			"replhub.redrive.sharing",
			contract.Redriven{Service: "sharing", Left: []contract.RedriveLeft{
				{Seq: 17, Message: "no longer due: the filter says no"}, {Seq: 99, Message: "no such dead letter of sharing"},
			}},
			`{"seqs":[17,99]}`,
		},
		{
			"dlq-redrive-none",
			[]string{"dlq", "redrive", "sharing", "--all"},
			"", "replhub.redrive.sharing",
			contract.Redriven{Service: "sharing"},
			`{"all":true}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.answer(t, tt.subject, tt.reply)
			b.golden(t, tt.name, execute(t.Context(), tt.stdin, tt.args...))
			b.golden(t, tt.name+"-json", execute(t.Context(), tt.stdin, slices.Concat(tt.args, []string{"--json"})...))
			for range 2 {
				if got, want := <-b.asked, tt.subject+" "+tt.asks; got != want {
					t.Errorf("asked %s\nwant  %s", got, want)
				}
			}
		})
	}
}

func TestNoHub(t *testing.T) {
	b := newBench(t)
	b.golden(t, "no-hub", execute(t.Context(), "", "ls"))
	b.golden(t, "no-hub-pub", execute(t.Context(), "", "pub", "user", "create", "{}"))
	b.golden(t, "no-hub-dlq", execute(t.Context(), "", "dlq", "ls"))
}

func TestHubDoesNotAnswer(t *testing.T) {
	b := newBench(t)
	silent, err := b.nc.SubscribeSync("replhub.>")
	if err != nil {
		t.Fatal(err)
	}
	b.flush(t)
	b.golden(t, "no-answer", execute(t.Context(), "", "ls", "--timeout", "1s"))
	if n, _, err := silent.Pending(); n != 1 || err != nil {
		t.Errorf("%d requests, error %v; want 1", n, err)
	}
}

// TestForeignRefusal: an error without the hub's body is told by its headers.
func TestForeignRefusal(t *testing.T) {
	b := newBench(t)
	b.serve(t, "replhub.services", func(req micro.Request) { _ = req.Error("500", "out of order", []byte("oops")) })
	b.golden(t, "foreign-refusal", execute(t.Context(), "", "ls"))
}

func TestForeignReply(t *testing.T) {
	b := newBench(t)
	b.serve(t, "replhub.services", func(req micro.Request) { _ = req.Respond([]byte("oops")) })
	b.golden(t, "foreign-reply", execute(t.Context(), "", "ls"))
}
