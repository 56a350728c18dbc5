package intruder_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/rolestest"
)

// attempt is something that a user tries and the server has to deny.
type attempt struct {
	user string
	// publishes and subscribes are subjects; a subscription may have a queue group
	// behind a space. "$JS.API" stands for each way in which JetStream can be asked.
	publishes, subscribes []string
}

// attempts are by the rows of the table of threats in docs/security.md.
func attempts() map[string]attempt {
	return map[string]attempt{
		"read another's lane": {user: "sharing", publishes: []string{
			"$JS.API.CONSUMER.MSG.NEXT.SUB_audit.workers", "$JS.API.CONSUMER.MSG.NEXT.SUB_keyed.workers-0",
			"$JS.API.STREAM.MSG.GET.SUB_audit", "$JS.API.DIRECT.GET.SUB_audit", "$JS.API.DIRECT.GET.SUB_audit.sub.audit.user.create.0",
			"$JS.API.CONSUMER.INFO.SUB_audit.workers", "$JS.API.CONSUMER.LIST.SUB_audit", "$JS.API.CONSUMER.NAMES.SUB_audit",
			"$JS.API.STREAM.INFO.SUB_audit", "$JS.API.STREAM.SNAPSHOT.SUB_audit", "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES",
		}, subscribes: []string{"sub.>", "sub.audit.>", "sub.audit.user.create.0", "$JS.>", "$JS.ACK.>", ">", "*.>", "*"}},
		"acknowledge another's copies": {user: "sharing", publishes: []string{
			"$JS.ACK.SUB_audit.workers.1.1.1.0.0", "$JS.ACK.SUB_keyed.workers-0.1.1.1.0.0",
			"$JS.ACK._.hash.SUB_audit.workers.1.1.1.0.0", "$JS.ACK.hub.hash.SUB_audit.workers.1.1.1.0.0.more",
			"$JS.ACK.SUB_sharing.workers.SUB_audit.workers.1.1.1.0.0", "$JS.ACK.REPLHUB_ADVISORIES.letters.1.1.1.0.0",
			"$JS.FC.SUB_audit.workers.1",
		}},
		"purge, delete or change a lane": {user: "sharing", publishes: []string{
			"$JS.API.STREAM.PURGE.SUB_audit", "$JS.API.STREAM.DELETE.SUB_audit", "$JS.API.STREAM.MSG.DELETE.SUB_audit",
			"$JS.API.STREAM.UPDATE.SUB_audit", "$JS.API.STREAM.RESTORE.SUB_audit", "$JS.API.CONSUMER.DELETE.SUB_audit.workers",
			"$JS.API.STREAM.PURGE.SUB_sharing", "$JS.API.STREAM.DELETE.SUB_sharing", "$JS.API.STREAM.MSG.DELETE.SUB_sharing",
			"$JS.API.STREAM.UPDATE.SUB_sharing", "$JS.API.CONSUMER.DELETE.SUB_sharing.workers", "$JS.API.STREAM.PURGE.DB",
			"replhub.drop.audit", "replhub.drop.sharing",
		}},
		"rewind another's lane": {user: "sharing", publishes: []string{
			"replhub.rewind.audit", "replhub.rewind.sharing", "$JS.API.CONSUMER.RESET.SUB_audit.workers", "$JS.API.CONSUMER.RESET.SUB_sharing.workers",
		}},
		"pause another's lane": {user: "sharing", publishes: []string{
			"replhub.pause.audit", "replhub.resume.audit", "$JS.API.CONSUMER.PAUSE.SUB_audit.workers", "$JS.API.CONSUMER.UNPIN.SUB_keyed.workers-0",
		}},
		"speak for another service": {user: "sharing", publishes: []string{
			"replhub.register.audit", "replhub.unregister.audit", "replhub.backfill.audit", "replhub.describe.audit", "replhub.redrive.audit",
			"replhub.letter.audit", "replhub.join.audit", "replhub.join.keyed", "replhub._unavailable.audit", "replhub.explain.audit",
			"replhub.services", "replhub.who", "replhub.status", "replhub.erase", "replhub.policy.user", "replhub.policies",
		}},
		"read another's inbox, or answer in it": {user: "sharing", publishes: []string{
			"_INBOX_audit.x", "_INBOX_HUB.x", "_INBOX_OPERATOR.x", "_INBOX.x", "_R_.x",
		}, subscribes: []string{
			"_INBOX_audit.>", "_INBOX_HUB.>", "_INBOX_OPERATOR.>", "_INBOX_OBSERVER.>", "_INBOX.>", "_INBOX_sharing2.>", "*.x", "_R_.>",
		}},
		"read or ask for an owner's rows": {user: "sharing", publishes: []string{"replhub._snapshot.user"}, subscribes: []string{
			"replhub._snapshot.user", "replhub._snapshot.user owner", "replhub._snapshot.* owner", "replhub._snapshot.>",
		}},
		"take an owner's requests for rows out of its group": {user: "profile", subscribes: []string{
			"replhub._snapshot.user", "replhub._snapshot.user another", "replhub._snapshot.tenant owner",
		}},
		"publish another's entity": {user: "sharing", publishes: []string{
			"db.user.create", "db.user.read", "db.user.update", "db.user.delete", "db.payment.create", "db.tenant.other", "db.tenant",
		}},
		"forge copies and state records": {user: "sharing", publishes: []string{
			"sub.audit.user.create.0", "sub.audit._state", "sub.sharing.tenant.create.0", "sub.sharing._state",
		}},
		"forge or read dead letters": {user: "sharing", publishes: []string{
			"dlq.audit.user.create", "dlq.audit", "$JS.API.STREAM.MSG.GET.DLQ", "$JS.API.STREAM.PURGE.DLQ", "$JS.API.STREAM.MSG.DELETE.DLQ",
			"$JS.API.CONSUMER.CREATE.DLQ.x", "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.SUB_audit.workers",
			"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.SUB_audit.workers",
		}, subscribes: []string{"dlq.>", "dlq.audit.>", "$JS.EVENT.>"}},
		"speak for a hub": {user: "sharing", publishes: []string{
			"replhub._to.one._detach.audit", "replhub._to.one._renew.audit", "replhub._to.one.drop.audit", "replhub._changed", "replhub._detached.audit", "replhub._detached.sharing",
			"replhub._ledger", "replhub._members.audit", "$KV.REPLHUB.entities.user.audit", "$KV.REPLHUB.hubs.one", "$SRV.PING",
		}, subscribes: []string{
			"replhub.register.* replhub", "replhub.describe.audit replhub", "replhub.>", "replhub._to.>", "replhub._changed", "replhub._detached.audit",
			"replhub._unavailable.>", "$KV.>", "$SRV.>", "$SRV.PING",
		}},
		"create streams and consumers": {user: "sharing", publishes: []string{
			"$JS.API.STREAM.CREATE.MINE", "$JS.API.CONSUMER.CREATE.SUB_sharing", "$JS.API.CONSUMER.CREATE.SUB_sharing.mine",
			"$JS.API.CONSUMER.CREATE.SUB_audit.mine", "$JS.API.CONSUMER.CREATE.SUB_audit.mine.sub.audit.>",
			"$JS.API.CONSUMER.DURABLE.CREATE.SUB_sharing.mine", "$JS.API.CONSUMER.DURABLE.CREATE.SUB_audit.mine",
			"$JS.API.CONSUMER.CREATE.DB.mine", "$JS.API.ACCOUNT.PURGE.REPLHUB", "$JS.API.META.LEADER.STEPDOWN",
		}},
		"read DB": {user: "sharing", publishes: []string{
			"$JS.API.STREAM.MSG.GET.DB", "$JS.API.DIRECT.GET.DB", "$JS.API.STREAM.INFO.DB", "$JS.API.STREAM.SNAPSHOT.DB",
			"$JS.API.CONSUMER.MSG.NEXT.DB.reader", "$JS.API.CONSUMER.INFO.DB.reader",
		}, subscribes: []string{"db.>", "db.*.*", "db.user.create", "db.tenant.create"}},
		"state the policy of another's entity": {user: "profile", publishes: []string{
			"replhub.policy.payment", "replhub.policy.tenant", "replhub.policies", "replhub._to.one._policy.audit",
		}},
		"change anything as an observer": {user: rolestest.Observer, publishes: []string{
			"replhub.register.audit", "replhub.unregister.audit", "replhub.drop.audit", "replhub.pause.audit", "replhub.resume.audit", "replhub.rewind.audit",
			"replhub.erase", "replhub.redrive.audit", "replhub.backfill.audit", "replhub.join.audit", "replhub.letter.audit", "replhub.policy.user", "db.user.create", "dlq.audit.user.create",
			"$JS.API.STREAM.MSG.GET.DLQ", "$JS.API.STREAM.MSG.GET.SUB_audit", "$JS.API.CONSUMER.CREATE.DLQ.x", "$JS.API.STREAM.INFO.DB",
			"$SRV.PING", "$SRV.PING.replhub", "$SRV.STATS.replhub", "$SRV.INFO.replhub",
		}, subscribes: []string{"db.>", "sub.>", "dlq.>", "_INBOX_audit.>", "_INBOX_HUB.>"}},
		"read events, or publish them, as an operator": {user: rolestest.Operator, publishes: []string{
			"db.user.create", "db.user.delete", "sub.audit.user.create.0", "dlq.audit.user.create", "replhub.join.audit", "replhub.letter.audit", "replhub._ledger",
			"$JS.API.STREAM.MSG.GET.DB", "$JS.API.STREAM.MSG.GET.SUB_audit", "$JS.API.CONSUMER.MSG.NEXT.SUB_audit.workers",
			"$JS.API.CONSUMER.CREATE.SUB_audit.x", "$JS.API.STREAM.DELETE.DLQ", "$JS.API.STREAM.DELETE.SUB_audit", "$JS.API.STREAM.MSG.DELETE.DB",
			"$JS.API.STREAM.MSG.DELETE.SUB_audit", "$JS.ACK.SUB_audit.workers.1.1.1.0.0",
		}, subscribes: []string{"db.>", "sub.>", "_INBOX_audit.>", "_INBOX_HUB.>"}},
		"read or change lanes as a hub does not": {user: rolestest.Hub, publishes: []string{
			"db.user.create", "$JS.API.STREAM.RESTORE.SUB_audit", "$JS.API.STREAM.PEER.REMOVE.SUB_audit", "$JS.API.META.LEADER.STEPDOWN", "_INBOX_audit.x",
		}, subscribes: []string{"db.>", "sub.>", "_INBOX_audit.>", "replhub.register.audit"}},
	}
}

// Nobody can do what is another's, and nothing is changed by the attempt.
func TestIntruder(t *testing.T) {
	t.Parallel()
	for _, layout := range []rolestest.Layout{rolestest.OneAccount, rolestest.TwoAccounts} {
		t.Run(string(layout), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, layout, "")
			w.startHub("one")
			w.furnish()
			w.none()
			before := w.steady()
			for threat, tried := range attempts() {
				t.Run(threat, func(t *testing.T) { w.denies(t, tried) })
			}
			if after := w.fingerprint(); after != before {
				t.Errorf("something has changed:\n%s\nbecame\n%s", before, after)
			}
		})
	}
}

// denies tries everything, and fails where the server has not denied it.
func (w *world) denies(t *testing.T, tried attempt) {
	nc := w.Connect(tried.user)
	for _, subject := range w.ways(tried.user, tried.publishes) {
		reply := nc.NewInbox()
		for _, body := range []string{"", "{}", "+ACK"} {
			if err := nc.PublishRequest(subject, reply, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, pattern := range tried.subscribes {
		subject, queue, _ := strings.Cut(pattern, " ")
		if _, err := nc.QueueSubscribe(subject, queue, func(m *nats.Msg) { t.Errorf("read on %s: %s", pattern, m.Subject) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	denied := strings.Join(w.Violations(), "\n")
	for _, subject := range w.ways(tried.user, tried.publishes) {
		if !strings.Contains(denied, fmt.Sprintf("Publish Violation - Subject %q", subject)) {
			t.Errorf("%s may publish on %s", tried.user, subject)
		}
	}
	for _, pattern := range tried.subscribes {
		subject, queue, _ := strings.Cut(pattern, " ")
		want := fmt.Sprintf("Subscription Violation - Subject %q", subject)
		if queue != "" {
			want += fmt.Sprintf(", Queue: %q", queue)
		}
		if !strings.Contains(denied, want) {
			t.Errorf("%s may subscribe to %s", tried.user, pattern)
		}
	}
}

// ways are the subjects, and those that ask JetStream by a domain as well.
func (w *world) ways(user string, subjects []string) []string {
	ways := append([]string(nil), subjects...)
	domain := w.Domain(user)
	if domain == "" {
		domain = "elsewhere"
	}
	for _, subject := range subjects {
		if rest, ok := strings.CutPrefix(subject, "$JS.API."); ok {
			ways = append(ways, "$JS."+domain+".API."+rest)
		}
	}
	return ways
}

// furnished is how many copies each service has from the start.
const furnished = 4

// furnish registers services, and gives each copies that it has not acknowledged.
func (w *world) furnish() {
	w.t.Helper()
	for service, body := range map[string]string{
		"audit":   `{"entities":["user","payment"]}`,
		"keyed":   `{"entities":["user","payment"],"queue":{"order":"key","partitions":2}}`,
		"sharing": `{"interests":[{"entity":"user"},{"entity":"tenant","echo":true}]}`,
	} {
		w.must(w.Connect(service), "replhub.register."+service, body)
	}
	owner := w.client("profile")
	if _, err := owner.PublishBatch(w.t.Context(), events("user", 0, furnished)); err != nil {
		w.t.Fatal(err)
	}
	for _, service := range []string{"audit", "keyed", "sharing"} {
		w.settled(service, furnished)
	}
	// Audit has taken a copy and not acknowledged it.
	consumer, err := w.JetStream(w.Connect("audit")).Consumer(w.t.Context(), "SUB_audit", contract.ConsumerWorkers)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := consumer.Next(); err != nil {
		w.t.Fatal(err)
	}
}

// settled waits until a lane has a number of copies, and nothing more to come.
func (w *world) settled(service string, backlog uint64) {
	w.t.Helper()
	w.eventually(service+" to have its copies", func() error {
		var status contract.LaneStatus
		if err := w.call(w.root, "replhub.describe."+service, "", &status); err != nil {
			return err
		}
		if status.Backlog != backlog || status.Lag != 0 {
			return fmt.Errorf("backlog %d, lag %d", status.Backlog, status.Lag)
		}
		return nil
	})
}

// steady is the fingerprint once what services and hubs still do has come to rest.
func (w *world) steady(leaveOut ...string) string {
	w.t.Helper()
	last, same := "", 0
	w.eventually("all to come to rest", func() error {
		now := w.fingerprint(leaveOut...)
		if now != last {
			last, same = now, 0
		}
		if same++; same < 5 {
			return errNotYet
		}
		return nil
	})
	return last
}

// fingerprint is all that others have: what streams hold, what is delivered and
// acknowledged, and who is registered for what. Streams may be left out.
func (w *world) fingerprint(leaveOut ...string) string {
	w.t.Helper()
	var b strings.Builder
	for _, name := range []string{"DB", "DLQ", "SUB_audit", "SUB_keyed", "REPLHUB_MEMBERS", "REPLHUB_LEDGER", "REPLHUB_ADVISORIES"} {
		if slices.Contains(leaveOut, name) {
			continue
		}
		stream, err := w.js.Stream(w.t.Context(), name)
		if err != nil {
			w.t.Fatal(err)
		}
		info := stream.CachedInfo()
		fmt.Fprintf(&b, "%s: %d messages, %d to %d, created %s\n", name, info.State.Msgs, info.State.FirstSeq, info.State.LastSeq, info.Created)
		if !strings.HasPrefix(name, "SUB_") {
			continue
		}
		consumers := stream.ListConsumers(w.t.Context())
		for c := range consumers.Info() {
			fmt.Fprintf(&b, "  %s: delivered %d, floor %d, pending %d, unacknowledged %d, paused %v\n",
				c.Name, c.Delivered.Consumer, c.AckFloor.Stream, c.NumPending, c.NumAckPending, c.Paused)
		}
		if err := consumers.Err(); err != nil {
			w.t.Fatal(err)
		}
		var status contract.LaneStatus
		if err := w.call(w.root, "replhub.describe."+strings.TrimPrefix(name, "SUB_"), "", &status); err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "  %s, %d dead letters, %d unavailable, interests %+v\n", status.State, status.DeadLetters, len(status.Unavailable), status.Interests)
	}
	return b.String()
}
