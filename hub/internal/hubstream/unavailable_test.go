package hubstream_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
)

// The texts are nats-server 2.15's.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	api := func(code int, of jetstream.ErrorCode, text string) error {
		return fmt.Errorf("create stream: %w", &jetstream.APIError{Code: code, ErrorCode: of, Description: text})
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{api(400, 10005, "no suitable peers for placement, peer offline"), true},
		{api(503, 10008, "JetStream system temporarily unavailable"), true},
		{api(503, 10009, "JetStream cluster not available"), true},
		{api(400, 10005, "no suitable peers for placement, tags not matched ['eu']"), false},
		{api(400, 10005, "no suitable peers for placement, insufficient storage"), false},
		{api(400, 10058, "stream name already in use with a different configuration"), false},
		{errors.New("peer offline"), false},
		{nil, false},
	} {
		if got := hubstream.Unavailable(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
