package contract

// Headers of the W3C trace context. In any letter case they mean the same.
const (
	// HeaderTraceparent is the trace context of the change. A publisher sets it, and
	// copies and dead letters keep it.
	HeaderTraceparent = "traceparent"
	// HeaderTracestate belongs to HeaderTraceparent.
	HeaderTracestate = "tracestate"
)

// Names of operations in spans and metrics, as messaging.operation.name.
const (
	OperationPublish    = "publish"     // an event is sent to ingest
	OperationCopy       = "copy"        // a hub appends the copy to a lane
	OperationDeliver    = "deliver"     // a copy waits in an instance for a worker
	OperationHandle     = "handle"      // the handler of the service
	OperationDeadLetter = "dead_letter" // the event is stored as a dead letter
)

// Attributes of spans, beside those of OpenTelemetry's conventions.
const (
	AttributeEntity   = "replhub.entity"
	AttributeOp       = "replhub.op"
	AttributePosition = "replhub.position" // "<epoch>-<seq>"
	AttributeOrigin   = "replhub.origin"
	AttributeKey      = "replhub.key" // only where it is asked for
	AttributeRow      = "replhub.row" // the number of a snapshot's row
	AttributeAttempt  = "replhub.attempt"
	AttributeRedriven = "replhub.redriven"
	AttributeReason   = "replhub.dead_letter.reason"
	AttributeHub      = "replhub.hub"
)

// MessagingSystem is messaging.system of all spans and metrics.
const MessagingSystem = "nats"
