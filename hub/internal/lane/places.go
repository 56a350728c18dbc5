package lane

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Places hide from a service how far an owner's rows were read for its digest, where the
// last row may be one that the service does not get. The hub gives the place away
// encrypted, so that it keeps nothing between two requests. Places may be used
// concurrently.
type Places struct{ key [32]byte }

// NewPlaces makes Places with a key of their own: no other process opens what they seal.
func NewPlaces() *Places {
	p := new(Places)
	_, _ = rand.Read(p.key[:]) // it never fails
	return p
}

// place is how far the rows were read: the keys of the last row, and of the last one that
// the service got. Of keys that the owner looks up, looked are done.
type place struct {
	read, got string
	looked    int
}

const (
	// sealedPlace begins a place that is sealed. No key has this character.
	sealedPlace = "\n"
	// placeBlock is the unit of a sealed key's length, in bytes, which tells little of the
	// key's own.
	placeBlock = 64
)

// seal returns a place as the service gets it. whose says for whom: a place that was
// sealed for others is not opened. The key of the service's own row is legible, since
// another hub goes on from there.
func (p *Places) seal(at place, whose string) (string, error) {
	aead, err := p.aead()
	if err != nil {
		return "", err
	}
	text := append(binary.AppendUvarint(nil, uint64(len(at.read))), at.read...)
	text = binary.AppendUvarint(text, uint64(at.looked))
	if rest := len(text) % placeBlock; rest > 0 {
		text = append(text, make([]byte, placeBlock-rest)...)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return sealedPlace + encode([]byte(at.got)) + "." + encode(aead.Seal(nil, nil, text, []byte(whose))), nil //nolint:gosec // the cipher makes a nonce at random
}

// open reads the after of a request. A key is a place itself. Of a place that another
// process has sealed, the row remains that the service got last: none of the rows behind
// it that were read was the service's.
func (p *Places) open(after, whose string) (place, error) {
	text, sealed := strings.CutPrefix(after, sealedPlace)
	if !sealed {
		return place{read: after, got: after}, nil
	}
	mine, hidden, _ := strings.Cut(text, ".")
	got, err := base64.RawURLEncoding.DecodeString(mine)
	if err != nil {
		return place{}, contract.FieldErrorf(contract.CodeInvalidValue, "after", "is neither a key nor the after of a reply")
	}
	if at, ok := p.unseal(hidden, whose); ok {
		at.got = string(got)
		return at, nil
	}
	return place{read: string(got), got: string(got)}, nil
}

func (p *Places) unseal(hidden, whose string) (at place, ok bool) {
	aead, err := p.aead()
	if err != nil {
		return at, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(hidden)
	if err != nil {
		return at, false
	}
	text, err := aead.Open(nil, nil, raw, []byte(whose))
	if err != nil {
		return at, false
	}
	length, n := binary.Uvarint(text)
	if n <= 0 || length > uint64(len(text)-n) {
		return at, false
	}
	at.read = string(text[n : n+int(length)])
	looked, n := binary.Uvarint(text[n+int(length):])
	at.looked = int(looked)
	return at, n > 0
}

func (p *Places) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(p.key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
