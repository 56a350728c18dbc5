package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/contract"
)

// jsonTextRule is that of JSON columns that keep the text: PostgreSQL's json and
// MariaDB's. A string is a JSON string; it is never parsed.
type jsonTextRule struct {
	// depth is how deep the database lets JSON nest; 0 is no bound.
	depth int
	// surrogates says that the database takes half a surrogate pair, escaped.
	surrogates bool
}

func (j jsonTextRule) store(v jsonValue) (any, error) {
	switch {
	case !utf8.Valid(v.raw) || v.kind == jsonString && !v.exact:
		return nil, errInexactText
	case !j.surrogates && contract.HasLoneSurrogate(v.raw):
		return nil, errors.New("it holds half a surrogate pair, which the database's JSON refuses")
	case j.depth > 0 && nesting(v.raw) > j.depth:
		return nil, fmt.Errorf("it nests deeper than the %d levels of the database's JSON", j.depth)
	}
	return string(v.raw), nil
}

// nesting is how deep valid JSON nests.
func nesting(raw []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// jsonbRule is that of jsonb, which keeps a value: its members in an order of its
// own, its numbers without exponents. What it would drop is refused.
type jsonbRule struct{}

func (jsonbRule) store(v jsonValue) (any, error) {
	if !utf8.Valid(v.raw) || contract.HasLoneSurrogate(v.raw) {
		return nil, errInexactText
	}
	if err := checkJSONB(v.raw); err != nil {
		return nil, err
	}
	return string(v.raw), nil
}

// checkJSONB looks for what jsonb cannot keep: a NUL, the first of two members of
// one name, and numbers beyond numeric's.
func checkJSONB(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	// open are the containers around the token: of an object the names so far, of
	// an array nil.
	var open []map[string]bool
	name := false // the next string in an object is a name
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
		case string:
			if strings.ContainsRune(token, 0) {
				return errors.New("it holds a NUL, which jsonb cannot")
			}
			if names := innermost(open); name && names != nil {
				if names[token] {
					return fmt.Errorf("an object in it has two members %.64q, of which jsonb keeps one", token)
				}
				names[token] = true
				name = false
				continue
			}
		case json.Number:
			if _, err := unboundNumeric().store(newJSONValue([]byte(token))); err != nil {
				return fmt.Errorf("number %.64s: %w", token, err)
			}
		}
		name = innermost(open) != nil
	}
}

func innermost(open []map[string]bool) map[string]bool {
	if len(open) == 0 {
		return nil
	}
	return open[len(open)-1]
}

// unboundNumeric is PostgreSQL's numeric without a precision.
func unboundNumeric() decimalRule { return decimalRule{integers: 131072, fraction: 16383, zeros: true} }
