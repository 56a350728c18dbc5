// Package console is the hub's web pages for operators. It shows what the control verbs
// answer, and asks them as the command line does, so that each answer has one
// implementation. It operates only in mode Operate, and never does anything without a
// confirmation that says what will happen.
//
// A request passes guard.go (headers, host, origin, token), then a handler of pages.go and
// the files named for the pages, which asks the hub (ask.go), has package view make the
// contents, and renders a template. collector.go and curves.go keep what all open pages
// share.
//
// It is not promised that a page is of this second: each says when it was read.
package console
