package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// tlsKind is what went wrong with the encryption of a connection, as far as it
// takes advice of its own.
type tlsKind int

const (
	tlsNone              tlsKind = iota
	tlsUnknownCA                 // no trusted authority has signed the server's certificate
	tlsOtherName                 // the certificate is another server's
	tlsClientCertificate         // the server wants a certificate of ours, or another one
	tlsGreeting                  // one side waits for a handshake, the other for the server's greeting
)

// tlsFault classifies what is wrong with the encryption by the error of a connect.
func tlsFault(err error) tlsKind {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return tlsUnknownCA
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return tlsOtherName
	}
	// The server told it in an alert, or by closing: neither has an error to compare
	// with.
	for _, alert := range []string{
		"tls: certificate required", "tls: bad certificate", "tls: unknown certificate authority", "closed by remote after TLS handshake",
	} {
		if strings.Contains(err.Error(), alert) {
			return tlsClientCertificate
		}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return tlsGreeting // the greeting came where a handshake was awaited
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "read" && op.Timeout() {
		return tlsGreeting // connected, and then silence
	}
	return tlsNone
}
