// Command replhub publishes events, registers services and shows what the hub
// does with both, all over NATS; and it is the hub itself.
//
// Each verb is a file. The verbs decide nothing: the hub decides what may be
// registered, rewound or dropped, and the verb prints its answer, for people or with
// --json unchanged. The exit code is 0 for success, 1 for a refusal or an error, 2
// for a wrong command line.
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
	// With a handler, SIGPIPE does not kill the process: a write into a closed pipe
	// is an error, and the command ends in good order. See output.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command; its environment is passed in. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{in: stdin, out: stdout, errOut: stderr, isTerminal: isTerminal}
	return a.run(ctx, args)
}
