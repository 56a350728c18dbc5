package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/wire"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a wrong command line that only the verb could see.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// refused is the hub's refusal, with its body as it came.
type refused struct {
	reason *wire.Error
	body   json.RawMessage
}

func (e *refused) Error() string {
	where := string(e.reason.Code)
	if e.reason.Field != "" {
		where += ", field " + e.reason.Field
	}
	return fmt.Sprintf("%s (%s)", printable(e.reason.Message), printable(where))
}

// refuse makes a refusal here that looks like the hub's, for what would not
// make a subject to ask it on.
func refuse(reason *wire.Error) error {
	body, err := json.Marshal(wire.Refusal{Error: reason})
	if err != nil {
		return err
	}
	return &refused{reason: reason, body: body}
}

// exit tells an error to whom it concerns and returns the exit code.
func (a *app) exit(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	if _, usage := errors.AsType[*usageError](err); usage || !a.began {
		fmt.Fprintf(a.errOut, "error: %v\nsee '%s --help'\n", err, cmd.CommandPath())
		return exitUsage
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(a.errOut, "error: %v\n", err)
	if refusal, ok := errors.AsType[*refused](err); ok && a.json {
		_ = a.printJSON(refusal.body) // the refusal is told on stderr already
	}
	return exitFailed
}
