package match

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
)

// issueLine describes a filter's first fault in one line, for people who write filters and
// do not know CEL's grammar.
func issueLine(issues *cel.Issues) string {
	errs := issues.Errors()
	if len(errs) == 0 {
		return oneLine(issues.Err().Error())
	}
	first := errs[0]
	at := fmt.Sprintf("line %d, column %d: ", first.Location.Line(), first.Location.Column()+1)
	return at + plainly(oneLine(strings.TrimPrefix(first.Message, "Syntax error: ")))
}

// The forms of messages of CEL's parser and checker that name the parser's own terms.
var (
	unreadable  = regexp.MustCompile(`^token recognition error at: '(.*)'$`)
	misplaced   = regexp.MustCompile(`^(?:mismatched|extraneous) input '(.*?)' expecting .*$`)
	absent      = regexp.MustCompile(`^missing (.+) at '(.*)'$`)
	senseless   = regexp.MustCompile(`^no viable alternative at input '(.*)'$`)
	unknownName = regexp.MustCompile(`^undeclared reference to ('.*?')(?: \(.*)?$`)
	noOverload  = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
)

// endOfText is how CEL's parser names the end of the filter.
const endOfText = "<EOF>"

// doubled are characters that are part of an operator only where they stand twice.
var doubled = map[string]string{"=": "==", "&": "&&", "|": "||"}

// plainly says a message of CEL in plain words. A message of another form stays.
func plainly(message string) string {
	if m := unreadable.FindStringSubmatch(message); m != nil {
		switch text := strings.TrimSpace(m[1]); {
		case doubled[text] != "":
			return fmt.Sprintf("%q is no operator; write %q", text, doubled[text])
		case strings.HasPrefix(text, "'") || strings.HasPrefix(text, `"`):
			return "the text " + text + " has no end, or an escape that is not known"
		default:
			return fmt.Sprintf("%q cannot be read", text)
		}
	}
	if m := misplaced.FindStringSubmatch(message); m != nil {
		if m[1] == endOfText {
			return "the filter ends here, and a value is missing"
		}
		return fmt.Sprintf("%q cannot stand here", m[1])
	}
	if m := absent.FindStringSubmatch(message); m != nil {
		if m[2] == endOfText {
			return m[1] + " is missing at the end"
		}
		return fmt.Sprintf("%s is missing before %q", m[1], m[2])
	}
	if m := senseless.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%q cannot stand here", m[1])
	}
	if m := unknownName.FindStringSubmatch(message); m != nil {
		return m[1] + " is not known; a filter has data, entity, op, key, headers, time, and the functions of CEL"
	}
	if m := noOverload.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%q does not take %s", operator(m[1]), m[2])
	}
	return message
}

// operator is the name of an operator or a function as people write it: == for _==_.
func operator(name string) string {
	switch name {
	case "_?_:_":
		return "? :"
	case "_[_]":
		return "[]"
	}
	return strings.Trim(name, "_@")
}
