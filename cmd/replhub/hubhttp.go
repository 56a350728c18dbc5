package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// httpSettings say where the hub's HTTP listens, and who may read it.
type httpSettings struct {
	Addr      string
	TokenFile string `split_words:"true"`
	TLS       certificateFiles
	// Proxies encrypt in front of the listener.
	Proxies []string
}

// certificateFiles are paths of PEM files of a server.
type certificateFiles struct{ Cert, Key string }

// minToken is the shortest token, in bytes: shorter ones can be guessed.
const minToken = 16

func (s httpSettings) validate() error {
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		return fmt.Errorf("%s and %s go together", contract.EnvHTTPTLSCert, contract.EnvHTTPTLSKey)
	}
	for _, text := range s.Proxies {
		if _, err := parseRange(text); err != nil {
			return fmt.Errorf("%s=%s: must be addresses or ranges, as in 10.0.0.7 or 10.0.0.0/24", contract.EnvHTTPProxies, text)
		}
	}
	return nil
}

// proxies are the ranges of the proxies' addresses; validate has refused all others.
func (s httpSettings) proxies() []netip.Prefix {
	var ranges []netip.Prefix
	for _, text := range s.Proxies {
		if r, err := parseRange(text); err == nil {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

// parseRange reads a range of addresses, or one address.
func parseRange(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// listen binds the address. Beyond this machine it demands a token, and TLS here or at a proxy: lane names,
// errors and figures are for operators alone.
func (s httpSettings) listen(ctx context.Context) (net.Listener, error) {
	if s.TokenFile != "" {
		if _, err := s.token(); err != nil {
			return nil, err
		}
	}
	secure, err := s.secure()
	if err != nil {
		return nil, err
	}
	listener, err := listenHTTP(ctx, s.Addr, contract.EnvHTTPAddr)
	if err != nil {
		return nil, err
	}
	if !loopback(listener.Addr()) && (s.TokenFile == "" || secure == nil && len(s.Proxies) == 0) {
		_ = listener.Close()
		return nil, fmt.Errorf("%s=%s can be reached from other machines: set %s, %s and %s as well (or %s instead of the latter two), or listen on 127.0.0.1",
			contract.EnvHTTPAddr, s.Addr, contract.EnvHTTPTokenFile, contract.EnvHTTPTLSCert, contract.EnvHTTPTLSKey, contract.EnvHTTPProxies)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	return listener, nil
}

// loopback reports whether only this machine reaches an address.
func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// tokenFunc is nil without a token.
func (s httpSettings) tokenFunc() func() (string, error) {
	if s.TokenFile == "" {
		return nil
	}
	return s.token
}

// token reads the token. Its content is in no error.
func (s httpSettings) token() (string, error) {
	raw, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", contract.EnvHTTPTokenFile, err)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("%s: %s must hold one word of at least %d characters, as 'openssl rand -hex 32' prints it", contract.EnvHTTPTokenFile, s.TokenFile, minToken)
	}
	return token, nil
}

// secure is the TLS of the listener, nil without. The files are read at each handshake:
// certificates are renewed while the hub runs.
func (s httpSettings) secure() (*tls.Config, error) {
	if s.TLS == (certificateFiles{}) {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	read := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(s.TLS.Cert, s.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", contract.EnvHTTPTLSCert, err)
		}
		return &pair, nil
	}
	if _, err := read(nil); err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: read, MinVersion: tls.VersionTLS12}, nil
}

// errBeyond refuses an address of dev's HTTP, which has neither token nor TLS.
var errBeyond = errors.New("can be reached from other machines, and dev has neither a token nor TLS: listen on 127.0.0.1, or run 'replhub serve'")
