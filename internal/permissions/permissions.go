// Package permissions computes which subjects each role needs on NATS, and no
// more. It is pure: names in, lists of subjects out.
//
// A permission of NATS bounds the subjects that a user sends to and subscribes to.
// It does not bound the reply subject that a request names, nor headers. See
// Accounts for the first, and docs/security.md for who is trusted with what.
package permissions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Permissions are what one user may do. The JSON form without InboxPrefix is one
// that nats-server takes as a user's permissions.
type Permissions struct {
	Publish   Rules `json:"publish"`
	Subscribe Rules `json:"subscribe"`
	// InboxPrefix is what the user's reply subjects must begin with. A user's prefix
	// is its own, so that nobody else can read the answers that it gets.
	InboxPrefix string `json:"inbox_prefix"`
	// AllowResponses lets the user answer a request at the request's reply subject.
	AllowResponses Responses `json:"allow_responses"`
}

// Rules are subjects that are allowed and denied. What is neither is denied, since
// every role has allowed subjects. A subject of a subscription may have a queue
// group behind a space: it is then allowed in that group alone.
type Rules struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

// Responses bound the answers to one request. The zero Responses allow none.
type Responses struct {
	Max     int
	Expires time.Duration
}

// MarshalJSON gives nats-server's form.
func (r Responses) MarshalJSON() ([]byte, error) {
	if r == (Responses{}) {
		return []byte("false"), nil
	}
	return json.Marshal(map[string]any{"max": r.Max, "expires": r.Expires.String()})
}

// JSON is the JSON form, in which ">" stands as it is.
func (p *Permissions) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("encode permissions: %w", err)
	}
	return b.Bytes(), nil
}

// Inbox prefixes of the roles that are no service. Their letters are capitals, so
// that no service's prefix is one of these.
const (
	InboxHub      = "_INBOX_HUB"
	InboxOperator = "_INBOX_OPERATOR"
	InboxObserver = "_INBOX_OBSERVER"
)

const (
	// requestTime is how long a hub may take over a control request, with some
	// seconds to spare.
	requestTime = 30 * time.Second
	// snapshotTime is how long an owner may take over a request for rows, and
	// snapshotAnswers how many messages it sends: 1000 rows, a word each second, and
	// the end.
	snapshotTime    = 2 * time.Minute
	snapshotAnswers = 1100
)

// requestReadIngest is JetStream's request for one message of ingest. Which one is in the
// payload, which permissions do not see.
const requestReadIngest = "STREAM.MSG.GET." + contract.StreamIngest

// ServiceRole says what a service does besides handling events.
type ServiceRole struct {
	Name subjects.Name
	// Publishes are the entities whose events it publishes, Snapshots those whose
	// rows it serves.
	Publishes, Snapshots []subjects.Name
	// Policies are the entities whose policy it states.
	Policies []subjects.Name
	// Pauses lets it pause its own workers, as replhub push does when its endpoint is
	// gone.
	Pauses bool
	// Records are the subjects of the records of its captures. With one, it reads all of
	// ingest: a capture reads back what it has stored, and the server cannot limit that
	// request to some subjects.
	Records []string
}

// instanceVerbs are the control verbs that a service's instances use.
func instanceVerbs() []string {
	return []string{
		contract.VerbRegister, contract.VerbUnregister, contract.VerbBackfill, contract.VerbDigest, contract.VerbDescribe,
		contract.VerbJoin, contract.VerbLetter, contract.VerbRedrive,
	}
}

// Service is what the instances of a service need. domain is the JetStream domain
// that they ask; empty is the server's own.
func Service(r ServiceRole, domain string) Permissions {
	service, lane := r.Name.String(), subjects.LaneStream(r.Name)
	inbox := contract.InboxPrefix(service)
	p := newPermissions(inbox)
	for _, verb := range instanceVerbs() {
		p.publish(subjects.Control(verb, r.Name))
	}
	if r.Pauses {
		p.publish(subjects.Control(contract.VerbPause, r.Name))
	}
	if len(r.Records) > 0 {
		p.publish(r.Records...)
		p.api(domain, "STREAM.INFO."+contract.StreamIngest, requestReadIngest)
	}
	p.publish(
		contract.SubjectUnavailable+service,
		"dlq."+service+".*.*",
	)
	p.api(domain, "STREAM.INFO."+lane, "CONSUMER.INFO."+lane+".*", "CONSUMER.MSG.NEXT."+lane+".*", "CONSUMER.UNPIN."+lane+".*")
	p.publish(acknowledgements(lane)...)
	for _, entity := range r.Publishes {
		for _, op := range subjects.Ops() {
			p.publish(subjects.NewEvent(entity, op).String())
		}
	}
	for _, entity := range r.Policies {
		p.publish(subjects.Control(contract.VerbPolicy, entity))
	}
	p.subscribe(subjectDetached + service)
	for _, entity := range r.Snapshots {
		// The queue group keeps it from seeing requests that another instance answers.
		p.subscribe(contract.SubjectSnapshot + entity.String() + " " + contract.GroupSnapshot)
		p.AllowResponses = Responses{Max: snapshotAnswers, Expires: snapshotTime}
	}
	return p
}

// acknowledgements are the subjects at which deliveries of a stream are
// acknowledged. The server has two forms: $JS.ACK.<stream>.<consumer> and five
// tokens more, and $JS.ACK.<domain>.<account>.<stream>.<consumer> and five or more.
// Neither pattern stands for a subject of the other form: the tokens are counted.
func acknowledgements(stream string) []string {
	return []string{
		"$JS.ACK." + stream + ".*.*.*.*.*.*",
		"$JS.ACK.*.*." + stream + ".*.*.*.*.*.>",
	}
}

// Operator is what somebody needs who runs the hub and its services by the control
// verbs, looks after dead letters, and erases the events of keys. Dead letters are shown
// with their payloads. No other payload can be read, and no event published, except
// deletes of the given entities.
func Operator(domain string, deletes ...subjects.Name) Permissions {
	p := newPermissions(InboxOperator)
	p.publish(subjects.Control(contract.VerbErase, subjects.Name{}))
	for _, entity := range deletes {
		p.publish(subjects.NewEvent(entity, subjects.Delete).String())
	}
	for _, verb := range []string{
		contract.VerbRegister, contract.VerbUnregister, contract.VerbBackfill, contract.VerbDrop,
		contract.VerbPause, contract.VerbResume, contract.VerbRewind, contract.VerbRedrive, contract.VerbPolicy,
	} {
		p.publish(subjects.Control(verb, subjects.Name{}) + ".*")
	}
	p.observe()
	dlq := contract.StreamDLQ
	p.api(domain,
		"STREAM.INFO."+dlq, "STREAM.MSG.GET."+dlq, "STREAM.MSG.DELETE."+dlq, "STREAM.PURGE."+dlq,
		"CONSUMER.CREATE."+dlq+".>", "CONSUMER.INFO."+dlq+".*", "CONSUMER.MSG.NEXT."+dlq+".*", "CONSUMER.DELETE."+dlq+".*",
	)
	return p
}

// Observer is what somebody needs who looks and changes nothing. No payload can be
// read, but names, keys and errors can.
func Observer() Permissions {
	p := newPermissions(InboxObserver)
	p.observe()
	return p
}

// observe allows the verbs that only read. The requests that every micro service
// answers ($SRV.PING and others) are left out: the framework sends its answer to
// whatever reply subject a request names, with the hub's permissions.
func (p *Permissions) observe() {
	for _, verb := range []string{contract.VerbDescribe, contract.VerbExplain} {
		p.publish(subjects.Control(verb, subjects.Name{}) + ".*")
	}
	for _, verb := range []string{contract.VerbServices, contract.VerbWho, contract.VerbStatus, contract.VerbPolicies} {
		p.publish(subjects.Control(verb, subjects.Name{}))
	}
}

func newPermissions(inbox string) Permissions {
	return Permissions{
		Publish:     Rules{Deny: []string{}},
		Subscribe:   Rules{Allow: []string{inbox + ".>"}, Deny: []string{}},
		InboxPrefix: inbox,
	}
}

func (p *Permissions) publish(patterns ...string) {
	p.Publish.Allow = append(p.Publish.Allow, patterns...)
}

func (p *Permissions) subscribe(patterns ...string) {
	p.Subscribe.Allow = append(p.Subscribe.Allow, patterns...)
}

// api allows requests to JetStream.
func (p *Permissions) api(domain string, requests ...string) {
	prefix := apiPrefix(domain)
	for _, request := range requests {
		p.publish(prefix + request)
	}
}

// apiPrefix precedes the names of JetStream's requests in a domain. It is jsapi.Prefix
// without the client library, which this package may not import.
func apiPrefix(domain string) string {
	if domain == "" {
		return "$JS.API."
	}
	return "$JS." + domain + ".API."
}
