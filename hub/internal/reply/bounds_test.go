package reply_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/internal/contract"
)

// TestListed: what is degraded is told in a bounded reply, however many lanes
// that are and whatever their reasons say.
func TestListed(t *testing.T) {
	var texts []string
	for i := range 5000 {
		texts = append(texts, fmt.Sprintf("lane l%04d detached: %s", i, strings.Repeat("\"ü", i)))
	}
	for _, tt := range []struct{ texts, room, listed int }{
		{0, 1 << 20, 0},
		{100, 1 << 20, 100},
		{101, 1 << 20, 101},
		{5000, 1 << 20, 101},
		{5000, 2000, 27},
		{5000, 10, 1},
	} {
		list := reply.Listed(texts[:tt.texts], tt.room)
		if len(list) != tt.listed {
			t.Errorf("%d texts in %d bytes: %d are listed, want %d", tt.texts, tt.room, len(list), tt.listed)
		}
		told := len(list)
		if told > 0 && strings.HasPrefix(list[told-1], "and ") {
			var more int
			if _, err := fmt.Sscanf(list[told-1], "and %d more", &more); err != nil || told-1+more != tt.texts {
				t.Errorf("%d texts in %d bytes: %q behind %d", tt.texts, tt.room, list[told-1], told-1)
			}
			list = list[:told-1]
		}
		if size := reply.Size(list); size > tt.room+len("[]") {
			t.Errorf("%d texts take %d bytes of %d", tt.texts, size, tt.room)
		}
	}
}

// TestRefusalIsShort: a refusal fits beside its headers, and is text.
func TestRefusalIsShort(t *testing.T) {
	long := strings.Repeat("ü\x00", 1<<20)
	for _, maxPayload := range []int64{1 << 10, 64 << 10, 1 << 20} {
		refusal := reply.Short(&contract.Error{Code: contract.CodeInternal, Field: long, Message: long}, maxPayload)
		if size := reply.Size(contract.Refusal{Error: refusal}) + len(refusal.Message); int64(size) > maxPayload || !utf8.ValidString(refusal.Message) {
			t.Errorf("max_payload %d: %d bytes", maxPayload, size)
		}
	}
}
