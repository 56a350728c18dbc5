package outbox

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub"
)

// maxText bounds a key, an id and a content type, in bytes, to the size of the
// tables' columns.
const maxText = 1024

// check refuses an event that could never be published, or that the table cannot
// hold.
func check(ev *replhub.Event, maxBytes int) error {
	if err := ev.Validate(); err != nil {
		return err
	}
	if err := checkVersion(ev.Version); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{{"ID", ev.ID}, {"ContentType", ev.ContentType}} {
		if len(f.value) > maxText {
			return invalid(f.name, "is %d bytes long; at most %d fit", len(f.value), maxText)
		}
	}
	size, err := checkHeader(ev.Header)
	if err != nil {
		return err
	}
	// What the client adds: the names of its headers, a version and an origin.
	const added = 256
	size += len(ev.Data) + len(ev.Key) + len(ev.ID) + len(ev.ContentType) + added
	if size > maxBytes {
		return fmt.Errorf("%w: about %d bytes with headers, of at most %d", replhub.ErrTooLarge, size, maxBytes)
	}
	return nil
}

// checkHeader refuses values that are no text, which JSON would change, and
// counts the headers' bytes.
func checkHeader(header map[string][]string) (size int, err error) {
	const line = len(": \r\n")
	for name, values := range header {
		for _, v := range values {
			if !utf8.ValidString(v) || strings.ContainsFunc(v, control) {
				return 0, invalid(fmt.Sprintf("Header[%+.80q]", name), "the outbox cannot keep %+.80q", v)
			}
			size += len(name) + len(v) + line
		}
	}
	return size, nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", replhub.ErrInvalidEvent, field, fmt.Sprintf(format, args...))
}
