package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// The groups of verbs in the help text.
const (
	groupEvents   = "events"
	groupServices = "services"
	groupBridges  = "bridges"
	groupHub      = "hub"
)

// defaultTimeout bounds one answer. A registration is answered when it is in
// force in the lane, which takes the longest.
const defaultTimeout = 10 * time.Second

// app holds what every verb shares: the environment and the global flags.
type app struct {
	in          io.Reader
	out, errOut io.Writer
	// isTerminal tells whether a person is at the other end of a stream.
	isTerminal func(stream any) bool
	// columns is how wide a stream's terminal is, 0 where there is none; nil asks
	// the system.
	columns func(stream any) int

	conn    connFlags
	timeout time.Duration
	json    bool
	// progress asks for the progress of long work also where nobody looks.
	progress bool
	// lines has each JSON text of the command on one line.
	lines bool
	// began is set when a verb starts: every error before is one of usage.
	began bool
}

func (a *app) run(ctx context.Context, args []string) int {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	unwrap := a.wrapOutputs(ctx, stop)
	defer unwrap()
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !a.began {
		a.json = a.json || asksForJSON(args)
	}
	return a.exit(ctx, cmd, err)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "replhub",
		Short: "Replicate entity changes between services that each own their database",
		Long: `replhub copies every event that is published to db.<entity>.<op> into one durable
stream for each service that registered an interest in the entity. The instances
of a service share its stream as a work queue.

The server is found as the nats CLI finds it: --server or NATS_URL, else the
context named by --context or NATS_CONTEXT, else the selected context, else
nats://127.0.0.1:4222.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage. The exit codes of verify are
in 'replhub verify --help'. With --json an error is also printed to stdout: {"error":{"code":"…","field":"…","message":"…"}}.`,
		Example: `  replhub dev
  replhub register sharing user tenant
  replhub pub user create '{"id":"42","name":"Ada"}'
  replhub next sharing
  replhub ls`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: refuseEmptyNumbers,
	}
	root.AddGroup(
		&cobra.Group{ID: groupEvents, Title: "Events:"},
		&cobra.Group{ID: groupServices, Title: "Services and their lanes:"},
		&cobra.Group{ID: groupBridges, Title: "Services without code:"},
		&cobra.Group{ID: groupHub, Title: "The hub:"},
	)
	flags := root.PersistentFlags()
	a.conn.register(flags)
	flags.DurationVar(&a.timeout, "timeout", defaultTimeout, "maximum wait for an answer")
	flags.BoolVar(&a.json, "json", false, "print JSON: the hub's reply, unchanged")
	flags.BoolVar(&a.progress, "progress", false, "print the progress of long work on stderr, also without a terminal; with --json as lines of JSON")
	a.completeFlags(root, map[string]completer{"context": knownContexts})
	root.AddCommand(
		newPub(a),
		newRegister(a), newUnregister(a), newBackfill(a), newVerify(a), newDrop(a),
		newLs(a), newDescribe(a), newWho(a), newExplain(a), newWatch(a),
		newPause(a), newResume(a), newRewind(a), newNext(a), newDLQ(a),
		newPolicy(a),
		newCapture(a), newPush(a),
		newServe(a), newDev(a),
		newApply(a),
		newErase(a), newAuth(a), newDoctor(a), newStatus(a), newProbe(a), newVersion(a), newMan(a),
	)
	return root
}

// verb makes a command's body of do, and marks where usage ends and work
// begins.
func (a *app) verb(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.began = true
		return do(cmd.Context(), args)
	}
}
