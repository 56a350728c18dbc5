package hub

import (
	"errors"
	"fmt"
	"strings"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// A reply is one message, so the server's max_payload bounds it. Lists are told
// in pages (page.go); texts and lists that nobody pages through are cut here; and
// a reply that still does not fit is a refusal, never silence.

const (
	// replyEnvelope is kept free in a reply for what is around a page.
	replyEnvelope = 1 << 10
	// maxMessage and maxField bound, in bytes, the texts of a refusal, which may
	// quote the request.
	maxMessage = 2 << 10
	maxField   = 300
	// maxReasons bounds what is listed as degraded or as an alarm, and maxReason
	// the bytes of each.
	maxReasons = 100
	maxReason  = 500
)

// replyRoom is how many bytes a page may have.
func (h *Hub) replyRoom() int { return max(int(h.nc.MaxPayload())-replyEnvelope, replyEnvelope) }

// fits refuses a reply that the server would not take.
func fits(data []byte, maxPayload int64) error {
	if int64(len(data)) <= maxPayload {
		return nil
	}
	return contract.Errorf(contract.CodeLimit,
		"the reply has %d bytes, and the server's max_payload is %d: ask for less (\"limit\", fewer entities or letters), or raise max_payload", len(data), maxPayload)
}

// short is a refusal whose texts are bounded.
func short(refusal *contract.Error, maxPayload int64) *contract.Error {
	// The message goes into a header as well, and JSON may escape it.
	most := min(maxMessage, int(maxPayload)/16)
	return &contract.Error{Code: refusal.Code, Field: cut(refusal.Field, min(maxField, most)), Message: cut(refusal.Message, most)}
}

// cut shortens a text to a number of bytes, and shows that it did.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// listed are the first of a list of texts, each of a bounded length, and how
// many more there are.
func listed(texts []string, room int) []string {
	list := make([]string, 0, min(len(texts), maxReasons)+1)
	for _, text := range texts[:min(len(texts), maxReasons)] {
		text = cut(text, maxReason)
		if room -= jsonSize(text) + 1; room < 0 {
			break
		}
		list = append(list, text)
	}
	if more := len(texts) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more; replhub ls shows every lane", more))
	}
	return list
}

func (h *Hub) listed(texts []string) []string { return listed(texts, h.replyRoom()/4) }

// limited makes a refusal of a state record that does not fit max_payload.
// Nothing was written then, so what was pinned for it may go.
func limited(err error) error {
	if large, ok := errors.AsType[*lane.StateTooLargeError](err); ok {
		return contract.Errorf(contract.CodeLimit, "%v", large)
	}
	return err
}

// jsonSize is how many bytes a value takes in a reply.
func jsonSize(v any) int {
	data, err := marshal(v)
	if err != nil {
		return 0 // the reply cannot be encoded either, and says so
	}
	return len(data)
}
