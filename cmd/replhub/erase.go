package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// eraseFlags are what erase does beside erasing.
type eraseFlags struct {
	dryRun, verify, publish bool
	origin                  string
	version                 int64
	hasVersion              bool
}

func newErase(a *app) *cobra.Command {
	var f eraseFlags
	cmd := &cobra.Command{
		Use:     "erase <entity> <key>",
		GroupID: groupHub,
		Short:   "Remove what the hub's streams hold of one key",
		Long: `Remove a key's events from the ingest stream, its copies from the streams of all
services, and its dead letters. Events that are published after the command began
stay. The server overwrites the deleted messages. 'replhub status' lists the last erasures,
with a hash in place of the key.

First delete the row at its owner. Otherwise a snapshot or backfill brings it back.
--publish-delete publishes a delete after the removal, so that the services delete
their rows. The delete has no payload, and without --origin and --version no origin and
no version: all services get it, and by the inbox's default policy it wins over earlier
changes. It needs the permission to publish (replhub auth operator --deletes user).

--verify looks again afterwards, and lists the messages that still exist. The exit code
is 1 if a payload still exists. --dry-run only lists, and removes nothing.

A hub does one erasure at a time. During another erasure, the command waits for its turn
for up to two minutes. If the command is interrupted or gives up, run it again. It cannot
reach the services' own databases, copies that a worker holds at that moment, and back-ups,
mirrors and sources of the streams: see docs/operations.md.`,
		Example: `  replhub erase user 42 --dry-run
  replhub erase user 42 --publish-delete --verify
  replhub erase user 42 --dry-run --verify`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completed(false, knownEntities),
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "list only, and remove nothing")
	flags.BoolVar(&f.verify, "verify", false, "look again; exit 1 if a payload still exists")
	flags.BoolVar(&f.publish, "publish-delete", false, "publish a delete of the key after the removal")
	flags.StringVar(&f.origin, "origin", "", "the service that the delete comes from, with --publish-delete; it does not get the delete")
	flags.Int64Var(&f.version, "version", 0, "the publisher's version of the delete, with --publish-delete")
	takesAnyNumber(flags, "version")
	a.completeFlags(cmd, map[string]completer{"origin": knownServices})
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		f.hasVersion = flags.Changed("version")
		switch {
		case f.dryRun && f.publish:
			return usagef("--dry-run and --publish-delete exclude each other")
		case !f.publish && (f.origin != "" || f.hasVersion):
			return usagef("--origin and --version go with --publish-delete")
		}
		return a.erase(ctx, args[0], args[1], f)
	})
	return cmd
}

// erasure is the result of the command, over all pages.
type erasure struct {
	contract.Erased

	// Published is the sequence of the delete that was published.
	Published uint64 `json:"published,omitempty"`
	// Verified says that the look afterwards found no payload. Remains is what it found,
	// deletes without a payload included. Both are absent without --verify.
	Verified *bool                    `json:"verified,omitempty"`
	Remains  []contract.ErasedMessage `json:"remains,omitempty"`
}

// erase does what the flags say, and shows it.
func (a *app) erase(ctx context.Context, entity, key string, f eraseFlags) error {
	if _, err := subjects.ParseName(entity); err != nil {
		return refuse(contract.FieldErrorf(contract.CodeInvalidName, "entity", "%v", err))
	}
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	var done erasure
	if done.Erased, err = a.erasePages(ctx, l, contract.Erase{Entity: entity, Key: key, DryRun: f.dryRun}); err != nil {
		return a.cutShort(&done, f, err)
	}
	if f.publish {
		if done.Published, err = l.publishDelete(ctx, entity, key, done.ID, f); err != nil {
			return fmt.Errorf("the key's events are erased, but its delete is not published: %w", err)
		}
	}
	looked := done.Erased
	if f.verify && !f.dryRun {
		if looked, err = a.erasePages(ctx, l, contract.Erase{Entity: entity, Key: key, DryRun: true}); err != nil {
			return fmt.Errorf("the key's events are erased, but not verified: %w", err)
		}
		done.Remains = looked.Found
	}
	if f.verify {
		_, blind := unseen(looked)
		is := !blind && looked.Events+looked.Copies+looked.DeadLetters+looked.Records <= looked.Deletes
		done.Verified = &is
		if blind && !f.dryRun {
			done.Left = append(done.Left, looked.Left...)
		}
	}
	return a.showErasure(&done, f)
}

// publishDelete publishes the delete of a key, and returns its sequence. A repetition for
// the same erasure is one event.
func (l *connection) publishDelete(ctx context.Context, entity, key, id string, f eraseFlags) (uint64, error) {
	name, err := subjects.ParseName(entity)
	if err != nil {
		return 0, refuse(contract.FieldErrorf(contract.CodeInvalidName, "entity", "%v", err))
	}
	msg := nats.NewMsg(subjects.NewEvent(name, subjects.Delete).String())
	msg.Header.Set(contract.HeaderKey, key)
	msg.Header.Set(contract.HeaderMsgID, "erase-"+id)
	if f.origin != "" {
		msg.Header.Set(contract.HeaderOrigin, f.origin)
	}
	if f.hasVersion {
		msg.Header.Set(contract.HeaderVersion, strconv.FormatInt(f.version, 10))
	}
	ack, _, err := l.publish(ctx, msg, nil)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// showErasure shows the result, and returns an error if something is left.
func (a *app) showErasure(e *erasure, f eraseFlags) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	var part *incomplete
	not, blind := unseen(e.Erased)
	switch {
	case len(e.Left) > 0 && !f.dryRun:
		part = incompletef(codePartly, "not all could be removed: %s: %s", e.Left[0].Stream, printable(e.Left[0].Reason))
	case blind:
		part = incompletef(codePartly, "not all could be looked at: %s: %s", not.Stream, printable(not.Reason))
	case e.Verified != nil && !*e.Verified:
		part = incompletef(codePartly, "the hub's streams still hold payloads of this key")
	}
	if part != nil {
		part.reply = body
		return a.incomplete(part, func(w io.Writer) error { return showErased(w, e, f) })
	}
	if a.json {
		return a.printJSON(body)
	}
	return showErased(a.out, e, f)
}

// unseen is a stream that a dry run could not look at.
func unseen(e contract.Erased) (contract.ErasedMessage, bool) {
	for _, m := range e.Left {
		if e.DryRun && m.Seq == 0 {
			return m, true
		}
	}
	return contract.ErasedMessage{}, false
}

func showErased(w io.Writer, e *erasure, f eraseFlags) error {
	did := "erased"
	if f.dryRun {
		did = "found"
	}
	out := &lines{w: w}
	out.printf("%s %s, %s, %s", did, plural(e.Events, "event"), copiesText(e.Copies), plural(e.DeadLetters, "dead letter"))
	for _, m := range e.Found {
		out.printf("%s %d: %s", m.Stream, m.Seq, m.Subject)
	}
	for _, m := range e.Left {
		out.printf("stays in %s: %s", m.Stream, printable(m.Reason))
	}
	if e.InFlight > 0 && !f.dryRun {
		out.printf("workers may hold %s: they are applied all the same, or become dead letters; look again later (--dry-run --verify)", copiesText(e.InFlight))
	}
	if e.Deletes > 0 && !f.dryRun && !f.publish {
		out.printf("%s of these had no payload: a service that had not applied one keeps its row; --publish-delete publishes a new one", plural(e.Deletes, "delete"))
	}
	looksAgain := f.dryRun && f.verify // nothing is what the caller hopes for
	if nothing := e.Events+e.Copies+e.DeadLetters+e.Records == 0; nothing && !looksAgain && len(e.Left) == 0 {
		out.printf("nothing was found under this key: it was erased before, or is spelt otherwise")
	}
	if e.Published > 0 {
		out.printf("published a delete as event %d", e.Published)
	}
	if e.Verified != nil {
		out.printf("verified: %s", map[bool]string{true: "no payload is left", false: "payloads are left"}[*e.Verified])
	}
	for _, m := range e.Remains {
		what := "still there"
		if m.Bare {
			what = "a delete without a payload"
		}
		out.printf("%s %d: %s, %s", m.Stream, m.Seq, m.Subject, what)
	}
	return out.err
}

func copiesText(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", n)
}
