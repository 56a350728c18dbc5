package control

import "strings"

// Answerable reports whether a request has a reply subject of the caller's own. Other
// requests are ignored.
//
// The server sends its own answers to whatever reply subject a request to JetStream
// names, and asks no permissions for that: an empty acknowledgement sent to
// replhub.unregister.audit would be a request. Such a message has no reply subject,
// or that of an acknowledgement. Nor does a hub send its answer where its own
// permissions would make an event, a copy or another request of it.
func Answerable(reply string) bool {
	if reply == "" {
		return false
	}
	for _, prefix := range []string{"$", "db.", "sub.", "dlq.", "replhub."} {
		if strings.HasPrefix(reply, prefix) {
			return false
		}
	}
	return true
}
