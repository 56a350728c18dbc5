package hub

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/subjects"
)

func TestUntrimmedSaysWhatToDo(t *testing.T) {
	var u untrimmed
	a, b := name(t, "a"), name(t, "b")
	set := func(unknown, unfenced map[subjects.Name]error) []string {
		u.set(slog.New(slog.DiscardHandler), retention.Trimmed{Need: retention.Need{Unknown: unknown}, Unfenced: unfenced})
		return u.degraded()
	}
	texts := set(map[subjects.Name]error{b: nats.ErrTimeout, a: nats.ErrTimeout}, nil)
	if len(texts) != 2 || !strings.Contains(texts[0], "lane a") || !strings.Contains(texts[0], "replhub drop a --lost") {
		t.Errorf("degraded %q", texts)
	}
	since := u.unknown[a].since
	texts = set(map[subjects.Name]error{a: nats.ErrTimeout}, map[subjects.Name]error{b: errors.New("stream is sealed")})
	if len(texts) != 2 || !u.unknown[a].since.Equal(since) {
		t.Errorf("degraded %q, since %s; want two, since %s", texts, u.unknown[a].since, since)
	}
	if !strings.Contains(texts[1], "stream is sealed") || !strings.Contains(texts[1], "make stream SUB_b writable again") {
		t.Errorf("degraded %q", texts)
	}
	if texts := set(nil, nil); len(texts) != 0 {
		t.Errorf("degraded %q", texts)
	}
}
