package inbox_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// likeness is how what is read back must resemble the JSON value. It shares no
// code with the rules.
type likeness int

const (
	likeText likeness = iota
	likePadded
	likeNumber
	likeFloat
	likeBool
	likeBytes
	likeClock
	likeMoment
	likeJSON
	likeTexts
	likeSQLiteJSON
	likeAny
)

var errUnlike = errors.New("is not the same")

func (l likeness) check(raw, stored string) error {
	text, quoted := isString(raw)
	if !quoted {
		text = raw
	}
	same := false
	switch l {
	case likeText:
		same = stored == text
	case likePadded:
		same = strings.TrimRight(stored, " ") == text
	case likeNumber:
		same = sameNumber(truth(text), stored)
	case likeFloat:
		f, err := strconv.ParseFloat(stored, 64)
		same = sameNumber(text, stored) && err == nil && !(f == 0 && strings.ContainsAny(strings.SplitN(text, "e", 2)[0], "123456789"))
	case likeBool:
		same = stored == text[:1]
	case likeBytes:
		want, err := base64.StdEncoding.DecodeString(text)
		have, err2 := hex.DecodeString(strings.TrimPrefix(stored, `\x`))
		same = errors.Join(err, err2) == nil && bytes.Equal(want, have)
	case likeClock:
		same = sameTime("15:04:05.999999999", text, stored) || sameTime("15:04:05.999999999Z07:00", text, stored) || sameTime("15:04:05.999999999Z07:00", text, stored+":00")
	case likeMoment:
		same = sameMoment(text, stored)
	case likeJSON:
		same = stored == raw || sameJSON(raw, stored)
	case likeTexts:
		same = sameTexts(raw, stored)
	case likeSQLiteJSON:
		same = stored == raw || !quoted && sameNumber(truth(raw), stored)
	case likeAny:
		same = stored == text || sameNumber(truth(raw), stored) || quoted && sameNumber(text, stored)
	}
	if !same {
		return errUnlike
	}
	return nil
}

func truth(text string) string {
	switch text {
	case "true":
		return "1"
	case "false":
		return "0"
	}
	return text
}

func sameNumber(a, b string) bool {
	x, ok := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	return ok && ok2 && x.Cmp(y) == 0
}

func sameTime(layout, a, b string) bool {
	x, err := time.Parse(layout, a)
	y, err2 := time.Parse(layout, b)
	return errors.Join(err, err2) == nil && x.Equal(y)
}

// sameMoment compares with a time that is read back in UTC.
func sameMoment(text, stored string) bool {
	text = strings.ToUpper(strings.Replace(text, " ", "T", 1))
	want, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		want, err = time.Parse("2006-01-02T15:04:05.999999999", text)
	}
	have, err2 := time.Parse("2006-01-02 15:04:05.999999999", strings.TrimSuffix(stored, "+00"))
	return errors.Join(err, err2) == nil && want.Equal(have)
}

func sameJSON(a, b string) bool {
	x, err := decodeJSON(a)
	y, err2 := decodeJSON(b)
	return errors.Join(err, err2) == nil && equalJSON(x, y)
}

// sameTexts compares an array with one of texts: of what is no string with its
// JSON.
func sameTexts(raw, stored string) bool {
	var want []json.RawMessage
	var have []*string
	if errors.Join(json.Unmarshal([]byte(raw), &want), json.Unmarshal([]byte(stored), &have)) != nil || len(want) != len(have) {
		return false
	}
	for n := range want {
		text, quoted := isString(string(want[n]))
		if !quoted {
			text = string(want[n])
		}
		if null := text == "null"; null != (have[n] == nil) || !null && *have[n] != text {
			return false
		}
	}
	return true
}

func decodeJSON(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a.String(), b.String())
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equalJSON)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equalJSON)
	default:
		return reflect.DeepEqual(a, b)
	}
}

// exact reports whether what is read back is the JSON value's own text.
func exact(raw, stored string) bool {
	text, quoted := isString(raw)
	return stored == raw || quoted && stored == text
}

func (s sample) String() string { return s.label }

// shownCell is a sample, or what it became, in a table of Markdown.
func shownCell(text string) string {
	if len(text) > 90 {
		text = fmt.Sprintf("%s… (%d)", text[:20], len(text))
	}
	return "`" + strings.ReplaceAll(text, "|", "\\|") + "`"
}
