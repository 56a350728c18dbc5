// Command replhub publishes events, registers services and shows what the hub
// does with both, all over NATS; and it is the hub itself.
//
// Each verb is a file. None decides anything: what may be registered, rewound
// or dropped is the hub's to say, and its answer is printed, for people or with
// --json as it came. The exit code is 0 when the thing was done, 1 when it was
// refused or went wrong, 2 when the command line was.
//
// The text for people is not an interface; --json and the exit codes are.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	// Asked for, SIGPIPE does not kill: a write into a closed pipe is an error,
	// and what was begun is ended in good order. See output.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command with everything outside passed in. It returns the
// exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{in: stdin, out: stdout, errOut: stderr, isTerminal: isTerminal}
	return a.run(ctx, args)
}
