package replhub

import "github.com/replhub/replhub/internal/reconnect"

// Credentials name the files that say who a client is. Each is read at every
// attempt to connect, so they may be changed while the client runs, before the
// server is told or after: the client loses its connection when the server knows
// it no more, tries until the two agree, says once in its log what is wrong, and
// goes on where it was. Replace a file by renaming another over it.
//
// NATS takes one of File, NkeyFile, User with PasswordFile, and TokenFile; user,
// password and token in Config.URL win over them.
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
