// Package push delivers a service's events to an HTTP endpoint: each event is a POST,
// signed as Standard Webhooks says, with the event's attributes as the headers of a
// CloudEvent in binary mode. The events of a key arrive in their order and one at a
// time, while other keys go on. Delivery is at least once: a receiver drops repeats by
// the headers ce-epoch and ce-sequence, or by webhook-id, which a repeat shares.
//
// An event is acknowledged after an answer of 2xx. A table in answer.go has the meaning
// of every other answer. Either the event is at fault and becomes a dead letter, or the
// endpoint is at fault. In the second case no event is lost or uses up its attempts,
// however long the outage lasts.
//
// Not promised: that the endpoint gets an event only once, and an order between keys.
// Requests go to public addresses only, unless Config.AllowPrivate is set. The address is
// checked when the connection is made, so a name that resolves to another address later
// does not get around the check.
//
// An event goes through handler.go (one event, until it has an answer), gate.go (the
// wait that an endpoint asks for), request.go and sign.go (what is sent), endpoint.go and
// dial.go (how), and answer.go. address.go says what of the endpoint's address is shown.
package push
