package main

import (
	"bytes"
	"fmt"
	"strconv"
)

const (
	// payloadBytes is the size of every payload, 256 as in the figures that
	// replhub is compared with.
	payloadBytes = 256
	// entity and subject are what every event of a throughput run is.
	entity  = "user"
	subject = "db.user.update"

	idPrefix = `{"id":"`
	idDigits = 16
)

// payload makes a JSON payload of payloadBytes that carries a number, which is
// also its key.
func payload(n uint64) []byte {
	data := make([]byte, payloadBytes)
	writePayload(data, n)
	return data
}

// writePayload is payload into a buffer of payloadBytes.
func writePayload(data []byte, n uint64) {
	const pad = `","pad":"`
	const end = `"}`
	i := copy(data, idPrefix)
	for d := i + idDigits - 1; d >= i; d-- {
		data[d] = byte('0' + n%10)
		n /= 10
	}
	i += idDigits
	i += copy(data[i:], pad)
	for ; i < payloadBytes-len(end); i++ {
		data[i] = 'x'
	}
	copy(data[i:], end)
}

// numberIn reads the number that a payload carries.
func numberIn(data []byte) (uint64, error) {
	rest, ok := bytes.CutPrefix(data, []byte(idPrefix))
	if !ok || len(data) != payloadBytes {
		return 0, fmt.Errorf("not a payload of this bench: %.40q", data)
	}
	n, err := strconv.ParseUint(string(rest[:idDigits]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("not a payload of this bench: %w", err)
	}
	return n, nil
}
