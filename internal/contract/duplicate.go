package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// duplicateName returns the path of the first JSON member whose name its object has had
// before, or "". The data is valid JSON. encoding/json alone would take the last member:
// a policy could so allow what the same text forbids.
func duplicateName(data []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return duplicateIn(dec, "")
}

// duplicateIn reads one value.
func duplicateIn(dec *json.Decoder, path string) (string, error) {
	begins, err := dec.Token()
	if err != nil {
		return "", err
	}
	seen := make(map[string]bool)
	for i := 0; begins == json.Delim('{') || begins == json.Delim('['); i++ {
		if !dec.More() {
			_, err := dec.Token() // the end
			return "", err
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if begins == json.Delim('{') {
			token, err := dec.Token()
			if err != nil {
				return "", err
			}
			name, _ := token.(string) // a name is one
			at = strings.TrimPrefix(path+"."+name, ".")
			if seen[name] {
				return at, nil
			}
			seen[name] = true
		}
		if twice, err := duplicateIn(dec, at); twice != "" || err != nil {
			return twice, err
		}
	}
	return "", nil
}
