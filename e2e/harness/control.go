package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
)

const (
	// callTime bounds one control request.
	callTime = 8 * time.Second
	// attemptTime bounds one attempt of a request that is sent again: a hub that
	// was killed with it never answers.
	attemptTime = time.Second
)

// Call sends a control request and decodes its reply into reply, unless that is
// nil. A refusal is a *contract.Error.
func (w *World) Call(subject, request string, reply any) error {
	return call(w.NC, subject, request, reply, callTime)
}

func call(nc *nats.Conn, subject, request string, reply any, within time.Duration) error {
	m, err := nc.Request(subject, []byte(request), within)
	if err != nil {
		return fmt.Errorf("request %s: %w", subject, err)
	}
	if code := m.Header.Get("Nats-Service-Error-Code"); code != "" {
		var refusal contract.Refusal
		if err := json.Unmarshal(m.Data, &refusal); err != nil || refusal.Error == nil {
			return fmt.Errorf("request %s: refused with %q and the body %q", subject, code, m.Data)
		}
		if string(refusal.Error.Code) != code || m.Header.Get("Nats-Service-Error") == "" {
			return fmt.Errorf("request %s: headers %v beside the body %s", subject, m.Header, m.Data)
		}
		return refusal.Error
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(m.Data, reply); err != nil {
		return fmt.Errorf("request %s: decode %s: %w", subject, m.Data, err)
	}
	return nil
}

// MustCall is Call for a request that has to succeed.
func (w *World) MustCall(subject, request string, reply any) {
	w.tb.Helper()
	if err := w.Call(subject, request, reply); err != nil {
		w.tb.Fatalf("%s %s: %v", subject, request, err)
	}
}

// Refused insists that a request is refused with a code, at a field.
func (w *World) Refused(subject, request string, code contract.Code, field string) {
	w.tb.Helper()
	err := w.Call(subject, request, nil)
	refusal, ok := errors.AsType[*contract.Error](err)
	if !ok || refusal.Code != code || refusal.Field != field || refusal.Message == "" {
		w.tb.Errorf("%s %s: got %v, want a refusal with code %q at field %q", subject, request, err, code, field)
	}
}

// passing reports whether a request that ended so may succeed when it is sent
// again.
func passing(err error) bool {
	refusal, ok := errors.AsType[*contract.Error](err)
	return !ok || refusal.Code == contract.CodeUnavailable || refusal.Code == contract.CodeInternal
}

// insist sends a request until it is answered or refused, and tells whether
// the first attempt was the one: of others it is not known what they did.
func (w *World) insist(subject, request string, reply any) (clean bool, err error) {
	w.tb.Helper()
	clean = true
	deadline := time.Now().Add(60 * time.Second)
	for {
		err = call(w.NC, subject, request, reply, attemptTime)
		if err == nil || !passing(err) || time.Now().After(deadline) {
			return clean, err
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			clean = false // it may have been done
		}
		w.Let(20 * time.Millisecond)
	}
}

// Describe returns a service's status.
func (w *World) Describe(service string) contract.LaneStatus {
	w.tb.Helper()
	var s contract.LaneStatus
	w.MustCall("replhub.describe."+service, "", &s)
	return s
}

// Status returns a hub's status.
func (w *World) Status() contract.Status {
	w.tb.Helper()
	var s contract.Status
	w.MustCall("replhub.status", "", &s)
	return s
}

// AwaitState waits until a lane is in a state.
func (w *World) AwaitState(service, state string, within time.Duration) contract.LaneStatus {
	w.tb.Helper()
	var last contract.LaneStatus
	w.Eventually(fmt.Sprintf("%s to be %s", service, state), within, func() error {
		if err := w.Call("replhub.describe."+service, "", &last); err != nil {
			return err
		}
		if last.State != state {
			return fmt.Errorf("it is %s (%s)", last.State, last.Reason)
		}
		return nil
	})
	return last
}
