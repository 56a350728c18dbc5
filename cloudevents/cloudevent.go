package cloudevents

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/cloudevent"
)

// SpecVersion is the version of CloudEvents that this package reads and writes.
const SpecVersion = cloudevent.SpecVersion

// ErrInvalid means that something is no CloudEvent, or none that can be an event. The
// error says which attribute is at fault.
var ErrInvalid = errors.New("invalid CloudEvent")

// CloudEvent is a CloudEvent 1.0.
type CloudEvent struct {
	// ID, Source and Type are required.
	ID, Source, Type string
	// Subject, DataSchema and DataContentType are optional.
	Subject, DataSchema, DataContentType string
	// Time is optional; zero is none.
	Time time.Time
	// Extensions are the extension attributes, each as text: names of lower-case letters
	// and digits, values that are not empty.
	Extensions map[string]string
	// Data is the payload; empty is none.
	Data []byte
}

// Validate returns an ErrInvalid that names the attribute at fault, or nil.
func (e CloudEvent) Validate() error {
	for _, a := range []struct{ name, value string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if a.value == "" {
			return invalid(a.name, "is missing")
		}
	}
	for name, value := range e.attributes() {
		if !attributeName.MatchString(name) {
			return invalid(name, "is no name of an attribute: lower-case letters and digits")
		}
		if value == "" {
			return invalid(name, "is empty; leave it out")
		}
		if !utf8.ValidString(value) || strings.ContainsFunc(value, control) {
			return invalid(name, "has control characters, or is no UTF-8")
		}
	}
	for name := range e.Extensions {
		if defined(name) {
			return invalid(name, "is an attribute of CloudEvents, and no extension")
		}
	}
	if _, _, err := mime.ParseMediaType(e.DataContentType); err != nil && e.DataContentType != "" {
		return invalid(cloudevent.AttrContentType, "%q is no media type: %v", e.DataContentType, err)
	}
	return nil
}

func defined(name string) bool {
	switch name {
	case cloudevent.AttrSpecVersion, cloudevent.AttrID, cloudevent.AttrSource, cloudevent.AttrType, cloudevent.AttrSubject, cloudevent.AttrTime, cloudevent.AttrContentType, cloudevent.AttrSchema, "data":
		return true
	}
	return false
}

var attributeName = regexp.MustCompile(`^[a-z0-9]+$`)

// control is what no text of CloudEvents has.
func control(r rune) bool { return r < ' ' || r == 0x7f }

func invalid(attribute, format string, args ...any) error {
	return fmt.Errorf("%w: %.40s: %s", ErrInvalid, attribute, fmt.Sprintf(format, args...))
}

// attributes are all attributes that are set, as text.
func (e CloudEvent) attributes() map[string]string {
	all := map[string]string{cloudevent.AttrSpecVersion: SpecVersion}
	set := func(name, value string) {
		if value != "" {
			all[name] = value
		}
	}
	set(cloudevent.AttrID, e.ID)
	set(cloudevent.AttrSource, e.Source)
	set(cloudevent.AttrType, e.Type)
	set(cloudevent.AttrSubject, e.Subject)
	set(cloudevent.AttrContentType, e.DataContentType)
	set(cloudevent.AttrSchema, e.DataSchema)
	if !e.Time.IsZero() {
		set(cloudevent.AttrTime, e.Time.UTC().Format(time.RFC3339Nano))
	}
	maps.Copy(all, e.Extensions)
	return all
}

// fromAttributes is the opposite of attributes.
func fromAttributes(all map[string]string) (CloudEvent, error) {
	var e CloudEvent
	for name, value := range all {
		switch name {
		case cloudevent.AttrSpecVersion:
			if value != SpecVersion {
				return CloudEvent{}, invalid(name, "%q: this program reads version %s", value, SpecVersion)
			}
		case cloudevent.AttrID:
			e.ID = value
		case cloudevent.AttrSource:
			e.Source = value
		case cloudevent.AttrType:
			e.Type = value
		case cloudevent.AttrSubject:
			e.Subject = value
		case cloudevent.AttrContentType:
			e.DataContentType = value
		case cloudevent.AttrSchema:
			e.DataSchema = value
		case cloudevent.AttrTime:
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return CloudEvent{}, invalid(name, "%q is no RFC 3339 time", value)
			}
			e.Time = at
		default:
			if e.Extensions == nil {
				e.Extensions = make(map[string]string)
			}
			e.Extensions[name] = value
		}
	}
	if _, ok := all[cloudevent.AttrSpecVersion]; !ok {
		return CloudEvent{}, invalid(cloudevent.AttrSpecVersion, "is missing")
	}
	return e, e.Validate()
}
