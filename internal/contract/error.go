package contract

import "fmt"

// Code tells why a control request was refused. Programs decide on it; the
// message is for people.
type Code string

// The codes of refusals.
const (
	CodeBadJSON       Code = "bad_json"       // the request is not a JSON object
	CodeUnknownField  Code = "unknown_field"  // a field that the verb does not have
	CodeInvalidValue  Code = "invalid_value"  // a field's value is of the wrong type or out of range
	CodeInvalidName   Code = "invalid_name"   // an entity or service name outside the grammar
	CodeInvalidFilter Code = "invalid_filter" // a filter that does not compile, is not a bool or costs too much
	CodeNotFound      Code = "not_found"      // no such service, lane, event or letter
	CodeTooOld        Code = "too_old"        // a start or rewind before what is still held
	CodeBacklog       Code = "backlog"        // order or partitions changed while the lane has a backlog
	CodeInUse         Code = "in_use"         // a drop while interests exist
	CodeLimit         Code = "limit"          // a stated bound would be passed
	CodeDetached      Code = "detached"       // the lane is detached and must be registered again with a start
	CodeConflict      Code = "conflict"       // a stream of that name is not the hub's
	CodeNotAllowed    Code = "not_allowed"    // the policy of the entity's owner does not allow it
	CodeBusy          Code = "busy"           // another backfill of the entity, or another erasure, is under way
	CodePaused        Code = "paused"         // a backfill into a lane whose workers are paused
	CodeUnavailable   Code = "unavailable"    // NATS, JetStream or the registry is away; try again
	CodeInternal      Code = "internal"       // a fault of the hub's
)

// Codes lists every code with its meaning, for the documentation and its test.
var Codes = []Code{
	CodeBadJSON, CodeUnknownField, CodeInvalidValue, CodeInvalidName, CodeInvalidFilter, CodeNotFound,
	CodeTooOld, CodeBacklog, CodeInUse, CodeLimit, CodeDetached, CodeConflict, CodeNotAllowed, CodeBusy, CodePaused, CodeUnavailable, CodeInternal,
}

// Error is a refusal: the "error" object of a refused control request.
type Error struct {
	Code Code `json:"code"`
	// Field is the path of the offending field, as in "interests[0].ops[1]";
	// empty when no field is at fault.
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: %s: %s", e.Code, e.Field, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Errorf makes an Error without a field.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// FieldErrorf makes an Error that names the field at fault.
func FieldErrorf(code Code, field, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Refusal is the body of a refused request.
type Refusal struct {
	Error *Error `json:"error"`
}
