package asyncapi

import (
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Names of the parameters in addresses.
const (
	parameterEntity    = "entity"
	parameterService   = "service"
	parameterOp        = "op"
	parameterPartition = "partition"
)

// stream is a channel of messages that are not requests.
type stream struct {
	name, address, description string
	// action is the hub's: it receives, or sends.
	action   string
	messages []message
	// reply is the message that answers; nil for none.
	reply *message
}

// message is a message with headers.
type message struct {
	name, summary string
	// headers are the names of those that it may have, needed those that it always has.
	headers, needed []string
	// payload is its schema; nil for any payload.
	payload object
	// example is the payload of an example, and exampleHeaders its headers.
	exampleHeaders, example string
}

const (
	receive = "receive"
	send    = "send"
)

// traceHeaders are those of a trace, on each of the messages below.
func traceHeaders(others ...string) []string {
	return append(others, contract.HeaderTraceparent, contract.HeaderTracestate)
}

func eventHeaders() []string {
	return traceHeaders(
		contract.HeaderMsgID, contract.HeaderKey, contract.HeaderOrigin, contract.HeaderVersion, headerContentType, contract.HeaderCaptured,
		contract.HeaderExpectedLastSubjectSeq, contract.HeaderExpectedLastSubject,
	)
}

func copyHeaders() []string {
	return traceHeaders(
		contract.HeaderPosition, contract.HeaderTime, contract.HeaderID, contract.HeaderKey, contract.HeaderOrigin, contract.HeaderVersion, contract.HeaderRow,
		contract.HeaderRedriven, headerContentType, contract.HeaderExpectedLastSeq,
	)
}

func letterHeaders() []string {
	return append([]string{
		contract.HeaderReason, contract.HeaderError, contract.HeaderAttempts, contract.HeaderFirstAttempt, contract.HeaderLastAttempt, contract.HeaderStack, contract.HeaderMsgID,
	}, copyHeaders()...)
}

func rowHeaders() []string {
	return traceHeaders(contract.HeaderKey, contract.HeaderRow, contract.HeaderVersion, headerContentType, contract.HeaderSnapshot, contract.HeaderRows, contract.HeaderDigest, contract.HeaderError)
}

const headerContentType = "Content-Type"

// examplePosition begins the headers of the examples of copies.
const examplePosition = `"Replhub-Position":"1-1042","Replhub-Time":"2026-11-29T02:30:00.123456789Z","Replhub-Id":"a7f3","Replhub-Key":"42","Replhub-Origin":"user-profile"`

// streams are all channels but those of the verbs.
func (s *schemas) streams() []stream {
	return []stream{
		{
			name: "events", address: "db.{entity}.{op}", action: receive,
			description: "Where services publish the changes of their rows. The stream " + contract.StreamIngest + ", called ingest, stores them, and answers a message that has a reply subject. Any other subject below db. has no responders.",
			messages: []message{{
				name: "Event", summary: "A change of a row. The payload is the whole row after the change, in any format; a delete may have none.", headers: eventHeaders(),
				exampleHeaders: `{"Nats-Msg-Id":"a7f3","Replhub-Key":"42","Replhub-Origin":"user-profile","Replhub-Version":"7","Content-Type":"application/json","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`,
				example:        `{"id":"42","name":"Ada"}`,
			}},
			reply: &message{name: "Stored", summary: "JetStream's acknowledgement: the event is stored. With error, it is not.", payload: ackSchema(), example: `{"stream":"DB","seq":1042}`},
		},
		{
			name: "lane", address: "sub.{service}.{entity}.{op}.{partition}", action: send,
			description: "The copies for a service, in the stream " + contract.StreamLanePrefix + "<service>. Its consumer " + contract.ConsumerWorkers + ", or with an order by key " + contract.ConsumerWorkers + "-0 and so on (group " + contract.GroupWorkers + "), delivers them.",
			messages: []message{{
				name: "Copy", summary: "A copy of an event, or a row of its owner. The payload is the event's, reduced to the fields of the interest. The publisher's other headers are there as well.",
				headers: copyHeaders(), needed: []string{contract.HeaderPosition, contract.HeaderTime}, exampleHeaders: `{` + examplePosition + `}`, example: `{"id":"42","name":"Ada"}`,
			}},
		},
		{
			name: "state", address: "sub.{service}._state", action: send,
			description: "State records of the lane, in the same stream. Consumers do not deliver them. The payload is the hubs' own.",
			messages:    []message{{name: "StateRecord", summary: "A state record.", headers: []string{contract.HeaderState, contract.HeaderExpectedLastSeq}, needed: []string{contract.HeaderState}}},
		},
		{
			name: "deadletters", address: "dlq.{service}.{entity}.{op}", action: send,
			description: "Events that a service could not get or handle, in the stream " + contract.StreamDLQ + ". The hub stores them, and the SDK of the service does.",
			messages: []message{{
				name: "DeadLetter", summary: "A copy, or only its headers, with the reason. A letter of an event that could not be filtered has no payload.",
				headers: letterHeaders(), needed: []string{contract.HeaderReason, contract.HeaderError, contract.HeaderAttempts},
				exampleHeaders: `{` + examplePosition + `,"Replhub-Reason":"parked","Replhub-Error":"no such country","Replhub-Attempts":"1"}`, example: `{"id":"42","name":"Ada"}`,
			}},
		},
		{
			name: "rows", address: contract.SubjectSnapshot + "{entity}", action: send,
			description: "The hub asks the owner of an entity for rows. Instances of the owner listen in the queue group " + contract.GroupSnapshot + ". The answer is a run of messages: a row each, then one with " + contract.HeaderSnapshot + ".",
			messages: []message{{
				name: "SnapshotRequest", summary: "A request for the rows that follow a key.", payload: s.reply(new(contract.SnapshotRequest)),
				example: `{"entity":"user","service":"sharing","after":"","rows":0,"limit":1000,"max_bytes":1048576,"timeout":"30s"}`,
			}},
			reply: &message{name: "Row", summary: "A row, or, with " + contract.HeaderSnapshot + ", the end, a failure, or a word that the owner is at work.", headers: rowHeaders(), exampleHeaders: `{"Replhub-Key":"42","Replhub-Row":"1"}`, example: `{"id":"42","name":"Ada"}`},
		},
		{
			name: "unavailable", address: contract.SubjectUnavailable + "{service}", action: receive,
			description: "An instance tells the hubs that something which its handlers need is away. Nobody answers.",
			messages: []message{{
				name: "Unavailable", summary: "An outage, as describe shows it.", payload: s.request(new(contract.Unavailable)),
				example: `{"instance":"sharing-1","since":"2026-11-29T02:30:00Z","attempts":3,"error":"connection refused"}`,
			}},
		},
	}
}

// ackSchema is of nats-server, not of the contract.
func ackSchema() object {
	return object{{"type", "object"}, {"properties", object{
		{"stream", object{{"type", "string"}}},
		{"seq", object{{"type", "integer"}, {"minimum", 0}, {"description", "The event's sequence in ingest."}}},
		{"duplicate", object{{"type", "boolean"}, {"description", "An event with this id was stored before."}}},
		{"domain", object{{"type", "string"}}},
		{"error", object{{"type", "object"}, {"description", "JetStream's error, instead of the others."}}},
	}}}
}

// parametersOf are the parameters of an address.
func parametersOf(address string) object {
	descriptions := map[string]string{
		parameterEntity:    "What changed: ^[a-z0-9][a-z0-9_-]{0,62}$",
		parameterService:   "A service's name: ^[a-z0-9][a-z0-9_-]{0,62}$",
		parameterPartition: "The partition of the event's key; 0 unless the service has an order by key.",
	}
	var all object
	for token := range strings.SplitSeq(address, ".") {
		name, ok := strings.CutPrefix(token, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		o := object{{"description", descriptions[name]}}
		if name == parameterOp {
			o = object{{"description", "How it changed."}, {"enum", []string{"create", "read", "update", "delete"}}}
		}
		all = all.with(name, o)
	}
	return all
}
