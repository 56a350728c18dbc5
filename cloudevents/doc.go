// Package cloudevents maps events of replhub to CloudEvents 1.0 and back.
//
// Everything that an event, or a delivery, has comes back from its CloudEvent: [Of] and
// [CloudEvent.Event], [OfDelivery] and [CloudEvent.Delivery]. A CloudEvent of others
// becomes an event by [Rules], or is refused with an error that names the attribute.
// [CloudEvent.Binary], [CloudEvent.Structured] and [Parse] are the two modes of the NATS
// protocol binding (working draft 1.0.3; headers have the prefix "ce-", and values are
// percent-encoded as in the HTTP binding).
//
// Package push sends the same attributes over HTTP. The mapping is described in
// docs/cloudevents.md.
//
// Not promised: time, position and row are those of a copy, and a CloudEvent that is
// published again gets new ones.
//
// The package imports the SDK and the standard library only.
package cloudevents
