package replhub

import "fmt"

// Code tells why the hub refused a request.
type Code string

// The codes of refusals.
const (
	CodeBadJSON       Code = "bad_json"       // the request is not a JSON object
	CodeUnknownField  Code = "unknown_field"  // a field that this hub does not know
	CodeInvalidValue  Code = "invalid_value"  // a value of the wrong type or out of range
	CodeInvalidName   Code = "invalid_name"   // an entity or service name outside the grammar
	CodeInvalidFilter Code = "invalid_filter" // does not compile, is not a bool or costs too much
	CodeNotFound      Code = "not_found"      // no such service
	CodeTooOld        Code = "too_old"        // a start before what is still held
	CodeBacklog       Code = "backlog"        // order or partitions changed while the lane has a backlog
	CodeInUse         Code = "in_use"         // another thing depends on it
	CodeLimit         Code = "limit"          // a stated bound would be passed
	CodeDetached      Code = "detached"       // events were missed: register with a Start to begin again
	CodeNotAllowed    Code = "not_allowed"    // the policy of the entity's owner does not allow it
	CodeConflict      Code = "conflict"       // a stream of that name is not the hub's
	CodeBusy          Code = "busy"           // another backfill of the entity, or another erasure, is under way
	CodePaused        Code = "paused"         // a backfill while the service's workers are paused
	CodeUnavailable   Code = "unavailable"    // NATS, JetStream or the registry is away; try again
	CodeInternal      Code = "internal"       // a fault of the hub's
)

// RefusedError says that the hub refused a request; find it with errors.As.
type RefusedError struct {
	Code Code
	// Field is the path of the field at fault in the hub's JSON, such as
	// "interests[0].ops[1]"; empty when none is.
	Field string
	// Message is for people.
	Message string
}

// Error implements error.
func (e *RefusedError) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("refused: %s: %s: %s", e.Code, e.Field, e.Message)
	}
	return fmt.Sprintf("refused: %s: %s", e.Code, e.Message)
}
