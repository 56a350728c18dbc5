package report

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// The class of a trouble goes by what the error is, however it is worded and wrapped.
func TestTroubleGoesByTheError(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want contract.Trouble
	}{
		{lane.ErrFull, contract.TroubleLaneFull},
		{deadletter.ErrFull, contract.TroubleLettersFull},
		{deadletter.ErrQuota, contract.TroubleLettersFull},
		{hubstream.ErrDisk, contract.TroubleDisk},
		{jetstream.ErrJetStreamNotEnabled, contract.TroubleDisk},
		{&lane.StateTooLargeError{}, contract.TroubleRecordTooLarge},
		{lane.ErrNewer, contract.TroubleNewerRecord},
		{context.DeadlineExceeded, contract.TroubleNotReachable},
		{nats.ErrTimeout, contract.TroubleNotReachable},
		{nats.ErrNoResponders, contract.TroubleNotReachable},
		{nats.ErrDisconnected, contract.TroubleNotReachable},
		{jetstream.ErrNoStreamResponse, contract.TroubleNotReachable},
		{fmt.Errorf("%w (%w)", hubstream.ErrDisk, context.DeadlineExceeded), contract.TroubleDisk},
		// Words alone decide nothing.
		{errors.New("lane full of a newer replhub: restart nats-server: timeout"), contract.TroubleOther},
		{nil, contract.TroubleOther},
	} {
		if got := troubleOf(fmt.Errorf("append to SUB_s: %w", tt.err)); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
	for cause, want := range map[contract.Trouble]contract.Trouble{
		contract.TroubleIngestFull: contract.TroubleIngestFull, contract.TroubleTrimmed: contract.TroubleTrimmed, "": contract.TroubleOther,
	} {
		if got := troubleOfDetached(&lane.Detached{Cause: cause, Reason: "ingest is gone from ingest"}); got != want {
			t.Errorf("detached for %q: %s, want %s", cause, got, want)
		}
	}
}
