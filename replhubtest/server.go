package replhubtest

import (
	"context"
	"net/url"
	"strconv"

	"github.com/replhub/replhub/embedded"
)

// StartServer starts the server, if it does not run, with the streams and the
// port that it had.
func (h *Hub) StartServer(t T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.server != nil {
		return
	}
	server, err := embedded.Start(context.Background(), h.options.server)
	if err != nil {
		t.Fatalf("start the server: %v", err)
		return
	}
	h.server, h.url = server, server.ClientURL()
	u, err := url.Parse(h.url)
	if err == nil {
		h.options.server.Port, err = strconv.Atoi(u.Port())
	}
	if err != nil {
		t.Fatalf("the server's URL: %v", err)
	}
}

// StopServer stops the server, if it runs. Clients and hub connect again once it
// is back.
func (h *Hub) StopServer(t T) {
	t.Helper()
	h.mu.Lock()
	server := h.server
	h.server = nil
	h.mu.Unlock()
	if server == nil {
		return
	}
	if err := server.Close(); err != nil {
		t.Errorf("stop the server: %v", err)
	}
}

// RestartServer is StopServer and StartServer. What hub and clients were asking the
// server at that moment gets no answer: they send the request again after 5 s.
func (h *Hub) RestartServer(t T) {
	t.Helper()
	h.StopServer(t)
	h.StartServer(t)
}
