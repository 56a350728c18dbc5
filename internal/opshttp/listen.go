package opshttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Settings say where HTTP listens, and who may read it. The fields' names make the names
// of variables, see contract.EnvHTTPAddr.
type Settings struct {
	// Addr is host:port.
	Addr string
	// TokenFile has the token that each request must have; empty demands none.
	TokenFile string `split_words:"true"`
	// TLS are the server's certificate and key; empty is plain HTTP.
	TLS CertificateFiles
	// Behind says that a proxy which encrypts is in front: no TLS is needed here then.
	Behind bool `ignored:"true"`
}

// CertificateFiles are paths of PEM files of a server.
type CertificateFiles struct{ Cert, Key string }

// minToken is the shortest token, in bytes: shorter ones can be guessed.
const minToken = 16

// Validate checks the settings without reading a file.
func (s Settings) Validate() error {
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		return fmt.Errorf("%s and %s go together", contract.EnvHTTPTLSCert, contract.EnvHTTPTLSKey)
	}
	return nil
}

// Listen binds the address. Beyond this machine it demands a token, and TLS unless Behind: lane names,
// errors and figures are for operators alone.
func (s Settings) Listen(ctx context.Context) (net.Listener, error) {
	if s.TokenFile != "" {
		if _, err := s.token(); err != nil {
			return nil, err
		}
	}
	secure, err := s.secure()
	if err != nil {
		return nil, err
	}
	listener, err := Bind(ctx, s.Addr, contract.EnvHTTPAddr)
	if err != nil {
		return nil, err
	}
	if !Loopback(listener.Addr()) && (s.TokenFile == "" || secure == nil && !s.Behind) {
		_ = listener.Close()
		return nil, fmt.Errorf("%s=%s can be reached from other machines: set %s, %s and %s as well, or listen on 127.0.0.1",
			contract.EnvHTTPAddr, s.Addr, contract.EnvHTTPTokenFile, contract.EnvHTTPTLSCert, contract.EnvHTTPTLSKey)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	return listener, nil
}

// ErrTaken means that another process listens on the address.
var ErrTaken = errors.New("the port is taken")

// Bind binds an address without a token or TLS; setting is where the address was said.
func Bind(ctx context.Context, addr, setting string) (net.Listener, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s for HTTP: %w; stop what listens there or choose another with %s", addr, ErrTaken, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP as %s says: %w", setting, err)
	}
	return listener, nil
}

// Loopback reports whether only this machine reaches an address.
func Loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Token is nil without a token.
func (s Settings) Token() TokenFunc {
	if s.TokenFile == "" {
		return nil
	}
	return s.token
}

// token reads the token. Its content is in no error.
func (s Settings) token() (string, error) {
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
// certificates are renewed while the process runs.
func (s Settings) secure() (*tls.Config, error) {
	if s.TLS == (CertificateFiles{}) {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	read := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.TLS.read() }
	if _, err := read(nil); err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: read, MinVersion: tls.VersionTLS12}, nil
}

// Trouble says what is wrong with the token's and the certificate's files; empty without
// trouble.
func (s Settings) Trouble() string {
	if s.TokenFile != "" {
		if _, err := s.token(); err != nil {
			return err.Error() + "; every HTTP request is refused"
		}
	}
	if s.TLS == (CertificateFiles{}) {
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
		return fmt.Sprintf("%s: %s has expired at %s: replace the file, and it is read at the next handshake",
			contract.EnvHTTPTLSCert, s.TLS.Cert, leaf.NotAfter.UTC().Format(time.RFC3339))
	case time.Now().Before(leaf.NotBefore):
		return fmt.Sprintf("%s: %s is not valid before %s", contract.EnvHTTPTLSCert, s.TLS.Cert, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return ""
}

// read reads the certificate and its key.
func (c CertificateFiles) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contract.EnvHTTPTLSCert, err)
	}
	return &pair, nil
}
