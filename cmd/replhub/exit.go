package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	// exitNotCompared is of verify, whose exitFailed says that the replica differs.
	exitNotCompared = 3
)

// usageError is a wrong command line that only the verb could see.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// refused is the hub's refusal, with its body as it came.
type refused struct {
	reason *contract.Error
	body   json.RawMessage
}

func (e *refused) Error() string {
	where := string(e.reason.Code)
	if e.reason.Field != "" {
		where += ", field " + e.reason.Field
	}
	return fmt.Sprintf("%s (%s)", printable(e.reason.Message), printable(where))
}

// refuse makes a refusal in the hub's form, for a name with which no valid request
// subject can be made.
func refuse(reason *contract.Error) error {
	body, err := json.Marshal(contract.Refusal{Error: reason})
	if err != nil {
		return err
	}
	return &refused{reason: reason, body: body}
}

// The codes of errors that are this command's own, in the JSON of --json. The
// hub's are in package contract.
const (
	codeUsage       contract.Code = "usage"       // the command line is wrong; exit code 2
	codeUnreachable contract.Code = "unreachable" // no connection to NATS
	codeNoHub       contract.Code = "no_hub"      // NATS answers, but no hub does
	codeTimeout     contract.Code = "timeout"     // no answer, or nothing to show, in time
	codeInterrupted contract.Code = "interrupted" // ended by a signal
	codePartly      contract.Code = "partly"      // some of it was done; the reply says what was not
	codeFailed      contract.Code = "failed"      // anything else
)

// failure is an error with a code for programs.
type failure struct {
	code contract.Code
	err  error
}

func (e *failure) Error() string { return e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

func failf(code contract.Code, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...)}
}

// incomplete is the error of a verb that did only a part of the request, or none,
// with the reply that says which.
type incomplete struct {
	failure

	reply json.RawMessage // a JSON object
}

func incompletef(code contract.Code, format string, args ...any) *incomplete {
	return &incomplete{failure: failure{code: code, err: fmt.Errorf(format, args...)}}
}

// Unwrap gives the error with its code.
func (e *incomplete) Unwrap() error { return &e.failure }

// body is the reply with the error in it.
func (e *incomplete) body() json.RawMessage {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(e.reply, &members); err != nil {
		members = map[string]json.RawMessage{} // a reply that is no object has no place for the error
	}
	body, err := json.Marshal(contract.Errorf(e.code, "%v", e.err))
	if err == nil {
		members["error"] = body
		body, err = json.Marshal(members)
	}
	if err != nil {
		return e.reply
	}
	return body
}

// incomplete shows the part that a verb did, and returns the error about the rest;
// with --json exit shows both.
func (a *app) incomplete(e *incomplete, show func(io.Writer) error) error {
	if !a.json {
		if err := show(a.out); err != nil {
			return err
		}
	}
	return e
}

// exit reports an error and returns the exit code. It prints a text on stderr, and
// with --json also the form of the hub's refusals on stdout.
func (a *app) exit(ctx context.Context, cmd *cobra.Command, err error) int {
	if outputClosed(ctx, err) {
		return exitDone
	}
	if err == nil {
		return exitDone
	}
	code, usage := exitFailed, a.isUsage(err)
	if _, without := errors.AsType[*notComparedError](err); without {
		code = exitNotCompared
	}
	switch {
	case usage:
		code = exitUsage
		fmt.Fprintf(a.errOut, "error: %v\nsee '%s --help'\n", err, cmd.CommandPath())
	case errors.Is(err, context.Canceled):
		err = failf(codeInterrupted, "interrupted")
		fallthrough
	default:
		fmt.Fprintf(a.errOut, "error: %v\n", err)
	}
	if a.json {
		_ = a.printJSON(errorBody(err, usage)) // the error is told on stderr already
	}
	return code
}

// isUsage reports whether the command line is at fault: an error before a verb begins
// always is.
func (a *app) isUsage(err error) bool {
	_, usage := errors.AsType[*usageError](err)
	return usage || !a.began
}

// errorBody is an error in the form of the hub's refusals.
func errorBody(err error, usage bool) json.RawMessage {
	if refusal, ok := errors.AsType[*refused](err); ok {
		return refusal.body
	}
	if part, ok := errors.AsType[*incomplete](err); ok {
		return part.body()
	}
	code := codeFailed
	if f, ok := errors.AsType[*failure](err); ok {
		code = f.code
	}
	if usage {
		code = codeUsage
	}
	body, err := json.Marshal(contract.Refusal{Error: contract.Errorf(code, "%v", err)})
	if err != nil {
		return json.RawMessage(`{"error":{"code":"failed","message":"the error has no JSON"}}`)
	}
	return body
}

// asksForJSON reports whether a command line that cannot be parsed asks for
// JSON: what cannot be parsed may stand before --json.
func asksForJSON(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--":
			return false
		case "--json", "--json=true":
			return true
		}
	}
	return false
}
