package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Records are checked like requests: an unknown field, or a value out of range,
// raises an alarm, and the record is not registered. If a misspelt filter were
// ignored, a service would see events that it must not see.

// IsNewer reports whether a record has a form that this hub does not know. Its other
// content is then not checked.
func IsNewer(data []byte) bool {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return false // decode reports the fault
	}
	v, err := strconv.Atoi(string(fields["v"]))
	return err == nil && v > current
}

// withoutQuotes treats the value "" (two quotes) as an empty record, because some
// tools pass the quotes on.
func withoutQuotes(data []byte) []byte {
	if string(bytes.TrimSpace(data)) == `""` {
		return nil
	}
	return data
}

// decode decodes a record that is not of a newer form. Its errors name the
// field, in words for people.
func decode(data []byte, v any) error {
	err := contract.Decode(data, v)
	if refusal, ok := errors.AsType[*contract.Error](err); ok && refusal.Code == contract.CodeBadJSON {
		return errors.New("it is not a JSON object; leave it empty, or write one such as {\"v\":1}")
	}
	return InWords(err)
}

func checkForm(form int) error {
	if form < 0 || form > current {
		return fmt.Errorf("v: %d is not %d", form, current)
	}
	return nil
}

// check refuses fields that only a hub writes in a record that was made by hand.
func (r Interest) check() error {
	if err := checkForm(r.Form); err != nil {
		return err
	}
	if r.ID != "" {
		return nil
	}
	const hubs = "%s: the hub writes it, together with the id; leave it out to register"
	switch {
	case r.Since != nil:
		return fmt.Errorf(hubs, "since")
	case r.Rev != 0:
		return fmt.Errorf(hubs, "rev")
	}
	return nil
}

func (r Service) check() error {
	if err := checkForm(r.Form); err != nil {
		return err
	}
	if r.MaxBytes != 0 && r.MaxBytes < request.MinLaneBytes {
		return fmt.Errorf("max_bytes: %d is too little: at least %d (%s)", r.MaxBytes, request.MinLaneBytes, contract.SizeText(int64(request.MinLaneBytes)))
	}
	return InWords(request.CheckQueue(&r.Queue))
}

// InWords is an error about a request in the words of the record that the
// request was made of.
func InWords(err error) error {
	refusal, ok := errors.AsType[*contract.Error](err)
	if !ok {
		return err
	}
	field := strings.TrimPrefix(refusal.Field, "interests[0].")
	if field == "" || field == "interests[0]" || field == "entities[0]" {
		return errors.New(refusal.Message)
	}
	return fmt.Errorf("%s: %s", field, refusal.Message)
}

// Misnamed says what is wrong with a record's place in the registry; "" for a valid
// place.
func Misnamed(path string) string {
	folder, rest, _ := strings.Cut(path, "/")
	names, words := []string{rest}, []string{"service"}
	switch folder {
	case entitiesFolder:
		names, words = strings.SplitN(rest, "/", 2), []string{"entity", "service"}
	case servicesFolder:
	default:
		return "" // hubs
	}
	for i, name := range names {
		if _, err := subjects.ParseName(name); err != nil {
			return fmt.Sprintf("registry record %s is ignored: its %s: %v", path, words[i], err)
		}
	}
	return ""
}
