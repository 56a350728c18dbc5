package inbox

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// arrayRule is that of PostgreSQL's arrays of one dimension: a JSON array, each
// element by its type's rule.
type arrayRule struct{ element rule }

func (a arrayRule) store(v jsonValue) (any, error) {
	if v.kind != jsonArray {
		return nil, refusedKind(v, "an array column")
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(v.raw, &elements); err != nil {
		return nil, err
	}
	texts := make([]string, len(elements))
	for n, raw := range elements {
		text, err := a.text(newJSONValue(raw))
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", n+1, err)
		}
		texts[n] = text
	}
	return "{" + strings.Join(texts, ",") + "}", nil
}

// text is an element as it stands in an array's text.
func (a arrayRule) text(v jsonValue) (string, error) {
	switch v.kind {
	case jsonNull:
		return "NULL", nil
	case jsonArray:
		return "", fmt.Errorf("%s in an array is not stored; a Convert function can say how", v.kind)
	case jsonString, jsonNumber, jsonBool, jsonObject:
	}
	value, err := ruled(a.element, v)
	if err != nil {
		return "", err
	}
	var text string
	switch value := value.(type) {
	case []byte:
		text = `\x` + hex.EncodeToString(value)
	default:
		text = fmt.Sprint(value)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`, nil
}
