package hubstream

import (
	"errors"
	"net/http"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// codeNoPeers is the server's answer where it finds too few servers for a stream. Its
// text says why; these words stand in it where a server is away, or was not heard yet.
const (
	codeNoPeers jetstream.ErrorCode = 10005
	peerOffline                     = "offline"
)

// Unavailable reports whether JetStream refused a request for a reason that passes:
// it has no leader now, or servers that a stream needs are away. So it is for seconds
// after a cluster was started.
func Unavailable(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.Code == http.StatusServiceUnavailable ||
		api.ErrorCode == codeNoPeers && strings.Contains(api.Description, peerOffline))
}
