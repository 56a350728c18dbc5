package replhub

import "github.com/replhub/replhub/internal/reconnect"

// Credentials name the files that authenticate a client. The client reads each file
// at every attempt to connect, so the files may be changed while it runs, before or
// after the server's configuration changes. When the server no longer accepts the old
// credentials, the client loses its connection, logs the reason once, reconnects as
// soon as files and server agree, and continues. Replace a file by renaming another
// over it.
//
// Set at most one of File, NkeyFile, User with PasswordFile, and TokenFile. A user,
// password or token in Config.URL takes precedence.
type Credentials struct {
	// File holds a user's JWT and seed, as nsc writes them (".creds").
	File string
	// NkeyFile holds the seed of an nkey.
	NkeyFile string
	// User is a user's name, and PasswordFile holds the password, in one line.
	User, PasswordFile string
	// TokenFile holds a token, in one line.
	TokenFile string
	// CAFile holds the authorities that sign the servers' certificates, in PEM
	// form; those of the system by default.
	CAFile string
	// CertFile and KeyFile hold the client's own certificate, in PEM form.
	CertFile, KeyFile string
}

func (c Credentials) files() reconnect.Files {
	return reconnect.Files{
		Creds: c.File, Nkey: c.NkeyFile, User: c.User, Password: c.PasswordFile, Token: c.TokenFile,
		CA: c.CAFile, Cert: c.CertFile, Key: c.KeyFile,
	}
}
