package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"strconv"
	"strings"

	"github.com/replhub/replhub/internal/cloudevent"
)

const (
	headerContentType = "content-type"
	structuredType    = "application/cloudevents+json"
)

// Binary is the CloudEvent as headers and payload of a NATS message in binary mode.
func (e CloudEvent) Binary() (header map[string][]string, data []byte, err error) {
	if err := e.Validate(); err != nil {
		return nil, nil, err
	}
	header = e.binaryAttributes()
	if e.DataContentType != "" {
		header[headerContentType] = []string{e.DataContentType}
	}
	return header, e.Data, nil
}

// binaryAttributes are the headers of all attributes but the content type.
func (e CloudEvent) binaryAttributes() map[string][]string {
	header := make(map[string][]string)
	for name, value := range e.attributes() {
		if name != cloudevent.AttrContentType {
			header[cloudevent.Prefix+name] = []string{cloudevent.EncodeValue(value)}
		}
	}
	return header
}

// Structured is the CloudEvent as headers and payload of a NATS message in structured
// mode, in JSON. Data that is JSON, and would come back byte by byte, is the member
// "data"; any other is "data_base64".
func (e CloudEvent) Structured() (header map[string][]string, data []byte, err error) {
	if err := e.Validate(); err != nil {
		return nil, nil, err
	}
	members := make(map[string]any)
	for name, value := range e.attributes() {
		members[name] = value
	}
	switch {
	case len(e.Data) == 0:
	case plainJSON(e.DataContentType) && compact(e.Data):
		members["data"] = json.RawMessage(e.Data)
	default:
		members["data_base64"] = e.Data
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(members); err != nil {
		return nil, nil, invalid("data", "%v", err)
	}
	return map[string][]string{headerContentType: {structuredType}}, bytes.TrimSpace(out.Bytes()), nil
}

// compact reports whether JSON stays as it is, byte by byte, when it is encoded within
// other JSON, by encoders that escape "<" as well. null would be as if there were none.
func compact(data []byte) bool {
	out, err := json.Marshal(json.RawMessage(data))
	return err == nil && bytes.Equal(out, data) && string(data) != "null"
}

// plainJSON reports whether every reader takes a content type for JSON. The Go SDK of
// CloudEvents takes "application/vnd.x+json" for text.
func plainJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return contentType == "" || err == nil && media == "application/json"
}

// isJSON reports whether a content type is JSON; none is.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json"))
}

// Parse reads a CloudEvent from a message's headers and payload, in either mode. Names of
// headers may be in any letter case. Other headers than those of CloudEvents are not part
// of it. The error is ErrInvalid.
func Parse(header map[string][]string, data []byte) (CloudEvent, error) {
	attributes, contentType := make(map[string]string), ""
	for name, values := range header {
		lower := strings.ToLower(name)
		attribute, ours := strings.CutPrefix(lower, cloudevent.Prefix)
		if !ours && lower != headerContentType {
			continue
		}
		if len(values) != 1 {
			return CloudEvent{}, invalid(lower, "%d values instead of one", len(values))
		}
		if lower == headerContentType {
			contentType = values[0]
			continue
		}
		if _, twice := attributes[attribute]; twice {
			return CloudEvent{}, invalid(lower, "is there twice")
		}
		attributes[attribute] = decodeValue(values[0])
	}
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && media == structuredType:
		return parseStructured(data)
	case err == nil && strings.HasPrefix(media, "application/cloudevents"):
		return CloudEvent{}, invalid(headerContentType, "%q: this program reads %s, one event at a time", media, structuredType)
	case len(attributes) == 0:
		return CloudEvent{}, invalid(cloudevent.AttrSpecVersion, "neither a header ce-specversion nor the content type %s: this is no CloudEvent", structuredType)
	}
	delete(attributes, cloudevent.AttrContentType) // content-type alone says it
	if contentType != "" {
		attributes[cloudevent.AttrContentType] = contentType
	}
	e, err := fromAttributes(attributes)
	e.Data = data
	return e, err
}

// parseStructured reads a CloudEvent in JSON.
func parseStructured(text []byte) (CloudEvent, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return CloudEvent{}, invalid("data", "the payload is no JSON object: %v", err)
	}
	attributes := make(map[string]string)
	for name, raw := range members {
		if name == "data" || name == "data_base64" || string(raw) == "null" {
			continue
		}
		value, err := attributeOf(raw)
		if err != nil {
			return CloudEvent{}, invalid(name, "%v", err)
		}
		attributes[name] = value
	}
	e, err := fromAttributes(attributes)
	if err != nil {
		return CloudEvent{}, err
	}
	e.Data, err = dataOf(members, e.DataContentType)
	return e, err
}

// attributeOf is an attribute's value as text: a string, a number, or true or false.
func attributeOf(raw json.RawMessage) (string, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case bool:
		return strconv.FormatBool(value), nil
	}
	return "", fmt.Errorf("an attribute is a string, a number, true or false, not %.20s", raw)
}

// dataOf is the payload of a CloudEvent in JSON.
func dataOf(members map[string]json.RawMessage, contentType string) ([]byte, error) {
	data, plain := members["data"]
	encoded, binary := members["data_base64"]
	switch {
	case plain && binary:
		return nil, invalid("data", "is there beside data_base64")
	case binary:
		var text string
		if err := json.Unmarshal(encoded, &text); err != nil {
			return nil, invalid("data_base64", "is no string")
		}
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, invalid("data_base64", "is no base64: %v", err)
		}
		return decoded, nil
	case !plain || string(data) == "null": // null is as if it were not there
		return nil, nil
	case !isJSON(contentType) && data[0] == '"':
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return nil, invalid("data", "%v", err)
		}
		return []byte(text), nil
	}
	return data, nil
}

// decodeValue is the opposite of cloudevent.EncodeValue. A percent sign without two digits stands for itself, as
// of a sender that does not encode; quotes around a value are taken off.
func decodeValue(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value[1 : len(value)-1])
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			if n, err := strconv.ParseUint(value[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}
