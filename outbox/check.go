package outbox

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/subjects"
)

// maxText bounds a key, an id and a content type, in bytes: the hub's limit of
// a key, and what the tables' columns hold.
const maxText = 1024

// check refuses what could never be published.
func check(ev *replhub.Event, maxBytes int) error {
	if _, err := subjects.ParseName(ev.Entity); err != nil {
		return invalid("Entity", "%v", err)
	}
	if _, err := subjects.ParseOp(string(ev.Op)); err != nil {
		return invalid("Op", "%v", err)
	}
	if ev.Version < 0 {
		return invalid("Version", "%d: must count up from 1", ev.Version)
	}
	for _, f := range []struct{ name, value string }{{"Key", ev.Key}, {"ID", ev.ID}, {"ContentType", ev.ContentType}} {
		if len(f.value) > maxText {
			return invalid(f.name, "is %d bytes long; at most %d fit", len(f.value), maxText)
		}
		if !carries(f.value) {
			return invalid(f.name, "%s cannot be a header's value", quote(f.value))
		}
	}
	size, err := checkHeader(ev)
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

// checkHeader checks the event's own headers and counts their bytes.
func checkHeader(ev *replhub.Event) (size int, err error) {
	const line = len(": \r\n")
	for name, values := range ev.Header {
		field := "Header[" + quote(name) + "]"
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !inToken(r) }) {
			return 0, invalid(field, "is no header name")
		}
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "nats-") || strings.HasPrefix(lower, "replhub-") || lower == "status" || lower == "description" {
			return 0, invalid(field, "is reserved")
		}
		if lower == "content-type" && ev.ContentType != "" {
			return 0, invalid("ContentType", "stands in Header too")
		}
		for _, v := range values {
			if !carries(v) {
				return 0, invalid(field, "%s cannot be a header's value", quote(v))
			}
			size += len(name) + len(v) + line
		}
	}
	return size, nil
}

func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", replhub.ErrInvalidEvent, field, fmt.Sprintf(format, args...))
}

// carries reports whether a header, and a text column, can carry s unchanged.
func carries(s string) bool {
	return utf8.ValidString(s) && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func inToken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// quote makes a refused value safe to show.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
