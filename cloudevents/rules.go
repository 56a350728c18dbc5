package cloudevents

import (
	"strings"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/cloudevent"
)

// Rules say which CloudEvents of others become events.
type Rules struct {
	// Types give, by the attribute type, the entity and the op. A type that is not among
	// them is refused, unless it is of the form "db.<entity>.<op>".
	Types map[string]Target
}

// Target is what a CloudEvent's type says.
type Target struct {
	Entity string
	Op     replhub.Op
}

// Event is the event that Of has made the CloudEvent of. A CloudEvent of others becomes
// an event by these rules:
//
//   - entity and op are those of its type: by Rules.Types, or of "db.<entity>.<op>";
//   - the key is its subject, or, without one, its partitionkey;
//   - the ID is its source, a space and its id, because an id is unique by its source
//     only;
//   - the content type is its datacontenttype, and the data the payload;
//   - traceparent and tracestate become headers of these names;
//   - all attributes become headers as in the binary mode ("ce-type"), so that [Parse] of
//     a delivery's Header and Data gives the CloudEvent again.
//
// The error is ErrInvalid, or ErrInvalidEvent of package replhub, and names the attribute
// or field.
func (e CloudEvent) Event(rules Rules) (replhub.Event, error) {
	if e.Ours() {
		d, err := e.Delivery()
		if err != nil {
			return replhub.Event{}, err
		}
		ev := replhub.Event{
			Entity: d.Entity, Op: d.Op, Key: d.Key, Data: d.Data, ID: d.ID, Version: d.Version, ContentType: d.ContentType, Header: d.Header,
		}
		return ev, ev.Validate()
	}
	if err := e.Validate(); err != nil {
		return replhub.Event{}, err
	}
	target, err := rules.target(e.Type)
	if err != nil {
		return replhub.Event{}, err
	}
	ev := replhub.Event{
		Entity: target.Entity, Op: target.Op, Key: e.Subject, ID: e.Source + " " + e.ID,
		Data: e.Data, ContentType: e.DataContentType, Header: e.binaryAttributes(),
	}
	if ev.Key == "" {
		ev.Key = e.Extensions[extPartitionKey]
	}
	for _, name := range []string{extTraceparent, extTracestate} {
		if value, ok := e.Extensions[name]; ok {
			ev.Header[name] = []string{value}
		}
	}
	return ev, ev.Validate()
}

func (r Rules) target(kind string) (Target, error) {
	if t, ok := r.Types[kind]; ok {
		return t, nil
	}
	tokens := strings.Split(kind, ".")
	if len(tokens) == 3 && tokens[0] == "db" {
		return Target{Entity: tokens[1], Op: replhub.Op(tokens[2])}, nil
	}
	return Target{}, invalid(cloudevent.AttrType, "%.80q has no rule, and is not of the form db.<entity>.<op>: name its entity and op in Rules.Types", kind)
}
