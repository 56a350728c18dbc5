package subjects

import "errors"

// errTokens: the subject ends before its last token.
var errTokens = errors.New("too few tokens")

func badEvent(s string, err error) error {
	return &SubjectError{Value: s, Want: "db.<entity>.<op>", Err: err}
}

func badCopy(s string, err error) error {
	return &SubjectError{Value: s, Want: "sub.<service>.<entity>.<op>.<partition>", Err: err}
}

func badDeadLetter(s string, err error) error {
	return &SubjectError{Value: s, Want: "dlq.<service>.<entity>.<op>", Err: err}
}
