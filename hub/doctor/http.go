package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Endpoint is where a hub's HTTP listens.
type Endpoint struct {
	// URL is the address, without a path.
	URL string
	// Token is what requests must have; empty for none.
	Token string
	// Guessed says that nobody named the address: that nothing answers there proves nothing.
	Guessed bool
	// Client is nil for http.DefaultClient's settings.
	Client *http.Client
}

// endpointFact is what an endpoint answered to /readyz.
type endpointFact struct {
	Endpoint

	status int
	health contract.Health
	err    error
}

// maxBody bounds what is read of an answer.
const maxBody = 1 << 20

func readEndpoints(ctx context.Context, cfg Config) []endpointFact {
	var all []endpointFact
	for _, e := range cfg.HTTP {
		one := endpointFact{Endpoint: e}
		var body []byte
		if one.status, body, one.err = get(ctx, cfg, e, "/readyz"); one.err == nil {
			if err := json.Unmarshal(body, &one.health); err != nil && one.status != http.StatusUnauthorized {
				one.err = fmt.Errorf("the answer is not a hub's: %w", err)
			}
		}
		all = append(all, one)
	}
	return all
}

// get asks for a page.
func get(ctx context.Context, cfg Config, e Endpoint, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(e.URL, "/")+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	if e.Token != "" {
		req.Header.Set("Authorization", "Bearer "+e.Token)
	}
	client := e.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }() // only read
	body, err = io.ReadAll(io.LimitReader(res.Body, maxBody))
	return res.StatusCode, body, err
}

// judgeHTTP judges the HTTP of hubs.
func judgeHTTP(f *facts, r *Report) {
	g := r.group(GroupHTTP)
	if len(f.endpoints) == 0 {
		g.unseen("http.ready", "", "no hub's HTTP was asked", "name its address with --http")
	}
	for i := range f.endpoints {
		e := &f.endpoints[i]
		switch {
		case e.err != nil && e.Guessed:
			g.unseen("http.ready", e.URL, "no hub's HTTP answers there, where it is by default", "name its address with --http")
		case e.err != nil:
			g.fail("http.ready", e.URL, fmt.Sprintf("no hub's HTTP answers: %v", e.err), "check "+contract.EnvHTTPAddr+" of the hub, and that it runs")
		case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
			judgeRefused(g, e)
		case e.status == http.StatusOK && e.health.Ready:
			g.pass("http.ready", e.URL, "hub "+e.health.Hub+" is ready")
			for _, text := range e.health.Degraded {
				if !f.told(text) {
					g.warn("http.degraded", e.URL, text, "")
				}
			}
		default:
			g.fail("http.ready", e.URL, fmt.Sprintf("hub %s is not ready (%d): %s", e.health.Hub, e.status, e.health.Reason), "its log says more")
		}
	}
}

func judgeRefused(g group, e *endpointFact) {
	const do = "name the token's file with --http-token-file, as the hub does with " + contract.EnvHTTPTokenFile
	if e.Token != "" {
		g.fail("http.ready", e.URL, fmt.Sprintf("the hub refuses the token (%d)", e.status), do)
		return
	}
	g.unseen("http.ready", e.URL, fmt.Sprintf("the hub wants a token (%d)", e.status), do)
}

// told reports whether a hub's status has said the same.
func (f *facts) told(text string) bool {
	for i := range f.status {
		if slices.Contains(f.status[i].Degraded, text) {
			return true
		}
	}
	return false
}
