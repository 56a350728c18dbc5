package push

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/bridge"
)

const (
	dialTime      = 10 * time.Second
	handshakeTime = 10 * time.Second
	idleTime      = 90 * time.Second
	// pingAfter is how long a connection is silent before it is asked for a sign of life,
	// and pingTime the time for that.
	pingAfter, pingTime = 10 * time.Second, 5 * time.Second
	// maxAnswer bounds, in bytes, what is read of an answer so that its connection can be
	// used again; a longer answer costs the connection.
	maxAnswer = 64 << 10
	// maxExcerpt bounds, in bytes, what of an answer goes into a dead letter and the log.
	maxExcerpt = 512
	// maxAnswerHeader bounds the headers of an answer, in bytes.
	maxAnswerHeader = 64 << 10
)

// endpoint makes requests.
type endpoint struct {
	url       *url.URL
	keys      *keyring
	client    *http.Client
	timeout   time.Duration
	userAgent string
}

func newEndpoint(cfg Config, u *url.URL) (*endpoint, error) {
	keys, err := newKeyring(cfg.secret())
	if err != nil {
		return nil, err
	}
	authorities, err := cfg.authorities()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second, Resolver: cfg.resolver}
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    handshakeTime,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           cfg.Concurrency,
		MaxIdleConnsPerHost:    cfg.Concurrency,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true, // an answer is read for its first bytes
		// Without pings, a connection of HTTP/2 whose peer has vanished would take request
		// after request for a quarter of an hour.
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime},
	}
	if cfg.Proxy {
		transport.Proxy = http.ProxyFromEnvironment
	} else {
		dialer.ControlContext = cfg.rule(u).control
	}
	return &endpoint{
		url: u, keys: keys, timeout: cfg.RequestTimeout, userAgent: cfg.UserAgent,
		client: &http.Client{
			Transport: transport,
			// The address and the method of a redirect are not those that were configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func (e *endpoint) close() { e.client.CloseIdleConnections() }

// name is the endpoint in messages. The path may be a secret, as that of a chat's hook is,
// and so may the query.
func (e *endpoint) name() string { return origin(e.url) }

// answer is what the endpoint said.
type answer struct {
	status  int
	header  http.Header
	excerpt string
	took    time.Duration
}

// text is the answer in words, for logs and dead letters.
func (a *answer) text() string {
	text := "the endpoint answered " + strconv.Itoa(a.status)
	if word := http.StatusText(a.status); word != "" {
		text += " " + word
	}
	text += advice(a.status, a.header)
	if a.excerpt != "" {
		text += ": " + a.excerpt
	}
	return text
}

// ErrTimeout means that the endpoint did not answer within Config.RequestTimeout.
var ErrTimeout = errors.New("no answer in time")

// post makes one request. An error means that no answer came.
func (e *endpoint) post(ctx context.Context, d *replhub.Delivery, keys [][]byte) (*answer, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, e.timeout, ErrTimeout)
	defer cancel()
	req, err := e.request(ctx, d, keys, began)
	if err != nil {
		return nil, err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrTimeout) {
			return nil, fmt.Errorf("%w (%s)", ErrTimeout, e.timeout)
		}
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header, excerpt: excerptOf(resp, e.url)}
	a.took = time.Since(began)
	return a, nil
}

// request is a delivery's request.
func (e *endpoint) request(ctx context.Context, d *replhub.Delivery, keys [][]byte, at time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), bytes.NewReader(d.Data))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", withoutURL(err))
	}
	req.Header = headersOf(d)
	req.Header.Set("User-Agent", e.userAgent)
	// The time is that of this request, since receivers refuse an old one; the id stays.
	req.Header.Set(headerTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(headerSignature, signature(keys, webhookID(d), at, d.Data))
	return req, nil
}

// excerptOf reads an answer to its end or to a bound, and returns its beginning where the
// event was not delivered. Some servers repeat the path that they do not know, so what may
// be a secret of the address is masked.
func excerptOf(resp *http.Response, address *url.URL) string {
	// More than the excerpt, so that its end does not cut a secret in two.
	first := make([]byte, maxExcerpt+1+len(address.RequestURI()))
	// What cannot be read is not in the excerpt: the status has been said.
	n, _ := io.ReadFull(resp.Body, first)
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return ""
	}
	return bridge.OneLine(masked(string(first[:n]), address), maxExcerpt)
}

// withoutURL is an error without the URL that net/http puts into it, which may hold a
// secret.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
