package database

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"io"
	"net"
	"net/url"
	"strconv"
	"syscall"
)

// Class says what an error means for the event whose effect met it.
type Class int

const (
	// Unknown errors say nothing: the event may be at fault or not.
	Unknown Class = iota
	// Unavailable errors are those of a database that is unavailable, or of the connection
	// to it: no connection, a shutdown or start, too many connections, a fail-over to a
	// server that only reads, a full disk, a password that was changed. The event is not
	// at fault.
	Unavailable
	// Conflict errors are those of a transaction that was given up in favour of
	// another, or for its time limit: serialization, deadlock, lock timeout, a busy
	// SQLite file. The same transaction succeeds when it is run again.
	Conflict
	// Waits errors are refusals because of the present state of other rows: foreign
	// keys and unique values, see [IsUnique]. They end when a change of another row
	// comes.
	Waits
	// Invalid errors are refusals of a value itself: its type, length or range,
	// not-null, check. Another attempt cannot succeed.
	Invalid
)

// String is the class's name, in lower case.
func (c Class) String() string {
	switch c {
	case Unknown:
		return "unknown"
	case Unavailable:
		return "unavailable"
	case Conflict:
		return "conflict"
	case Waits:
		return "waits"
	case Invalid:
		return "invalid"
	default:
		return "class " + strconv.Itoa(int(c))
	}
}

// Mark returns err with a class that takes precedence in Classify; nil for a nil err.
func Mark(err error, class Class) error {
	if err == nil {
		return nil
	}
	return &classified{err, class}
}

type classified struct {
	error

	class Class
}

// Class is the class that the error was given.
func (m *classified) Class() Class { return m.class }

// Unwrap returns the error that was classified.
func (m *classified) Unwrap() error { return m.error }

// Classify tells the class of an error of PostgreSQL (by pgx or lib/pq), MariaDB
// (by go-sql-driver/mysql) or SQLite (by modernc.org/sqlite or others whose package
// is called so), of database/sql, or of the network below. Wrapped and joined
// errors are looked into; the first that has a class gives it. What was wrapped
// without %w is recognised by the words that each database uses.
//
// Two errors count as those of a connection although other code returns them as well;
// callers that can tell must check for them first: context.DeadlineExceeded, also of
// their own deadline, and io.ErrUnexpectedEOF, also of a payload's decoder.
func Classify(err error) Class {
	if err == nil {
		return Unknown
	}
	class, coded := find(err, false)
	if class == Unknown && !coded {
		return classOfText(err.Error())
	}
	return class
}

// find walks through an error and the errors that it wraps. coded says that one error
// is a database's own: its words need not be looked at. conn says that an error
// above is one of a connection, so that an end of input is the connection's.
func find(err error, conn bool) (class Class, coded bool) {
	for err != nil {
		if class, coded := classOf(err, conn); class != Unknown || coded {
			return class, coded
		}
		conn = conn || ofConnection(err)
		switch e := err.(type) { //nolint:errorlint // this is how errors are walked through
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				class, had := find(one, conn)
				if class != Unknown {
					return class, true
				}
				coded = coded || had
			}
			return Unknown, coded
		default:
			return Unknown, false
		}
	}
	return Unknown, false
}

// classOf is the class of one error, without those that it wraps.
func classOf(err error, conn bool) (class Class, coded bool) {
	switch e := err.(type) { //nolint:errorlint // the caller walks through what is wrapped
	case interface{ Class() Class }: // classified, and errors that know
		return e.Class(), true
	case interface{ SQLState() string }: // of pgx and of lib/pq
		return classOfState(e.SQLState()), true
	case *net.OpError, *net.DNSError, *tls.CertificateVerificationError:
		return Unavailable, false
	case syscall.Errno:
		return classOfErrno(e), false
	}
	switch err {
	case driver.ErrBadConn, sql.ErrConnDone, net.ErrClosed, context.DeadlineExceeded, io.ErrUnexpectedEOF: //nolint:errorlint // as above
		return Unavailable, false
	case io.EOF:
		// The end of a payload, or of rows, is one as well.
		if conn {
			return Unavailable, false
		}
		return Unknown, false
	}
	if isConnectError(err) {
		return Unavailable, true
	}
	if number, ok := mariadbNumber(err); ok {
		return classOfNumber(number), true
	}
	if code, ok := sqliteCode(err); ok {
		return classOfCode(code), code != sqliteGeneric
	}
	if isTimeout(err) {
		return Unavailable, false
	}
	return Unknown, false
}

// isTimeout reports whether an error is that of a deadline, the network's, a
// driver's or a file's.
func isTimeout(err error) bool {
	e, ok := err.(interface{ Timeout() bool })
	return ok && e.Timeout()
}

// ofConnection reports whether what an error wraps happened on a connection: it
// is an HTTP client's, or pgx's own.
func ofConnection(err error) bool {
	if _, ok := err.(*url.Error); ok { //nolint:errorlint // as above
		return true
	}
	return packageOf(err, "pgconn")
}

func classOfErrno(errno syscall.Errno) Class {
	switch errno {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ENOTCONN,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ETIMEDOUT, syscall.EMFILE, syscall.ENFILE,
		syscall.ENOSPC, syscall.EROFS, syscall.EIO:
		return Unavailable
	default:
		return Unknown
	}
}
