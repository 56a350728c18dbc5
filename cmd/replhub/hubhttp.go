package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// httpSettings say where the hub's HTTP listens, and who may read it.
type httpSettings struct {
	Addr      string
	TokenFile string `split_words:"true"`
	TLS       certificateFiles
}

// certificateFiles are paths of PEM files of a server.
type certificateFiles struct{ Cert, Key string }

// minToken is the shortest token, in bytes: shorter ones can be guessed.
const minToken = 16

func (s httpSettings) validate() error {
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		return fmt.Errorf("%s and %s go together", contract.EnvHTTPTLSCert, contract.EnvHTTPTLSKey)
	}
	return nil
}

// listen binds the address. Beyond this machine it demands a token and TLS: lane names,
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
	if !loopback(listener.Addr()) && (s.TokenFile == "" || secure == nil) {
		_ = listener.Close()
		return nil, fmt.Errorf("%s=%s can be reached from other machines: set %s, %s and %s as well, or listen on 127.0.0.1",
			contract.EnvHTTPAddr, s.Addr, contract.EnvHTTPTokenFile, contract.EnvHTTPTLSCert, contract.EnvHTTPTLSKey)
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
	read := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.TLS.read() }
	if _, err := read(nil); err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: read, MinVersion: tls.VersionTLS12}, nil
}

// trouble says what is wrong with the token's and the certificate's files; empty without
// trouble.
func (s httpSettings) trouble() string {
	if s.TokenFile != "" {
		if _, err := s.token(); err != nil {
			return err.Error() + "; every HTTP request is refused"
		}
	}
	if s.TLS == (certificateFiles{}) {
		return ""
	}
	pair, err := s.TLS.read()
	if err != nil {
		return err.Error() + "; no HTTP client can connect"
	}
	switch leaf := pair.Leaf; {
	case leaf == nil:
		return ""
	case time.Now().After(leaf.NotAfter):
		return fmt.Sprintf("%s: %s has expired at %s: replace the file, and the hub reads it at the next handshake",
			contract.EnvHTTPTLSCert, s.TLS.Cert, leaf.NotAfter.UTC().Format(time.RFC3339))
	case time.Now().Before(leaf.NotBefore):
		return fmt.Sprintf("%s: %s is not valid before %s", contract.EnvHTTPTLSCert, s.TLS.Cert, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return ""
}

// read reads the certificate and its key.
func (c certificateFiles) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contract.EnvHTTPTLSCert, err)
	}
	return &pair, nil
}

// errBeyond refuses an address of dev's HTTP, which has neither token nor TLS.
var errBeyond = errors.New("can be reached from other machines, and dev has neither a token nor TLS: listen on 127.0.0.1, or run 'replhub serve'")
