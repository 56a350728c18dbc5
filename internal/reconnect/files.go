package reconnect

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Files name the files with the client's credentials and the trusted authorities.
// Each file is read at every attempt to connect. An empty name means no file.
type Files struct {
	// Creds holds a user's JWT and seed, Nkey the seed of an nkey, Token a token.
	Creds, Nkey, Token string
	// Password holds the password of User.
	User, Password string
	// CA holds the certificates of the authorities that sign the servers', in PEM
	// form; Cert and Key are the client's own.
	CA, Cert, Key string
}

// FileError is a file that cannot be used.
type FileError struct {
	// Path is the file's name.
	Path string
	Err  error
}

// Error implements error.
func (e *FileError) Error() string {
	if path, ok := errors.AsType[*os.PathError](e.Err); ok {
		return path.Error() // names the file
	}
	return e.Path + " " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Options are the options of a connection by these files, which the Supervisor keeps. If
// a file cannot be used now, the error is a *FileError. If that happens later, the
// attempt fails, or the earlier content is used again.
func (k *Supervisor) Options(f Files) ([]nats.Option, error) {
	var opts []nats.Option
	for _, add := range []func(Files) (nats.Option, error){k.creds, k.nkey, k.password, k.token, k.tls} {
		opt, err := add(f)
		if err != nil {
			return nil, err
		}
		if opt != nil {
			opts = append(opts, opt)
		}
	}
	return opts, nil
}

// creds needs no more than a look: nats.go reads JWT and seed at each attempt.
func (k *Supervisor) creds(f Files) (nats.Option, error) {
	if f.Creds == "" {
		return nil, nil
	}
	opt := nats.UserCredentials(f.Creds)
	var o nats.Options
	if err := opt(&o); err != nil {
		return nil, &FileError{f.Creds, fmt.Errorf("holds no user's JWT and seed: %w", err)}
	}
	if _, err := o.UserJWT(); err != nil {
		return nil, &FileError{f.Creds, fmt.Errorf("holds no user's JWT and seed: %w", err)}
	}
	if _, err := o.SignatureCB([]byte("nonce")); err != nil {
		return nil, &FileError{f.Creds, fmt.Errorf("holds no user's JWT and seed: %w", err)}
	}
	return opt, nil
}

// nkey reads the seed at each attempt. nats.go sends the public key that it was
// given at first, before it asks for a signature: where the seed is another by
// then, that attempt is refused and the next one has the new key.
func (k *Supervisor) nkey(f Files) (nats.Option, error) {
	if f.Nkey == "" {
		return nil, nil
	}
	first, err := nats.NkeyOptionFromSeed(f.Nkey)
	if err != nil {
		return nil, &FileError{f.Nkey, fmt.Errorf("holds no nkey seed: %w", err)}
	}
	return func(o *nats.Options) error {
		if err := first(o); err != nil {
			return err
		}
		sign := o.SignatureCB
		o.SignatureCB = func(nonce []byte) ([]byte, error) {
			k.renewNkey(f.Nkey)
			return sign(nonce)
		}
		return nil
	}, nil
}

// renewNkey is called by nats.go with the connection's lock held, under which
// alone it reads the key.
func (k *Supervisor) renewNkey(path string) {
	nc := k.nc.Load()
	if nc == nil {
		return
	}
	var o nats.Options
	again, err := nats.NkeyOptionFromSeed(path)
	if err == nil && again(&o) == nil {
		nc.Opts.Nkey = o.Nkey
	}
}

func (k *Supervisor) password(f Files) (nats.Option, error) {
	if f.User == "" && f.Password == "" {
		return nil, nil
	}
	read, err := k.line(f.Password)
	if err != nil {
		return nil, err
	}
	return nats.UserInfoHandler(func() (user, password string) { return f.User, read() }), nil
}

func (k *Supervisor) token(f Files) (nats.Option, error) {
	if f.Token == "" {
		return nil, nil
	}
	read, err := k.line(f.Token)
	if err != nil {
		return nil, err
	}
	return Token(read), nil
}

// Token takes a token from a function at each attempt, unless a server's URL says
// who connects: nats.go does not connect at all where both do.
func Token(read func() string) nats.Option {
	return func(o *nats.Options) error {
		for _, server := range o.Servers {
			if u, err := url.Parse(server); err == nil && u.User != nil {
				return nil
			}
		}
		return nats.TokenHandler(read)(o)
	}
}

// line reads a file of one line whenever it is called, and gives what it said
// before where it cannot be read: the handlers of nats.go have no error.
func (k *Supervisor) line(path string) (func() string, error) {
	read := func() (string, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", &FileError{path, err}
		}
		return string(bytes.TrimRight(text, "\r\n")), nil
	}
	first, err := read()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[string]
	last.Store(&first)
	return func() string {
		text, err := read()
		if err != nil {
			k.met(err)
			return *last.Load()
		}
		last.Store(&text)
		return text
	}, nil
}

// tls reads certificates at each attempt.
func (k *Supervisor) tls(f Files) (nats.Option, error) {
	var certificate nats.TLSCertHandler
	var authorities nats.RootCAsHandler
	if f.Cert != "" || f.Key != "" {
		certificate = func() (tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
			if err != nil {
				return tls.Certificate{}, &FileError{f.Cert, fmt.Errorf("and %s are no certificate with its key: %w", f.Key, err)}
			}
			return pair, nil
		}
		if _, err := certificate(); err != nil {
			return nil, err
		}
	}
	if f.CA != "" {
		authorities = func() (*x509.CertPool, error) { return readAuthorities(f.CA) }
		if _, err := authorities(); err != nil {
			return nil, err
		}
	}
	if certificate == nil && authorities == nil {
		return nil, nil
	}
	return nats.ClientTLSConfig(certificate, authorities), nil
}

func readAuthorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, &FileError{path, err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &FileError{path, fmt.Errorf("holds no certificate in PEM form")}
	}
	return pool, nil
}
