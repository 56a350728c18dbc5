// Package reply keeps replies within the size of a message: lists come in pages,
// texts are shortened, and a reply that still does not fit becomes a refusal. So every
// request gets an answer.
package reply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// MaxText bounds, in bytes, one text of a reply that nobody pages through.
const MaxText = 500

const (
	// envelope is the room in a reply for the fields around a page.
	envelope = 1 << 10
	// maxMessage and maxField bound, in bytes, the texts of a refusal, which may
	// quote the request.
	maxMessage = 2 << 10
	maxField   = 300
	// maxReasons bounds what is listed as degraded or as an alarm, and maxReason
	// the bytes of each.
	maxReasons = 100
	maxReason  = MaxText
)

// Room is how many bytes a page may have.
func Room(maxPayload int64) int { return max(int(maxPayload)-envelope, envelope) }

// Marshal is json.Marshal without the escapes for HTML: filters are full of "&&" and
// "<", and people read the replies.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Fits refuses a reply that the server would not take.
func Fits(data []byte, maxPayload int64) error {
	if int64(len(data)) <= maxPayload {
		return nil
	}
	return contract.Errorf(contract.CodeLimit,
		"the reply has %d bytes, and the server's max_payload is %d: request less (\"limit\", fewer entities or dead letters), or raise max_payload", len(data), maxPayload)
}

// Short is a refusal whose texts are bounded.
func Short(refusal *contract.Error, maxPayload int64) *contract.Error {
	// The message goes into a header as well, and JSON may escape it.
	most := min(maxMessage, int(maxPayload)/16)
	return &contract.Error{Code: refusal.Code, Field: Cut(refusal.Field, min(maxField, most)), Message: Cut(refusal.Message, most)}
}

// Cut shortens a text to a number of bytes, and shows that it did.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// Listed are the first of a list of texts, each of a bounded length, and how
// many more there are.
func Listed(texts []string, room int) []string {
	list := make([]string, 0, min(len(texts), maxReasons)+1)
	for _, text := range texts[:min(len(texts), maxReasons)] {
		text = Cut(text, maxReason)
		if room -= Size(text) + 1; room < 0 {
			break
		}
		list = append(list, text)
	}
	if more := len(texts) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more; replhub ls shows every lane", more))
	}
	return list
}

// Limited makes a refusal of a state record that does not fit max_payload, and of what a
// limit of the account refuses. The record was not written, so its pin may be released.
func Limited(err error) error {
	if large, ok := errors.AsType[*lane.StateTooLargeError](err); ok {
		return contract.Errorf(contract.CodeLimit, "%v", large)
	}
	if advice, ok := hubstream.Limit(err); ok {
		return contract.Errorf(contract.CodeLimit, "%v: %s; the hub completes the request after that, or when the request is sent again", err, advice)
	}
	return err
}

// Size is how many bytes a value takes in a reply.
func Size(v any) int {
	data, err := Marshal(v)
	if err != nil {
		return 0 // encoding the reply fails with the same error
	}
	return len(data)
}
